import CLinux
import Glibc

/// A command under way, whose standard output is a pipe. It leads a process group of its own and is killed with that when this
/// value goes.
///
/// As long as nobody reads, the command stands still where it writes more than the pipe holds.
public final class RunningCommand {
  private let process: pid_t
  private let output: Int32
  private let errors: Int32
  private var isOver = false

  /// - Parameters:
  ///   - environment: added to the caller's own.
  ///   - pipeSize: how many bytes the pipe holds, at least one page; nil is what the system says.
  public init(
    _ arguments: [String], environment: [String: String] = [:], directory: String? = nil, pipeSize: Int32? = nil
  ) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Shell.Failure(description: "pipe2: \(Shell.errorText(errno))") }
    defer { close(ends[1]) }
    if let pipeSize { _ = fcntl(ends[1], F_SETPIPE_SZ, pipeSize) }
    let nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)
    defer { close(nothing) }
    let said = memfd_create("errors", MFD_CLOEXEC)
    let started = Result {
      try Shell.spawn(arguments, files: [nothing, ends[1], said], environment: environment, directory: directory)
    }
    if case .failure = started { for file in [ends[0], said] { close(file) } }
    process = try started.get()
    output = ends[0]
    errors = said
  }

  deinit {
    if !isOver {
      kill(-process, SIGKILL)
      var status: Int32 = 0
      waitpid(process, &status, 0)
    }
    close(output)
    close(errors)
  }

  /// Whether it has written something that nobody has read yet, or ended, within that time.
  public func hasWritten(within milliseconds: Int32 = 60_000) -> Bool {
    var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
    return poll(&waiting, 1, milliseconds) == 1
  }

  /// Reads what has been written so far.
  public func read() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = hasWritten(within: 0) ? Glibc.read(output, &bytes, bytes.count) : 0
    return Array(bytes.prefix(max(0, count)))
  }

  /// Sends a signal to all its processes.
  public func signal(_ number: Int32) { kill(-process, number) }

  /// Kills it, with all its processes, and waits until it is gone.
  public func kill9() {
    signal(SIGKILL)
    _ = end()
  }

  /// Reads all it writes, to its end.
  ///
  /// - Returns: what became of it, and the processor time that it and its children took, in seconds.
  /// - Throws: `Shell.Failure` where it doesn't end in time.
  public func finish(timeout: Duration = .seconds(120)) throws -> (output: Shell.Output, seconds: Double) {
    let deadline = ContinuousClock.now + timeout
    var written: [UInt8] = []
    while true {
      guard hasWritten(within: 100) else {
        if ContinuousClock.now > deadline { throw Shell.Failure(description: "no end after \(timeout)") }
        continue
      }
      let bytes = read()
      if bytes.isEmpty { break }
      written += bytes
    }
    let (status, seconds) = end()
    return (Shell.Output(status: status, stdoutBytes: written, stderrBytes: Shell.readAll(errors)), seconds)
  }

  private func end() -> (status: Int32, seconds: Double) {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0 && errno == EINTR {}
    isOver = true
    let times = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }
    return (Shell.status(status), times[0] + times[1])
  }
}
