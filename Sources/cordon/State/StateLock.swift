import Glibc

/// The right to change one table in one network namespace, for one process at a time: it ends with the process, however that ends.
struct StateLock: ~Copyable {
  private let file: Int32

  /// - Parameter seconds: how long to wait for another process that has it; nil waits as long as it takes.
  init(_ folder: StateFolder, waiting seconds: Int?) throws {
    let path = folder.path(of: "lock")
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    if file < 0 { throw StateFolder.unusable("lock \(path)", errno) }
    let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
    while flock(file, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      if errno != EWOULDBLOCK {
        let code = errno
        close(file)
        throw StateFolder.unusable("lock \(path)", code)
      }
      if let deadline, ContinuousClock.now >= deadline {
        let holder = StateLock.holder(file)
        close(file)
        throw Refusal(
          "another cordon\(holder.map { ", process \($0)," } ?? "") is changing table inet \(folder.table)\n"
            + "help: try again when it is done, or give --wait SECONDS to wait for it")
      }
      usleep(20_000)
    }
    ftruncate(file, 0)
    let text = "\(getpid())\n"
    pwrite(file, text, text.utf8.count, 0)  // for a message only
    self.file = file
  }

  deinit { close(file) }

  private static func holder(_ file: Int32) -> Int? {
    var text = [UInt8](repeating: 0, count: 16)
    let count = pread(file, &text, text.count, 0)
    return Int(String(decoding: text.prefix(max(0, count)).prefix { $0 != 0x0A }, as: UTF8.self))
  }
}
