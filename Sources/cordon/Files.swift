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
  /// Replaces the content of `path`; what isn't a regular file (a pipe, /dev/null) is written to as it is. A file that
  /// was there keeps its mode, and a symbolic link stays one.
  static func write(_ bytes: [UInt8], to path: String) throws(SystemError) {
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT != S_IFREG {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      if descriptor < 0 { throw SystemError(operation: "cannot write \(path)", code: errno) }
      defer { close(descriptor) }
      return try write(bytes, to: descriptor, called: path)
    }
    let target = exists ? resolved(path) : path
    var template = Array("\(target).XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if descriptor < 0 { throw SystemError(operation: "cannot write \(path)", code: errno) }
    do throws(SystemError) {
      defer { close(descriptor) }
      try write(bytes, to: descriptor, called: path)
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

  /// The file that a path leads to, through symbolic links.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }
}
