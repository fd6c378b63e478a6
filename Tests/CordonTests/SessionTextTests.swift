import Glibc
import PacketSpace
import Testing

@testable import cordon

/// What the system says of a session, as text and records: each is read from any bytes.
struct SessionTextTests {
  static func ends(_ client: String, _ clientPort: UInt16, _ server: String, _ serverPort: UInt16) -> ConnectionEnds {
    ConnectionEnds(
      client: .init(address: IPAddress(client)!, port: clientPort), server: .init(address: IPAddress(server)!, port: serverPort)
    )
  }

  @Test(arguments: [
    ("198.51.100.7 50022 172.16.1.10 22", ends("198.51.100.7", 50022, "172.16.1.10", 22)),
    ("2001:db8::7 50022 fd00:1::10 2222", ends("2001:db8::7", 50022, "fd00:1::10", 2222)),
    ("fe80::7%eth0 1 fe80::1%eth0 65535", ends("fe80::7", 1, "fe80::1", 65535)),
    ("::ffff:198.51.100.7 50022 ::ffff:172.16.1.10 22", ends("198.51.100.7", 50022, "172.16.1.10", 22)),
  ])
  func sshConnections(text: String, expected: ConnectionEnds) {
    #expect(ConnectionEnds(sshConnection: text) == expected)
  }

  @Test(arguments: [
    "", " ", "UNKNOWN 65535 UNKNOWN 65535", "198.51.100.7 50022 172.16.1.10", "198.51.100.7 50022 172.16.1.10 22 ",
    "198.51.100.7 0 172.16.1.10 22", "198.51.100.7 50022 172.16.1.10 65536", "198.51.100.7 50022 172.16.1.10 -1",
    "198.51.100.7 50022 fd00::1 22", "198.51.100.7 +5 172.16.1.10 22", "198.51.100.07 5 172.16.1.10 22",
    "198.51.100.7  50022 172.16.1.10 22", "198.51.100.7 ٣ 172.16.1.10 22",
  ])
  func notConnections(text: String) {
    #expect(ConnectionEnds(sshConnection: text) == nil)
  }

  @Test func environments() {
    let bytes = Array("SHELL=/bin/sh\0XSSH_CONNECTION=no\0SSH_CONNECTION=a b=c\0SSH_CONNECTION=second\0EMPTY=\0NONE".utf8)
    #expect(EnvironmentText.value("SSH_CONNECTION", in: bytes) == "a b=c")
    #expect(EnvironmentText.value("EMPTY", in: bytes) == "")
    #expect(EnvironmentText.value("NONE", in: bytes) == nil)
    #expect(EnvironmentText.value("SSH_CONNECTION", in: []) == nil)
  }

  @Test func processes() {
    let shell = ProcessStatus(Array("812 (bash) S 790 812 812 34819 900 4194304 1\n".utf8))
    #expect(shell?.pid == 812 && shell?.name == "bash" && shell?.parent == 790 && shell?.terminalName == "pts/3")
    let odd = ProcessStatus(Array("7 (a) S 1 (b\n)) R 6 7 7 0 -1 0\n".utf8))
    #expect(odd?.name == "a) S 1 (b\n)" && odd?.parent == 6 && odd?.terminalName == nil)
    #expect(ProcessStatus(Array("7 (getty) S 1 7 7 1025 7".utf8))?.terminalName == "tty1")
    // minor number 300 of the first major: its lower byte and, above the major, the rest
    #expect(
      ProcessStatus(Array("7 (x) S 1 7 7 \(136 << 8 | 300 & 0xFF | (300 & ~0xFF) << 12) 7".utf8))?.terminalName == "pts/300")
    for broken in ["", "7", "7 (x", "7 x) S 1 2 3 4 5", "7 (x)", "x (x) S 1 7 7 0 7", ") ( S 1 2 3 4"] {
      #expect(ProcessStatus(Array(broken.utf8)) == nil, "\(broken)")
    }
  }

  // MARK: - Sockets

  private static let tcp = """
      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
       0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0000000000000000 100 0
       1: 0100007F:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 205 1 0000000000000000 100 0
       2: 0A0110AC:0016 076433C6:C366 01 00000000:00000000 02:000A7D2B 00000000     0        0 201 4 0000000000000000 20 4
       3: 0A0110AC:9C40 090110AC:0CEA 01 00000000:00000000 02:000A7D2B 00000000  1000        0 203 2 0000000000000000 20 4
       4: 0100007F:1E61 0100007F:9C41 01 00000000:00000000 00:00000000 00000000  1000        0 204 2 0000000000000000 20 4
       5: 0A0110AC:0016 086433C6:C366 06 00000000:00000000 03:00001234 00000000     0        0 0 3 0000000000000000
       6: what is this?
    """
  private static let tcp6 = """
       0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 101 1 0
       1: 010000FD000000000000000010000000:0016 B80D0120000000000000000007000000:C366 01 0:0 00:0 0     0        0 301 1 0
       2: 0000000000000000FFFF00000A0110AC:0016 0000000000000000FFFF0000086433C6:C367 01 0:0 00:0 0     0        0 302 1 0
    """

  private static let table = {
    var table = SocketTable()
    table.add(Array(tcp.utf8))
    table.add(Array(tcp6.utf8))
    return table
  }()

  @Test("of a server's connections it is the one to the port that another process listens at, and not those of forwarded ports")
  func sockets() {
    let table = SessionTextTests.table
    #expect(table.served(by: [201, 203, 204, 205]) == [SessionTextTests.ends("198.51.100.7", 50022, "172.16.1.10", 22)])
    // where whoever listened is gone, one at which it listens itself, and else what there is
    #expect(table.served(by: [203, 204, 205]) == [SessionTextTests.ends("127.0.0.1", 40001, "127.0.0.1", 7777)])
    #expect(table.served(by: [203]) == [SessionTextTests.ends("172.16.1.9", 3306, "172.16.1.10", 40000)])
    #expect(table.served(by: [100, 205, 999]) == [])
    #expect(table.served(by: [301]) == [SessionTextTests.ends("2001:db8::7", 50022, "fd00:1::10", 22)])
    #expect(table.served(by: [302]) == [SessionTextTests.ends("198.51.100.8", 50023, "172.16.1.10", 22)])
    #expect(table.contains(SessionTextTests.ends("198.51.100.7", 50022, "172.16.1.10", 22)))
    // it waits for its last packets to be gone (06)
    #expect(!table.contains(SessionTextTests.ends("198.51.100.8", 50022, "172.16.1.10", 22)))
  }

  @Test func socketsOfAnyBytes() {
    let text = Array((SessionTextTests.tcp + SessionTextTests.tcp6).utf8)
    for cut in 0..<text.count {
      var bytes = Array(text[..<cut])
      if cut > 0 { bytes[cut / 2] = UInt8(truncatingIfNeeded: cut * 31) }
      var table = SocketTable()
      table.add(bytes)
      #expect(table.served(by: [201, 203, 204, 301, 302]).count <= 5)
    }
  }

  // MARK: - Logins

  static func record(_ type: Int32, _ line: String, _ host: String, pid: Int32 = 812, address: [UInt8] = []) -> [UInt8] {
    var record = utmp()
    record.ut_type = Int16(type)
    record.ut_pid = pid
    withUnsafeMutableBytes(of: &record.ut_line) { $0.copyBytes(from: line.utf8.prefix($0.count)) }
    withUnsafeMutableBytes(of: &record.ut_host) { $0.copyBytes(from: host.utf8.prefix($0.count)) }
    withUnsafeMutableBytes(of: &record.ut_addr_v6) { $0.copyBytes(from: address) }
    return withUnsafeBytes(of: record) { Array($0) }
  }

  @Test func logins() {
    let six: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
    let bytes =
      SessionTextTests.record(BOOT_TIME, "~", "6.1.0") + SessionTextTests.record(USER_PROCESS, "tty1", "")
      + SessionTextTests.record(USER_PROCESS, "pts/0", "laptop.example", address: [198, 51, 100, 7])
      + SessionTextTests.record(USER_PROCESS, "pts/1", "2001:db8::7", address: six)
      + SessionTextTests.record(USER_PROCESS, "pts/2", "198.51.100.8")
      + SessionTextTests.record(USER_PROCESS, "pts/3", "tmux(900).%0")
      + SessionTextTests.record(USER_PROCESS, "pts/4", ":0") + SessionTextTests.record(DEAD_PROCESS, "pts/5", "198.51.100.9")
      + SessionTextTests.record(USER_PROCESS, "pts/6", "198.51.100.8 via mosh [812]")
      + SessionTextTests.record(USER_PROCESS, "pts/7", "localhost", address: [127, 0, 0, 1])
      + SessionTextTests.record(USER_PROCESS, String(repeating: "x", count: 40), String(repeating: "y", count: 300))
    let logins = LoginRecord.all(bytes)
    #expect(logins.map(\.terminal).dropLast() == ["tty1", "pts/0", "pts/1", "pts/2", "pts/3", "pts/4", "pts/6", "pts/7"])
    #expect(logins.filter(\.isRemote).map(\.terminal).dropLast() == ["pts/0", "pts/1", "pts/2", "pts/6"])
    let addresses = logins.compactMap(\.address).map(\.description)
    #expect(addresses == ["198.51.100.7", "2001:db8::7", "198.51.100.8", "127.0.0.1"])
    #expect(logins.last?.terminal.count == 32 && logins.last?.host.count == 256 && logins[0].pid == 812)
    for cut in [0, 1, 383, bytes.count - 1] { #expect(LoginRecord.all(Array(bytes[..<cut])).count < logins.count) }
  }

  @Test func loginManager() {
    let remote = "# This is private data. Do not parse.\nUID=0\nREMOTE=1\nREMOTE_HOST=198.51.100.7\nTYPE=tty\n"
    #expect(SessionRecord.remoteHost(Array(remote.utf8)) == "198.51.100.7")
    #expect(SessionRecord.remoteHost(Array("REMOTE=1\n".utf8)) == "another machine")
    #expect(SessionRecord.remoteHost(Array("REMOTE=0\nREMOTE_HOST=198.51.100.7\n".utf8)) == nil)
    #expect(SessionRecord.remoteHost([]) == nil)
  }
}
