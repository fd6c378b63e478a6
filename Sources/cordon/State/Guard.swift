import ArgumentParser
import Glibc
import NftablesKernel

extension StateIndex.Pending {
  init(state: Int, previous: Int, within seconds: Int) throws {
    let token = String(UInt64.random(in: .min ... .max), radix: 16)
    self.init(
      state: state, previous: previous, token: token, deadline: Clock.now + seconds,
      bootTime: Clock.sinceBoot + UInt64(seconds) * 1_000_000_000, boot: try NetworkNamespace.boot(),
      namespace: try NetworkNamespace.number(), seconds: seconds)
  }

  /// The time begins when the change is made.
  mutating func restart() {
    deadline = Clock.now + seconds
    bootTime = Clock.sinceBoot + UInt64(seconds) * 1_000_000_000
  }

  var isOver: Bool { Clock.sinceBoot >= bootTime }
}

/// Who undoes what nobody confirmed, whatever becomes of the process that applied it.
enum Guard {
  /// Starts it: a timer of systemd where systemd runs and the namespace is its own, else a process that belongs to no session.
  static func start(_ pending: StateIndex.Pending, _ folder: StateFolder, within seconds: Int) throws {
    var own = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let length = readlink("/proc/self/exe", &own, Int(PATH_MAX))
    guard length > 0, let root = realpath(folder.root, nil) else {
      throw Refusal("\(SystemError(operation: "cannot start the guard that undoes what isn't confirmed", code: errno))")
    }
    defer { free(root) }
    let path = String(decoding: own.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let command = ["guard", "--state-dir", String(cString: root), "--table", folder.table, "--token", pending.token]
    if folder.namespace == NetworkNamespace.initial, access("/run/systemd/system", F_OK) == 0 {
      let timer = [
        "systemd-run", "--quiet", "--collect", "--unit=cordon-guard-\(pending.token)", "--on-active=\(seconds)s",
        "--timer-property=AccuracySec=100ms", "--description=Undo state \(pending.state) of table inet \(folder.table)", path,
      ]
      if let child = try? spawn(timer[0], timer + command, isDetached: false), wait(child) { return }
    }
    try startProcess("/proc/self/exe", ["cordon"] + command)
  }

  /// Starts a process of its own session, and waits until it says that it keeps watch.
  private static func startProcess(_ path: String, _ arguments: [String]) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError(operation: "cannot start the guard that undoes", code: errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    do {
      defer { close(ends[1]) }
      _ = try spawn(path, arguments, isDetached: true, output: ends[1])
    }
    var byte: UInt8 = 0
    while true {
      let count = read(ends[0], &byte, 1)
      if count == 1 { return }
      if count < 0 && errno == EINTR { continue }
      throw Refusal("the guard that undoes what isn't confirmed didn't start; nothing was changed")
    }
  }

  private static func spawn(
    _ path: String, _ arguments: [String], isDetached: Bool, output: Int32? = nil
  ) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for file in 0..<Int32(3) { posix_spawn_file_actions_addopen(&actions, file, "/dev/null", O_RDWR, 0) }
    if let output { posix_spawn_file_actions_adddup2(&actions, output, 1) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    let ownSession: Int16 = 0x80  // POSIX_SPAWN_SETSID
    if isDetached { posix_spawnattr_setflags(&attributes, ownSession) }
    let strings = arguments.map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    var child = pid_t()
    let code = posix_spawnp(&child, path, &actions, &attributes, strings, environ)
    if code != 0 { throw SystemError(operation: "cannot start \(path)", code: code) }
    return child
  }

  private static func wait(_ child: pid_t) -> Bool {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 { if errno != EINTR { return false } }
    return status == 0
  }
}

/// `cordon guard`, which nobody calls by hand: waits for the end of the time, and undoes what wasn't confirmed.
struct GuardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "guard", shouldDisplay: false)

  @OptionGroup var table: TableOptions
  @Option var token: String

  func run() throws {
    for number in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE] { signal(number, SIG_IGN) }
    // asked to end, as when the machine shuts down or a session is closed with all that it started, it undoes at once
    var ending = sigset_t()
    sigemptyset(&ending)
    sigaddset(&ending, SIGTERM)
    sigprocmask(SIG_BLOCK, &ending, nil)
    chdir("/")

    let folder = try Status.refusing { try table.folder() }
    var kernel = try Status.refusing { try Kernel() }
    // the one who waits for this goes on, and nothing of this is said to anybody else
    var ready: UInt8 = 0x0A
    write(1, &ready, 1)
    let nowhere = open("/dev/null", O_RDWR)
    dup2(nowhere, 1)

    var failures: UInt32 = 0
    while true {
      do {
        // confirmed, rolled back, or never applied: nothing to undo
        guard let pending = try StateStore.pending(folder), pending.token == token else { return }
        if try watch(pending, ending, folder, &kernel) { return }
      } catch {
        failures += 1
        log("cannot undo what isn't confirmed in table inet \(folder.table), and try again: \(error)")
        sleep(min(failures, 60))
      }
    }
  }

  /// Waits for a second, or for the end of the time and undoes.
  ///
  /// - Returns: whether there is nothing left to wait for.
  private func watch(
    _ pending: StateIndex.Pending, _ ending: sigset_t, _ folder: StateFolder, _ kernel: inout Kernel
  ) throws -> Bool {
    var ending = ending
    let now = Clock.sinceBoot
    let rest = pending.bootTime > now ? min(1_000_000_000, pending.bootTime - now) : 0
    var pause = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
    let isAsked = sigtimedwait(&ending, nil, &pause) == SIGTERM
    guard isAsked || pending.isOver else { return false }
    var store = try StateStore(folder, waiting: nil)
    guard try store.undo(token: token, isEarly: isAsked, &kernel) else { return false }
    if store.index?.undone?.state == pending.state {
      log("state \(pending.state) of table inet \(folder.table) wasn't confirmed, and was undone")
    }
    return true
  }

  private func log(_ text: String) {
    openlog("cordon", LOG_PID, LOG_DAEMON)
    text.withCString { text in withVaList([text]) { vsyslog(LOG_WARNING, "%s", $0) } }
    Terminal.error("\(text)\n")
  }
}
