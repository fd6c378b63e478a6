/// What is known of the session in which the command runs: the processes above it, and what they and the system say of where it
/// comes from.
struct SessionFacts {
  /// Where a process stands, as seen from the network namespace that is changed.
  enum Place { case here, elsewhere, unknown }

  struct Process {
    var pid: Int32
    var name: String
    var place: Place
    /// SSH_CONNECTION in the environment that it began with.
    var sshConnection: String?
    /// The connections that it serves; looked for in servers of sessions only.
    var served: [ConnectionEnds] = []

    var words: String { "\(name) (process \(pid))" }
  }

  /// The one that asks first, and then those above it.
  var processes: [Process] = []
  /// Of the session's terminals.
  var logins: [LoginRecord] = []
  /// Where systemd's login manager says that it comes from.
  var remoteHost: String?
  /// The connections that are open in the network namespace that is changed; looked for below a multiplexer only.
  var open = SocketTable()

  var isMultiplexed: Bool { processes.contains { RemoteSession.multiplexers.contains($0.name) } }
}

/// The connection over which somebody works, as far as it can be found.
struct RemoteSession {
  struct Connection {
    var ends: ConnectionEnds
    /// What told of it.
    var source: String
  }

  /// What may be lost.
  private(set) var connections: [Connection] = []
  /// Connections to another network namespace than the one that is changed.
  private(set) var elsewhere: [Connection] = []
  /// Why it looks as if it came over the network though its ends aren't found; nil where it doesn't, or they are.
  private(set) var doubt: String?
  /// Where it comes from, as far as that is known beside a doubt.
  private(set) var origin: String?

  /// Programs that hold the TCP connection of the session below them.
  static let servers: Set<String> = [
    "sshd", "sshd-session", "sshd-auth", "dropbear", "in.telnetd", "telnetd", "in.rlogind",
  ]
  /// Programs that bring a session from afar in ways of their own: by UDP, from wherever the client happens to be, or through
  /// another connection.
  static let carriers: Set<String> = ["mosh-server", "etterminal", "tailscaled", "teleport", "cockpit-bridge", "ttyd"]
  /// Programs that outlive the connection by which they were begun, with the environment that they had then.
  static let multiplexers: Set<String> = ["tmux", "tmux: server", "screen", "SCREEN"]

  init(_ facts: SessionFacts) {
    let servers = facts.processes.filter { RemoteSession.servers.contains($0.name) }
    var explained: Set<Int32> = []
    var claimed: [Connection] = []
    var misnamed: String?
    for (level, process) in facts.processes.enumerated() {
      let variable = level == 0 ? "SSH_CONNECTION" : "SSH_CONNECTION of \(process.words)"
      guard let text = process.sshConnection else { continue }
      guard let ends = ConnectionEnds(sshConnection: text) else {
        misnamed = misnamed ?? "\(variable) is `\(text)`, which names no connection"
        continue
      }
      // where the server that has it is seen, it is known where it ends; else it may well be here
      let holders = servers.filter { $0.served.contains(ends) }
      explained.formUnion(holders.map(\.pid))
      let connection = Connection(ends: ends, source: variable)
      if holders.isEmpty { claimed.append(connection) } else { add(connection, holders[0].place) }
    }
    for server in servers where !explained.contains(server.pid) {
      for ends in server.served { add(Connection(ends: ends, source: "a socket of \(server.words)"), server.place) }
    }
    // what a multiplexer keeps of a connection that is closed is out of date, where there is one that isn't
    let isCurrent = !facts.isMultiplexed || connections.isEmpty && elsewhere.isEmpty
    for connection in claimed where isCurrent || facts.open.contains(connection.ends) { add(connection, .unknown) }

    let login = facts.logins.first(where: \.isRemote)
    origin =
      login?.address.map { "\($0)" } ?? connections.first.map { "\($0.ends.client.address)" } ?? login?.host
      ?? facts.remoteHost
    if let carrier = facts.processes.first(where: { RemoteSession.carriers.contains($0.name) && $0.place != .elsewhere }) {
      doubt = "\(carrier.words) carries it in its own way"
    } else if connections.isEmpty && elsewhere.isEmpty {
      if let server = servers.first(where: { $0.place != .elsewhere }) {
        doubt = misnamed ?? "\(server.words) serves it, and no connection of its can be seen"
      } else if servers.isEmpty {
        doubt =
          misnamed ?? login.map { "the login at \($0.terminal) is from \($0.host.isEmpty ? "another machine" : $0.host)" }
          ?? facts.remoteHost.map { "systemd-logind has it from \($0)" }
      }
    }
  }

  private mutating func add(_ connection: Connection, _ place: SessionFacts.Place) {
    switch place {
    case .here, .unknown:
      if !connections.contains(where: { $0.ends == connection.ends }) { connections.append(connection) }
    case .elsewhere:
      if !elsewhere.contains(where: { $0.ends == connection.ends }) { elsewhere.append(connection) }
    }
  }
}
