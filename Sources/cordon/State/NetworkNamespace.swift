import Glibc

/// Which network namespace the process stands in, by a name that finds its state again.
enum NetworkNamespace {
  /// That of the machine's or container's first process: it has its state again after a reboot.
  static let initial = "initial"

  /// `initial`, or the boot and the namespace's cookie, a number that no other namespace gets until the machine starts anew. (The
  /// inode of a namespace that is gone goes to the next one; before Linux 5.14 there is nothing better.)
  static func name() throws(SystemError) -> String {
    let own = try identity("/proc/thread-self/ns/net")
    let cookie = cookie()
    // the kernel gives the first cookie to the namespace that it makes at boot; a container's first process isn't there
    if cookie == 1 { return initial }
    do throws(SystemError) {
      if own == (try identity("/proc/1/ns/net")) { return initial }
    } catch {
      // where the first process isn't ours to look at, it isn't a container's
      if error.code != EACCES && error.code != EPERM { throw error }
    }
    return "\(try boot())-\(cookie ?? own.inode)"
  }

  /// A number that this namespace has and no other one of this boot; also one that is called `initial` may follow another, as where
  /// a container is started anew.
  static func number() throws(SystemError) -> UInt64 {
    if let cookie = cookie() { return cookie }
    return try identity("/proc/thread-self/ns/net").inode
  }

  /// The number of this boot.
  static func boot() throws(SystemError) -> String {
    String(decoding: try Files.read("/proc/sys/kernel/random/boot_id").prefix { $0 != 0x0A }, as: UTF8.self)
  }

  /// Two are equal where it is the same namespace, as long as it lives.
  struct Identity: Hashable {
    var device, inode: UInt64
  }

  /// Of the namespace that such a file as /proc/812/ns/net leads to.
  static func identity(_ path: String) throws(SystemError) -> Identity {
    var status = stat()
    if stat(path, &status) != 0 { throw SystemError(operation: "cannot tell the network namespace by \(path)", code: errno) }
    return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  private static func cookie() -> UInt64? {
    let file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if file < 0 { return nil }
    defer { close(file) }
    var value: UInt64 = 0
    var size = socklen_t(MemoryLayout<UInt64>.size)
    let cookieOption: Int32 = 71  // SO_NETNS_COOKIE
    return getsockopt(file, SOL_SOCKET, cookieOption, &value, &size) == 0 ? value : nil
  }
}
