import PacketSpace
import Testing

@testable import cordon

/// What is concluded of the facts about a session.
struct RemoteSessionTests {
  private static let ends = SessionTextTests.ends("198.51.100.7", 50022, "172.16.1.10", 22)
  private static let text = "198.51.100.7 50022 172.16.1.10 22"

  private func process(
    _ pid: Int32, _ name: String, _ place: SessionFacts.Place = .here, ssh: String? = nil, served: [ConnectionEnds] = []
  ) -> SessionFacts.Process {
    .init(pid: pid, name: name, place: place, sshConnection: ssh, served: served)
  }

  private func session(
    _ processes: [SessionFacts.Process], logins: [String] = [], remoteHost: String? = nil, open: SocketTable = SocketTable()
  ) -> RemoteSession {
    let records = logins.flatMap { SessionTextTests.record(7, "pts/3", $0) }
    return RemoteSession(
      SessionFacts(processes: processes, logins: LoginRecord.all(records), remoteHost: remoteHost, open: open))
  }

  @Test func nothingIsFoundOnAConsole() {
    let found = session([process(9, "cordon"), process(8, "bash"), process(1, "systemd")], logins: ["", ":0", "tmux(5).%0"])
    #expect(found.connections.isEmpty && found.elsewhere.isEmpty && found.doubt == nil)
  }

  @Test("the environment is believed where no server is seen, in whatever process it stands")
  func environment() {
    for level in 0..<3 {
      var processes = [process(9, "cordon"), process(8, "sudo"), process(7, "bash", .unknown)]
      processes[level].sshConnection = RemoteSessionTests.text
      let found = session(processes)
      #expect(found.connections.map(\.ends) == [RemoteSessionTests.ends] && found.doubt == nil)
      #expect(
        found.connections[0].source
          == ["SSH_CONNECTION", "SSH_CONNECTION of sudo (process 8)", "SSH_CONNECTION of bash (process 7)"][level])
    }
  }

  @Test("a server's socket is enough, and says in which namespace the connection ends")
  func server() {
    let served = [RemoteSessionTests.ends]
    let bare = session([process(9, "cordon"), process(7, "sshd", served: served), process(6, "sshd", served: served)])
    #expect(bare.connections.map(\.ends) == served && bare.connections[0].source == "a socket of sshd (process 7)")
    let elsewhere = session([
      process(9, "cordon"), process(8, "bash", .elsewhere, ssh: RemoteSessionTests.text),
      process(7, "sshd-session", .elsewhere, served: served), process(6, "sshd", .elsewhere),
    ])
    #expect(elsewhere.connections.isEmpty && elsewhere.elsewhere.map(\.ends) == served && elsewhere.doubt == nil)
    // what is not that server's may well be here
    let other = session([
      process(9, "cordon", ssh: "198.51.100.8 1 172.16.1.10 22"), process(7, "sshd", .elsewhere, served: served),
    ])
    #expect(other.connections.map(\.ends) == [SessionTextTests.ends("198.51.100.8", 1, "172.16.1.10", 22)])
    let unreadable = session([process(9, "cordon", ssh: RemoteSessionTests.text), process(7, "sshd", .elsewhere)])
    #expect(unreadable.connections.map(\.ends) == served)
  }

  @Test("what looks as if it came over the network and shows no connection is doubted")
  func doubt() {
    #expect(
      session([process(9, "cordon"), process(7, "sshd")]).doubt
        == "sshd (process 7) serves it, and no connection of its can be seen")
    #expect(session([process(9, "cordon"), process(7, "sshd", .elsewhere)]).doubt == nil)
    let login = session([process(9, "cordon")], logins: ["198.51.100.7"])
    #expect(login.doubt == "the login at pts/3 is from 198.51.100.7" && login.origin == "198.51.100.7")
    #expect(session([process(9, "cordon")], remoteHost: "laptop").doubt == "systemd-logind has it from laptop")
    let unknown = "UNKNOWN 65535 UNKNOWN 65535"
    #expect(session([process(9, "cordon"), process(7, "bash", ssh: unknown)]).doubt?.contains("names no connection") == true)
    // the way by which it began is known, the way by which it goes on isn't
    let mosh = session(
      [
        process(9, "cordon"), process(8, "bash", ssh: RemoteSessionTests.text),
        process(7, "mosh-server", ssh: RemoteSessionTests.text),
      ],
      logins: ["198.51.100.9 via mosh [7]"])
    #expect(mosh.connections.map(\.ends) == [RemoteSessionTests.ends])
    #expect(mosh.doubt == "mosh-server (process 7) carries it in its own way")
    #expect(session([process(9, "cordon"), process(7, "mosh-server", .elsewhere)]).doubt == nil)
  }

  @Test("below a multiplexer the environment may be of a connection that is closed")
  func multiplexer() {
    let now = SessionTextTests.ends("198.51.100.9", 50099, "172.16.1.10", 22)
    let facts = [
      process(9, "cordon"), process(8, "bash", ssh: RemoteSessionTests.text), process(7, "tmux: server"),
      process(6, "tmux: client", ssh: "198.51.100.9 50099 172.16.1.10 22"), process(5, "sshd", served: [now]),
    ]
    #expect(session(facts).connections.map(\.ends) == [now])
    var open = SocketTable()
    open.add(Array("2: 0A0110AC:0016 076433C6:C366 01 0:0 02:0 0 0 0 201 4 0".utf8))
    #expect(session(facts, open: open).connections.map(\.ends) == [now, RemoteSessionTests.ends])
    // nobody looks on: it is all there is
    #expect(session(Array(facts[..<3])).connections.map(\.ends) == [RemoteSessionTests.ends])
  }
}
