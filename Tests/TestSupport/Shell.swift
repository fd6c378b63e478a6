import CLinux
import Glibc

/// Runs commands: no shell is between, so nothing is quoted.
public enum Shell {
  /// What became of a command.
  public struct Output: Sendable {
    /// The exit status, or 128 and the signal's number, as shells report it.
    public var status: Int32
    public var stdoutBytes: [UInt8]
    public var stderrBytes: [UInt8]

    public var stdout: String { String(decoding: stdoutBytes, as: UTF8.self) }
    public var stderr: String { String(decoding: stderrBytes, as: UTF8.self) }
  }

  /// A command that couldn't be run to its end.
  public struct Failure: Error, CustomStringConvertible {
    public var description: String
  }

  /// Runs `arguments[0]`, looked for in PATH, to its end and returns all it wrote.
  ///
  /// The command's files are in memory, not pipes: no output is too long and no child left behind can keep it waiting.
  /// It runs in the calling thread's network namespace.
  ///
  /// - Parameters:
  ///   - environment: added to the caller's own.
  ///   - directory: where it runs; nil is where the caller does.
  /// - Throws: `Failure` where it can't be started, or doesn't end in time: then it is killed with all its children.
  public static func run(
    _ arguments: [String], stdin: [UInt8] = [], environment: [String: String] = [:], directory: String? = nil,
    timeout: Duration = .seconds(120)
  ) throws -> Output {
    let files = (0..<3).map { memfd_create("shell-\($0)", MFD_CLOEXEC) }
    defer { for file in files where file >= 0 { close(file) } }
    guard files.allSatisfy({ $0 >= 0 }) else { throw Failure(description: "memfd_create: \(errorText(errno))") }
    try writeAll(stdin, to: files[0])
    lseek(files[0], 0, SEEK_SET)

    let child = try spawn(arguments, files: files, environment: environment, directory: directory)
    guard let status = wait(for: child, timeout: timeout) else {
      let said = String(decoding: readAll(files[2]), as: UTF8.self)
      throw Failure(description: "no end after \(timeout): \(arguments.joined(separator: " "))\n\(said)")
    }
    return Output(status: status, stdoutBytes: readAll(files[1]), stderrBytes: readAll(files[2]))
  }

  public static func run(
    _ arguments: [String], stdin: String, environment: [String: String] = [:], directory: String? = nil,
    timeout: Duration = .seconds(120)
  ) throws -> Output {
    try run(arguments, stdin: Array(stdin.utf8), environment: environment, directory: directory, timeout: timeout)
  }

  /// `strerror`, of a copy: the C function's buffer is shared between threads.
  static func errorText(_ number: Int32) -> String {
    var text = [CChar](repeating: 0, count: 256)
    guard strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: - The child

  static func spawn(
    _ arguments: [String], files: [Int32], environment: [String: String], directory: String?
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, file) in files.enumerated() { posix_spawn_file_actions_adddup2(&actions, file, Int32(number)) }
    if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }

    // a process group of its own, so that a command that takes too long is killed with its children
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))

    let argv = arguments.map { strdup($0) } + [nil]
    let envp = mergedEnvironment(environment).map { strdup($0) } + [nil]
    defer { for string in argv + envp { free(string) } }
    var child = pid_t()
    let refused = posix_spawnp(&child, arguments[0], &actions, &attributes, argv, envp)
    guard refused == 0 else { throw Failure(description: "\(arguments[0]): \(errorText(refused))") }
    return child
  }

  private static func mergedEnvironment(_ added: [String: String]) -> [String] {
    var entries: [String] = []
    var at = environ
    while let entry = at.pointee {
      let text = String(cString: entry)
      if added[String(text.prefix { $0 != "=" })] == nil { entries.append(text) }
      at += 1
    }
    return entries + added.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }

  /// The exit status, or nil where the child had to be killed.
  private static func wait(for child: pid_t, timeout: Duration) -> Int32? {
    let deadline = ContinuousClock.now + timeout
    var status: Int32 = 0
    var pause: UInt32 = 200
    while waitpid(child, &status, WNOHANG) == 0 {
      if ContinuousClock.now > deadline {
        kill(-child, SIGKILL)
        waitpid(child, &status, 0)
        return nil
      }
      usleep(pause)
      pause = min(pause * 2, 5_000)
    }
    return self.status(status)
  }

  /// What `waitpid` says, as shells report it.
  static func status(_ status: Int32) -> Int32 {
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }

  // MARK: - Its files

  private static func writeAll(_ bytes: [UInt8], to file: Int32) throws {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + written, bytes.count - written) }
      guard count > 0 else { throw Failure(description: "write: \(errorText(errno))") }
      written += count
    }
  }

  static func readAll(_ file: Int32) -> [UInt8] {
    let size = Int(lseek(file, 0, SEEK_END))
    guard size > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = max(0, pread(file, buffer.baseAddress, size, 0))
    }
  }
}
