import CLinux
import Glibc

/// A file in memory that can be opened by name.
struct MemoryFile: ~Copyable {
  private let file: Int32

  init(_ bytes: [UInt8]) throws(KernelError) {
    let file = memfd_create("cordon", MFD_CLOEXEC)
    if file < 0 { throw KernelError("make a file in memory", errno: errno) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + written, bytes.count - written) }
      guard count > 0 else {
        let number = count < 0 ? errno : ENOSPC
        close(file)
        throw KernelError("write a file in memory", errno: number)
      }
      written += count
    }
    self.file = file
  }

  deinit { close(file) }

  /// Its name as long as this value lives, in this process.
  var path: String { "/proc/self/fd/\(file)" }
}
