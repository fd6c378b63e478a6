/// Text from outside made safe to print: nothing in it moves the cursor, colours the terminal or turns the text around.
enum SafeText {
  /// A text on one line, unprintable characters replaced.
  static func line(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars { result.unicodeScalars.append(printable(scalar)) }
    return result
  }

  /// The scalar itself, or what stands for it: a control picture for a control character, U+FFFD for anything else that isn't
  /// seen or turns text around.
  static func printable(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value)!
    case 0x7F: "\u{2421}"
    default: isHidden(scalar) ? "\u{FFFD}" : scalar
    }
  }

  /// Whether a scalar is a control or format character, or no character at all.
  static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
    default: false
    }
  }

  /// How many columns of a terminal a printable scalar takes.
  static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0x20..<0x300: return 1
    // East Asian wide and fullwidth characters, and pictures (Unicode Standard Annex 11).
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60,
      0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: break
    }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    default: return 1
    }
  }
}
