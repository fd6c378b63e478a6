import CLinux
import Glibc

/// A network namespace with nothing in it but a loopback that is down, known to this value only: it is gone when this is, or
/// when the process ends, however it ends.
public struct PrivateNamespace: ~Copyable {
  /// An open file of the namespace: it keeps the namespace alive.
  private let file: Int32

  /// - Throws: `KernelError` without the right to make one and to come back (CAP_SYS_ADMIN).
  public init() throws(KernelError) {
    let operation = "make a private network namespace"
    let home = PrivateNamespace.openCurrent()
    guard home >= 0 else { throw KernelError(operation, errno: errno) }
    defer { close(home) }
    // going where one is already takes the same right as coming back
    guard setns(home, CLONE_NEWNET) == 0, unshare(CLONE_NEWNET) == 0 else { throw KernelError(operation, errno: errno) }
    let file = PrivateNamespace.openCurrent()
    let number = errno
    PrivateNamespace.enter(home)
    guard file >= 0 else { throw KernelError(operation, errno: number) }
    self.file = file
  }

  deinit { close(file) }

  /// The namespace's name to other programs, such as `ip link add … netns PATH`, as long as this value lives.
  public var path: String { "/proc/\(getpid())/fd/\(file)" }

  /// Calls `body` with the calling thread moved into the namespace, and moves it back; no other thread is moved.
  ///
  /// What `body` opens stays in the namespace: sockets, a `Kernel`, and the processes it starts.
  public borrowing func run<T: ~Copyable, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    let home = PrivateNamespace.openCurrent()
    precondition(home >= 0, "a thread has a namespace and /proc shows it")
    PrivateNamespace.enter(file)
    defer {
      PrivateNamespace.enter(home)
      close(home)
    }
    return try body()
  }

  /// What a ruleset comes to: loads `text` where there is nothing else, and lists one table.
  ///
  /// - Returns: JSON as of `Kernel.list`, or nil where the text makes no such table.
  public static func list(text: [UInt8], table: String) throws(KernelError) -> [UInt8]? {
    try PrivateNamespace().run { () throws(KernelError) -> [UInt8]? in
      var kernel = try Kernel()
      try kernel.apply(text)
      return try kernel.list(table: table)
    }
  }

  private static func openCurrent() -> Int32 { open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) }

  /// Moves the calling thread, or ends the process: what comes next was meant for there and for nowhere else.
  private static func enter(_ file: Int32) {
    precondition(setns(file, CLONE_NEWNET) == 0, "a namespace that was left can be entered again")
  }
}
