import Glibc

/// Standard output and standard error.
enum Terminal {
  /// The product of a command: nothing else goes there.
  static func output(_ bytes: [UInt8]) throws(SystemError) {
    try Files.write(bytes, to: 1, called: "standard output")
  }

  static func output(_ text: String) throws(SystemError) { try output(Array(text.utf8)) }

  /// Everything else. What can't be written there is lost: there is nowhere to say so.
  static func error(_ text: String) { try? Files.write(Array(text.utf8), to: 2, called: "standard error") }

  /// Colour is for people: only on a terminal, and not where NO_COLOR is set to anything.
  static func showsColor(on descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1 else { return false }
    guard let value = getenv("NO_COLOR") else { return true }
    return value.pointee == 0
  }
}
