/// What no policy may hold, wherever it stands: bytes that aren't UTF-8, and characters that YAML forbids or that YAML parsers
/// take differently.
enum TextCheck {
  /// More findings than this, and it isn't a text at all.
  private static let patience = 10

  /// Reports each place; false if the file is no text and not worth parsing.
  static func check(_ bytes: UnsafeBufferPointer<UInt8>, into reports: inout SyntaxReports) -> Bool {
    var position = 0
    var findings = 0
    while position < bytes.count {
      if position + 8 <= bytes.count {
        let printable = printable(ofEightAt: position, in: bytes)
        position += printable
        if printable == 8 { continue }
      }
      let byte = bytes[position]
      if byte &- 0x20 < 0x5F || byte == 0x0A {
        position += 1
        continue
      }
      let (length, finding) = look(bytes, at: position)
      if let finding {
        findings += 1
        if findings <= patience { report(finding, at: position..<position + length, into: &reports) }
      }
      position += length
    }
    if findings > patience {
      reports.error(
        "not-a-text", "this file is no UTF-8 text: \(findings) of its characters can't stand in a policy", at: 0..<0,
        help: "check that this is a policy, saved as UTF-8")
    }
    return findings <= patience
  }

  /// How many of eight bytes are of 0x20 to 0x7E up to the first that isn't. (An overflow from one byte to the next happens only
  /// behind that one.)
  @inline(__always)
  private static func printable(ofEightAt position: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int {
    let word = UInt64(littleEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: position, as: UInt64.self))
    let unprintable = word | (word &+ 0x0101_0101_0101_0101) | (word &- 0x2020_2020_2020_2020)
    return (unprintable & 0x8080_8080_8080_8080).trailingZeroBitCount / 8
  }

  private enum Finding {
    case invalid
    case control(UInt32)
    case lineBreak(UInt32)
    case carriageReturn
    case byteOrderMark
  }

  private static func report(_ finding: Finding, at range: Range<Int>, into reports: inout SyntaxReports) {
    switch finding {
    case .invalid:
      reports.error("invalid-utf8", "these bytes are not UTF-8", at: range, help: "save the file as UTF-8")
    case .control(let value):
      reports.error(
        "control-character", "the control character U+\(hex(value)) can't stand in a policy", at: range,
        help: "remove it, or write it as `\\u\(hex(value))` in double quotes")
    case .lineBreak(let value):
      reports.error(
        "control-character", "the character U+\(hex(value)) is a line break to some YAML parsers only", at: range,
        help: "remove it, or write it as `\\u\(hex(value))` in double quotes")
    case .carriageReturn:
      reports.error(
        "control-character", "a carriage return without a line feed behind it", at: range,
        help: "end lines with a line feed, or with a carriage return and a line feed")
    case .byteOrderMark:
      reports.error(
        "control-character", "a byte order mark can stand at the beginning of a file only", at: range, help: "remove it")
    }
  }

  private static func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// The length of what stands at `position`, which is not printable ASCII, and what is wrong with it.
  private static func look(_ bytes: UnsafeBufferPointer<UInt8>, at position: Int) -> (length: Int, finding: Finding?) {
    let byte = bytes[position]
    switch byte {
    case 0x09: return (1, nil)
    case 0x0D: return (1, position + 1 < bytes.count && bytes[position + 1] == 0x0A ? nil : .carriageReturn)
    case 0..<0x80: return (1, .control(UInt32(byte)))
    default: break
    }
    guard let (value, length) = UTF8Text.scalar(bytes, at: position) else { return (1, .invalid) }
    switch value {
    case 0x85, 0x2028, 0x2029: return (length, .lineBreak(value))
    case 0x80..<0xA0, 0xFFFE, 0xFFFF: return (length, .control(value))
    case 0xFEFF: return (length, position == 0 ? nil : .byteOrderMark)
    default: return (length, nil)
    }
  }
}

/// Decoding of single characters.
enum UTF8Text {
  /// The Unicode scalar that begins at `position` and its length in bytes, or nil if there is none (overlong forms and
  /// surrogates are none).
  static func scalar(_ bytes: UnsafeBufferPointer<UInt8>, at position: Int) -> (value: UInt32, length: Int)? {
    let first = bytes[position]
    let length: Int
    let least: UInt32
    var value: UInt32
    switch first {
    case 0..<0x80: return (UInt32(first), 1)
    case 0xC2...0xDF: (length, least, value) = (2, 0x80, UInt32(first & 0x1F))
    case 0xE0...0xEF: (length, least, value) = (3, 0x800, UInt32(first & 0x0F))
    case 0xF0...0xF4: (length, least, value) = (4, 0x10000, UInt32(first & 0x07))
    default: return nil
    }
    guard position + length <= bytes.count else { return nil }
    for offset in 1..<length {
      let byte = bytes[position + offset]
      guard byte & 0xC0 == 0x80 else { return nil }
      value = value << 6 | UInt32(byte & 0x3F)
    }
    return value >= least && Unicode.Scalar(value) != nil ? (value, length) : nil
  }
}
