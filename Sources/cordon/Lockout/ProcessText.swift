/// What stands in /proc/PID/stat, as far as it matters here.
struct ProcessStatus: Equatable {
  var pid: Int32
  /// Of the program, at most 15 bytes.
  var name: String
  var parent: Int32
  /// The device number of the controlling terminal; 0 for none.
  var terminal: UInt64

  /// `812 (bash) S 790 812 812 34817 …`; a name may hold anything, parentheses and line ends too.
  init?(_ bytes: [UInt8]) {
    guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close
    else { return nil }
    let rest = String(decoding: bytes[(close + 1)...], as: UTF8.self).split { $0 == " " || $0 == "\n" }
    guard let pid = Int32(String(decoding: bytes[..<open], as: UTF8.self).prefix { $0 != " " }), rest.count > 4,
      let parent = Int32(rest[1]), let terminal = Int64(rest[4])
    else { return nil }
    self.pid = pid
    name = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
    self.parent = parent
    self.terminal = UInt64(bitPattern: terminal)
  }

  /// The name of the terminal below /dev, `pts/3` or `tty1`, where it is of such a kind.
  var terminalName: String? {
    // Source: proc(5) for the bits; Linux's devices.txt for the majors
    let major = terminal >> 8 & 0xFFF
    let minor = terminal & 0xFF | terminal >> 12 & 0xFFF00
    if (136...143).contains(major) { return "pts/\((major - 136) * 256 + minor)" }
    return major == 4 && minor < 64 ? "tty\(minor)" : nil
  }
}

/// What stands in /proc/PID/environ: the environment that a program began with.
enum EnvironmentText {
  /// The value of a variable, the first where it is there twice.
  static func value(_ name: String, in bytes: [UInt8]) -> String? {
    let front = Array("\(name)=".utf8)
    let entry = bytes.split(separator: 0).first { $0.starts(with: front) }
    return entry.map { String(decoding: $0.dropFirst(front.count), as: UTF8.self) }
  }
}
