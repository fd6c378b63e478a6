/// Why a scalar is not what its place asks for: the data of a diagnostic without its place in a file.
struct ScalarProblem: Hashable {
  var code: DiagnosticCode
  var message: String
  /// What to write instead.
  var help: String?

  init(_ code: DiagnosticCode, _ message: String, help: String? = nil) {
    self.code = code
    self.message = message
    self.help = help
  }
}

/// Bytes of one scalar, quotes and escapes aside.
typealias ScalarBytes = UnsafeBufferPointer<UInt8>

extension UnsafeBufferPointer<UInt8> {
  var string: String { String(decoding: self, as: UTF8.self) }

  /// A part of the scalar.
  func part(_ range: Range<Int>) -> ScalarBytes { ScalarBytes(rebasing: self[range]) }

  func equals(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
  }

  var isDigits: Bool { !isEmpty && allSatisfy(\.isDigit) }
}

extension UInt8 {
  var isDigit: Bool { 0x30 <= self && self <= 0x39 }
  var isLetter: Bool { 0x61 <= self | 0x20 && self | 0x20 <= 0x7A }
  /// A digit of a hexadecimal number.
  var isHexDigit: Bool { isDigit || (0x61 <= self | 0x20 && self | 0x20 <= 0x66) }
}

/// Text of a policy as a message shows it: on one line, not longer than a name may be, without control characters.
func quoted(_ bytes: ScalarBytes) -> String { quoted(bytes.part(0..<min(bytes.count, 300)).string) }

/// The same of a string; of one that is longer than `limit` characters, the beginning.
func quoted(_ text: String, limit: Int = 64) -> String {
  var shown = ""
  for (count, character) in text.unicodeScalars.enumerated() {
    if count == limit {
      shown += "…"
      break
    }
    let isControl = character.properties.generalCategory == .control || character.properties.generalCategory == .format
    shown.unicodeScalars.append(isControl ? "\u{FFFD}" : character)
  }
  return "`\(shown)`"
}
