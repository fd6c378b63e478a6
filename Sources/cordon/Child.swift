import Glibc

/// This program, run once more in a process of its own: for what may end the process that does it.
enum Child {
  enum End {
    /// With what it wrote to standard output.
    case done([UInt8])
    /// With what it wrote to standard error.
    case failed([UInt8])
    /// It was ended by a signal.
    case lost(signal: Int32)
  }

  /// Runs the command with `arguments`, in the network namespace of the calling thread, to its end.
  static func run(_ arguments: [String]) throws(SystemError) -> End {
    let output = try pipe()
    let errors = try pipe()
    defer { for end in [output.read, errors.read] { close(end) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, output.write, 1)
    posix_spawn_file_actions_adddup2(&actions, errors.write, 2)
    // a lost child says nothing of its own: whoever started it does
    let argv = ["cordon"] + arguments
    let child = withCStrings(argv) { argv in
      withCStrings(environment + ["SWIFT_BACKTRACE=enable=no"]) { environment in
        var child = pid_t()
        let refused = posix_spawn(&child, "/proc/self/exe", &actions, nil, argv, environment)
        return refused == 0
          ? Result<pid_t, SystemError>.success(child)
          : .failure(SystemError(operation: "cannot start cordon anew", code: refused))
      }
    }
    posix_spawn_file_actions_destroy(&actions)
    for end in [output.write, errors.write] { close(end) }
    let process = try child.get()

    // what a child says of an error is less than a pipe holds, so it never waits for the second to be read
    let said = (output: read(output.read), errors: read(errors.read))
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    let signal = status & 0x7F
    if signal != 0 { return .lost(signal: signal) }
    return status == 0 ? .done(said.output) : .failed(said.errors)
  }

  private static func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    if Glibc.pipe(&ends) != 0 { throw SystemError(operation: "cannot make a pipe", code: errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func read(_ descriptor: Int32) -> [UInt8] {
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress!, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return result }
      result += buffer[..<count]
    }
  }

  private static var environment: [String] {
    var entries: [String] = []
    var at = environ
    while let entry = at.pointee {
      let text = String(cString: entry)
      if !text.hasPrefix("SWIFT_BACKTRACE=") { entries.append(text) }
      at += 1
    }
    return entries
  }

  private static func withCStrings<T>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T) -> T {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
  }
}
