import Glibc
import PacketSpace

/// How the facts are gathered. What can't be read, since it belongs to somebody else or is gone, is left out: less is known
/// then.
extension SessionFacts {
  /// Of the process that calls this.
  static func gather() -> SessionFacts {
    var search = SessionSearch()
    search.climb(from: "self")
    search.followTerminals()
    return search.facts
  }
}

private struct SessionSearch {
  var facts = SessionFacts()
  /// Names of terminals below /dev that the session has, or a multiplexer shows it on.
  private var terminals: [String] = []
  private var seen: Set<Int32> = []
  /// By network namespace: where many connections are open, listing them takes its time.
  private var tables: [NetworkNamespace.Identity?: SocketTable] = [:]
  private let here = try? NetworkNamespace.identity("/proc/thread-self/ns/net")
  /// Deeper than any session, and an end where /proc makes no sense.
  private static let highest = 256

  /// A process and those above it.
  mutating func climb(from start: String) {
    var next = start
    for _ in 0..<SessionSearch.highest {
      guard let status = ProcessStatus(SessionSearch.read("/proc/\(next)/stat")), seen.insert(status.pid).inserted else {
        return
      }
      add(status)
      if status.parent <= 0 { return }
      next = "\(status.parent)"
    }
  }

  private mutating func add(_ status: ProcessStatus) {
    let folder = "/proc/\(status.pid)"
    let name = SessionSearch.name(status)
    let own = try? NetworkNamespace.identity("\(folder)/ns/net")
    let place: SessionFacts.Place = own == nil || here == nil ? .unknown : own == here ? .here : .elsewhere
    var process = SessionFacts.Process(pid: status.pid, name: name, place: place)
    process.sshConnection = EnvironmentText.value("SSH_CONNECTION", in: SessionSearch.read("\(folder)/environ"))
    if let terminal = status.terminalName, !terminals.contains(terminal) { terminals.append(terminal) }
    if RemoteSession.servers.contains(name) {
      let sockets = SessionSearch.files(of: folder).compactMap { UInt64($0.dropFirst("socket:[".count).dropLast()) }
      process.served = table(of: own, at: folder).served(by: Set(sockets))
    }
    if RemoteSession.multiplexers.contains(name) {
      // the terminals that show it
      terminals += SessionSearch.files(of: folder).filter { $0.hasPrefix("/dev/pts/") }.map {
        String($0.dropFirst("/dev/".count))
      }
    }
    facts.processes.append(process)
  }

  private mutating func table(of namespace: NetworkNamespace.Identity?, at folder: String) -> SocketTable {
    if namespace != nil, let known = tables[namespace] { return known }
    var table = SocketTable()
    for name in ["tcp", "tcp6"] { table.add(SessionSearch.read("\(folder)/net/\(name)")) }
    tables[namespace] = table
    return table
  }

  /// What the system has noted of the session's terminals, and the processes that were begun there.
  mutating func followTerminals() {
    let records = LoginRecord.all(SessionSearch.read("/run/utmp"))
    facts.logins = records.filter { terminals.contains($0.terminal) }
    for login in facts.logins where login.isRemote { climb(from: "\(login.pid)") }
    if facts.isMultiplexed {
      facts.open = table(of: here, at: "/proc/thread-self")
      for pid in SessionSearch.names(in: "/proc") where Int32(pid) != nil {
        let status = ProcessStatus(SessionSearch.read("/proc/\(pid)/stat"))
        if let terminal = status?.terminalName, terminals.contains(terminal) { climb(from: pid) }
      }
    }
    let number = String(decoding: SessionSearch.read("/proc/self/sessionid"), as: UTF8.self)
    // 4294967295 is none
    if let number = UInt32(number), number != .max {
      facts.remoteHost = SessionRecord.remoteHost(SessionSearch.read("/run/systemd/sessions/\(number)"))
    }
  }

  // MARK: - Reading

  /// The program's name; `sshd: root@pts/0` and the like, which some write over their arguments, begin with it.
  private static func name(_ status: ProcessStatus) -> String {
    let first = read("/proc/\(status.pid)/cmdline").prefix { $0 != 0 && $0 != UInt8(ascii: ":") && $0 != 0x20 }
    let name = String(decoding: first, as: UTF8.self).split(separator: "/").last.map { String($0) } ?? ""
    let known = RemoteSession.servers.union(RemoteSession.carriers)
    return known.contains(name) ? name : status.name
  }

  /// What is open in a process: paths, and `socket:[4711]`.
  private static func files(of folder: String) -> [String] {
    names(in: "\(folder)/fd").compactMap { name in
      var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
      let count = buffer.withUnsafeMutableBytes {
        readlink("\(folder)/fd/\(name)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
      }
      return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
  }

  private static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
      result.append(withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return result
  }

  private static func read(_ path: String) -> [UInt8] { (try? Files.read(path)) ?? [] }
}

/// What systemd's login manager keeps of a session, in /run/systemd/sessions: `KEY=value`, a line each.
enum SessionRecord {
  /// Where a session comes from that isn't of this machine; nil for others.
  static func remoteHost(_ bytes: [UInt8]) -> String? {
    let lines = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    guard lines.contains("REMOTE=1") else { return nil }
    let host = lines.first { $0.hasPrefix("REMOTE_HOST=") }.map { String($0.dropFirst("REMOTE_HOST=".count)) }
    return host ?? "another machine"
  }
}
