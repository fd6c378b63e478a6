import Diagnostics

/// What can be wrong with keys and colons.
extension BlockParser {
  /// Reports a key, with `position` at its colon, that YAML parsers don't take or take differently.
  mutating func checkKey(_ key: Scalar) {
    let length = position - key.start
    if key.style == .plain, bytes[key.end - 1] == UInt8(ascii: ":") {
      reportQuoteAddress(key.start..<position + 1)
    } else if length > 1024 {
      reports.error(
        "key-too-long", "a key of \(length) bytes is too long", at: key.range, help: "a key and its colon fit in 1024 bytes")
    }
  }

  mutating func reportQuoteAddress(_ range: Range<Int>) {
    let text = excerpt(range)
    if looksLikeAddress(range) {
      reports.error(
        "quote-address", "YAML parsers differ about `\(text)` without quotes", at: range,
        help: "quote this address: `\"\(text)\"`")
    } else {
      reports.error(
        "quote-text", "YAML parsers differ about `\(text)` without quotes", at: range, help: "put it in double quotes")
    }
  }

  /// Whether a text can be (part of) an IPv6 address.
  private func looksLikeAddress(_ range: Range<Int>) -> Bool {
    var colons = 0
    for byte in bytes[range] {
      switch byte {
      case UInt8(ascii: ":"): colons += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "-"):
        break
      default: return false
      }
    }
    return colons >= 2
  }

  mutating func reportMissingSpace(at colon: Int) {
    reports.error(
      "missing-space", "there is no space behind the colon", at: colon..<colon + 1, help: "write `key: value`")
  }

  mutating func reportCommentSpace() {
    reports.error(
      "missing-space", "a comment needs a space in front of its `#`", at: position..<position + 1, help: "write ` #`")
  }

  mutating func reportComplexKey(_ range: Range<Int>) {
    reports.error(
      "complex-key", "a list or a mapping is used as a key", at: range.prefix(while: { !bytes[$0].isBreak }),
      help: "a key is a text: write `key: value`")
  }

  /// A text with nothing that makes it a key.
  mutating func reportMissingColon(behind scalar: Scalar) {
    let text = excerpt(scalar.range)
    if scalar.style != .plain, current == UInt8(ascii: ":") { return reportMissingSpace(at: position) }
    let colon = scalar.style == .plain ? bytes[scalar.range].firstIndex(of: UInt8(ascii: ":")) : nil
    if let colon, colon > scalar.start {
      reportMissingSpace(at: colon)
    } else {
      reports.error(
        "missing-colon", "`\(text)` stands where a key is expected, and has no colon", at: scalar.range,
        help: "write `key: value`; a text that goes on in a second line is not in the language")
    }
  }

  /// `position` is at the blanks and the colon behind a value.
  mutating func reportSecondColon(behind value: Range<Int>) {
    var colon = value.upperBound
    while bytes[colon].isBlank { colon += 1 }
    let whole = value.lowerBound..<colon + 1
    if isBreakOrComment(behind: colon + 1), looksLikeAddress(whole) {
      reportQuoteAddress(whole)
    } else {
      reports.error(
        "second-colon", "a second colon follows on one line", at: colon..<colon + 1,
        help: "put the value in quotes if the colon belongs to it; else begin a line of its own for `\(excerpt(value)):`")
    }
  }

  private func isBreakOrComment(behind offset: Int) -> Bool {
    var offset = offset
    while byte(offset).isBlank { offset += 1 }
    return byte(offset).isBreak || byte(offset) == UInt8(ascii: "#")
  }

  mutating func reportIndentation(expected: Int) {
    guard !hasTabs else { return }
    reports.error(
      "bad-indentation", "this line is indented by \(column), the entries that it seems to belong to by \(expected)",
      at: trimmed(position..<endOfLine),
      help: "indent it by \(expected), or further where it belongs under a key without a value")
  }

  mutating func reportMissingDash(dashColumn: Int) {
    let line = trimmed(position..<endOfLine)
    if column == dashColumn {
      reports.error(
        "missing-dash", "a list entry has no dash", at: line, help: "write `- ` in front of it")
    } else if !hasTabs {
      reports.error(
        "bad-indentation",
        "this line is indented by \(column), and belongs to no entry of the list, whose dashes stand at \(dashColumn)",
        at: line, help: "align it with the text behind the dash")
    }
  }
}
