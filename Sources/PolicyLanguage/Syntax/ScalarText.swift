/// The values of quoted scalars.
enum ScalarText {
  /// The value of what stands between the quotes; an escape that isn't one (reported by the parser) gives nothing.
  static func decode(_ quoted: ArraySlice<UInt8>, style: SyntaxTree.Node.Style) -> [UInt8] {
    var value: [UInt8] = []
    value.reserveCapacity(quoted.count)
    var rest = quoted
    while let byte = rest.popFirst() {
      switch style {
      case .plain: value.append(byte)
      case .singleQuoted:
        value.append(byte)
        if byte == UInt8(ascii: "'") { rest = rest.dropFirst() }
      case .doubleQuoted:
        guard byte == UInt8(ascii: "\\") else {
          value.append(byte)
          continue
        }
        guard let escape = escape(rest) else { continue }
        rest = rest.dropFirst(escape.length)
        value.append(contentsOf: Array(String(Character(escape.value)).utf8))
      }
    }
    return value
  }

  /// The character that the escape at the beginning of `rest` (behind the backslash) stands for, and the escape's length;
  /// nil if it is none of YAML's (YAML 1.2.2, section 5.7).
  static func escape(_ rest: ArraySlice<UInt8>) -> (value: Unicode.Scalar, length: Int)? {
    guard let kind = rest.first else { return nil }
    if let value = named(kind) { return (Unicode.Scalar(value), 1) }
    let digits: Int
    switch kind {
    case UInt8(ascii: "x"): digits = 2
    case UInt8(ascii: "u"): digits = 4
    case UInt8(ascii: "U"): digits = 8
    case UInt8(ascii: "L"): return ("\u{2028}", 1)
    case UInt8(ascii: "P"): return ("\u{2029}", 1)
    default: return nil
    }
    let code = rest.dropFirst().prefix(digits)
    guard code.count == digits else { return nil }
    var value: UInt32 = 0
    for byte in code {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return Unicode.Scalar(value).map { ($0, 1 + digits) }
  }

  private static func named(_ kind: UInt8) -> UInt8? {
    switch kind {
    case UInt8(ascii: "0"): 0x00
    case UInt8(ascii: "a"): 0x07
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "t"), 0x09: 0x09
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "v"): 0x0B
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "e"): 0x1B
    case UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "\\"): kind
    case UInt8(ascii: "N"): 0x85
    case UInt8(ascii: "_"): 0xA0
    default: nil
    }
  }
}
