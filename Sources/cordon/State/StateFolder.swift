import Glibc
import NftablesKernel

/// The folder that keeps what was applied to one table in one network namespace: `STATE-DIR/NAMESPACE/TABLE`.
///
/// It belongs to root alone; what somebody else could have written is refused, for it would be loaded into the kernel.
struct StateFolder {
  let path: String
  let table: String
  let namespace: String

  /// - Parameter root: the state directory.
  init(root: String, table: String) throws(SystemError) {
    namespace = try NetworkNamespace.name()
    self.table = table
    levels = [root, "\(root)/\(namespace)", "\(root)/\(namespace)/\(table.replacing("/", with: ","))"]
    path = levels[2]
  }

  /// From the state directory down.
  private let levels: [String]
  var root: String { levels[0] }

  /// Makes what is missing.
  func make() throws {
    for level in levels where mkdir(level, 0o700) != 0 && errno != EEXIST {
      throw StateFolder.unusable("make \(level)", errno)
    }
    try checkPrivacy()
  }

  /// Whether anything was ever kept here.
  func exists() throws -> Bool {
    var status = stat()
    if stat(path, &status) != 0 {
      if errno == ENOENT || errno == ENOTDIR { return false }
      throw StateFolder.unusable("look into \(path)", errno)
    }
    try checkPrivacy()
    return true
  }

  private func checkPrivacy() throws {
    for level in levels {
      var status = stat()
      if stat(level, &status) != 0 { throw StateFolder.unusable("look into \(level)", errno) }
      try StateFolder.checkPrivacy(level, status, isFolder: true)
    }
  }

  private static func checkPrivacy(_ path: String, _ status: stat, isFolder: Bool) throws {
    guard status.st_mode & S_IFMT == (isFolder ? S_IFDIR : S_IFREG) else {
      throw Refusal("\(path) is no \(isFolder ? "folder" : "file")\nhelp: name another folder with --state-dir")
    }
    if status.st_uid != 0 && status.st_uid != geteuid() || status.st_mode & 0o022 != 0 {
      throw Refusal(
        "\(path) can be written by others than root, and what is in it would be loaded into the kernel\n"
          + "help: look at what is in it, then chown it to root and chmod it to \(isFolder ? "700" : "600")")
    }
  }

  // MARK: - Files

  func path(of name: String) -> String { "\(path)/\(name)" }

  /// The content of a file, or nil where there is none.
  func read(_ name: String) throws -> [UInt8]? {
    let path = path(of: name)
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if file < 0 {
      if errno == ENOENT { return nil }
      throw StateFolder.unusable("read \(path)", errno)
    }
    defer { close(file) }
    var status = stat()
    if fstat(file, &status) != 0 { throw StateFolder.unusable("read \(path)", errno) }
    try StateFolder.checkPrivacy(path, status, isFolder: false)
    return try Files.read(descriptor: file, called: path)
  }

  /// Makes or replaces a file, which is on the disk when this returns: whoever reads it, and whenever the machine dies, it is the
  /// old one or the new one.
  func write(_ bytes: [UInt8], to name: String) throws {
    let temporary = path(of: "\(name).tmp")
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    if file < 0 { throw StateFolder.unusable("write \(temporary)", errno) }
    do {
      defer { close(file) }
      do throws(SystemError) {
        try Files.write(bytes, to: file, called: temporary)
      } catch {
        throw StateFolder.unusable("write \(temporary)", error.code)
      }
      if fsync(file) != 0 { throw StateFolder.unusable("write \(temporary)", errno) }
    } catch {
      unlink(temporary)
      throw error
    }
    try rename("\(name).tmp", to: name)
  }

  /// A file without a name, which goes with the process if it never gets one.
  final class UnnamedFile: Sendable {
    fileprivate let descriptor: Int32
    fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }
  }

  /// Writes a file before it is sure that there will be one; nil where that can't be done here.
  func writeUnnamed(_ bytes: [UInt8]) -> UnnamedFile? {
    // O_TMPFILE, which Swift's Glibc doesn't have
    let descriptor = open(path, 0o20_000_000 | O_DIRECTORY | O_WRONLY | O_CLOEXEC, 0o600)
    if descriptor < 0 { return nil }
    let file = UnnamedFile(descriptor)
    do throws(SystemError) { try Files.write(bytes, to: descriptor, called: path) } catch { return nil }
    return fsync(descriptor) == 0 ? file : nil
  }

  /// Makes or replaces a file, as `write` does, by one that was written before.
  ///
  /// - Returns: false where that can't be done here.
  func link(_ file: UnnamedFile, as name: String) throws -> Bool {
    // a link takes the place of no other file, as a rename does
    let temporary = path(of: "\(name).tmp")
    unlink(temporary)
    if linkat(AT_FDCWD, "/proc/self/fd/\(file.descriptor)", AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) != 0 { return false }
    try rename("\(name).tmp", to: name)
    return true
  }

  func rename(_ old: String, to new: String) throws {
    if Glibc.rename(path(of: old), path(of: new)) != 0 { throw StateFolder.unusable("write \(path(of: new))", errno) }
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder < 0 { throw StateFolder.unusable("write \(path)", errno) }
    defer { close(folder) }
    if fsync(folder) != 0 { throw StateFolder.unusable("write \(path)", errno) }
  }

  /// What can't be removed stays: nobody reads it.
  func remove(_ name: String) { unlink(path(of: name)) }

  static func unusable(_ operation: String, _ code: Int32) -> Refusal {
    let help =
      switch code {
      case ENOSPC, EDQUOT: "make room there, or name a folder elsewhere with --state-dir"
      case EROFS: "make the file system writable, or name a folder elsewhere with --state-dir"
      case EACCES, EPERM: "run it as root"
      default: "name another folder with --state-dir"
      }
    return Refusal(
      "cannot \(operation), where cordon keeps what was applied: \(String(cString: strerror(code)))\nhelp: \(help)")
  }
}
