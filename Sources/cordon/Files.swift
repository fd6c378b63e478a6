import Glibc

/// What the system said when a file couldn't be read or written.
struct SystemError: Error, CustomStringConvertible {
  var operation: String
  var code: Int32

  var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// Files, read and written whole: who reads one that is being written sees the old content or the new, never a part, whenever
/// the process dies.
enum Files {
  /// Replaces the content of `path`; what isn't a regular file with a path (a pipe, /dev/null) is written to as it is. A file that
  /// was there keeps its mode and owner, and a symbolic link stays one.
  static func write(_ bytes: [UInt8], to path: String) throws(SystemError) {
    var status = stat()
    let exists = stat(path, &status) == 0
    let target = resolved(path)
    if exists, status.st_mode & S_IFMT != S_IFREG || !isFile(status, target) {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC)
      if descriptor < 0 { throw SystemError(operation: "cannot write \(path)", code: errno) }
      defer { close(descriptor) }
      return try write(bytes, to: descriptor, called: path)
    }
    var template = Array("\(target).XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if descriptor < 0 { throw SystemError(operation: "cannot write \(path)", code: errno) }
    do throws(SystemError) {
      defer { close(descriptor) }
      try write(bytes, to: descriptor, called: path)
      // only root may give it to another owner: for others it stays their own
      if exists { _ = fchown(descriptor, status.st_uid, status.st_gid) }
      let mask = umask(0)
      umask(mask)
      let mode = exists ? status.st_mode & 0o7777 : 0o666 & ~mask
      if fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 {
        throw SystemError(operation: "cannot write \(path)", code: errno)
      }
    } catch {
      unlink(temporary)
      throw error
    }
    if rename(temporary, target) != 0 {
      let code = errno
      unlink(temporary)
      throw SystemError(operation: "cannot write \(path)", code: code)
    }
  }

  /// All bytes of a file.
  static func read(_ path: String) throws(SystemError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw SystemError(operation: "cannot read \(path)", code: errno) }
    defer { close(descriptor) }
    return try read(descriptor: descriptor, called: path)
  }

  /// All bytes of an open file.
  static func read(descriptor: Int32, called name: String) throws(SystemError) -> [UInt8] {
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress!, $0.count) }
      if count == 0 { return result }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError(operation: "cannot read \(name)", code: errno)
      }
      result += buffer[..<count]
    }
  }

  /// Writes all of `bytes` to an open file.
  static func write(_ bytes: [UInt8], to descriptor: Int32, called name: String) throws(SystemError) {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + offset, $0.count - offset) }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError(operation: "cannot write \(name)", code: errno)
      }
      offset += count
    }
  }

  /// Whether that file is the one at `path`; /dev/stdout may lead to one that no path does.
  private static func isFile(_ file: stat, _ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_dev == file.st_dev && status.st_ino == file.st_ino
  }

  /// The file that a path leads to, through symbolic links; it need not be there yet.
  private static func resolved(_ path: String) -> String {
    if let real = realpath(path, nil) {
      defer { free(real) }
      return String(cString: real)
    }
    var target = path
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // the kernel follows no more than 40 links either
    for _ in 0..<40 {
      let count = buffer.withUnsafeMutableBytes {
        readlink(target, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
      }
      if count < 0 { break }
      let link = String(decoding: buffer[..<count], as: UTF8.self)
      let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
      target = link.hasPrefix("/") ? link : folder + link
    }
    return target
  }
}
