import Glibc

/// Standard output and standard error.
enum Terminal {
  /// Makes sure that no file that is opened later takes the place of a standard one that is closed. What stands there instead
  /// refuses to be read or written, as what is closed does.
  static func reserve() {
    for (descriptor, access) in [(Int32(0), O_WRONLY), (1, O_RDONLY), (2, O_RDONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
      // the lowest free number is this one: those below are taken
      _ = open("/dev/null", access)
    }
  }

  /// The product of a command: nothing else goes there.
  static func output(_ bytes: [UInt8]) throws(SystemError) {
    try Files.write(bytes, to: 1, called: "standard output")
  }

  static func output(_ text: String) throws(SystemError) { try output(Array(text.utf8)) }

  /// A sentence for people, with names and words from outside in it: nothing in those reaches a terminal as a control.
  static func say(_ words: String) { error(safe(words)) }

  /// Words without controls, line ends and tabs aside.
  static func safe(_ words: String) -> String {
    var text = ""
    for scalar in words.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
      text.unicodeScalars.append(isControl && scalar != "\n" && scalar != "\t" ? "\u{FFFD}" : scalar)
    }
    return text
  }

  /// Everything else. What can't be written there is lost: there is nowhere to say so.
  static func error(_ text: String) { try? Files.write(Array(text.utf8), to: 2, called: "standard error") }

  /// Colour is for people: only on a terminal, and not where NO_COLOR is set to anything.
  static func showsColor(on descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1 else { return false }
    guard let value = getenv("NO_COLOR") else { return true }
    return value.pointee == 0
  }
}
