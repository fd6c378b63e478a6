import Diagnostics

/// A scalar that has been read and is not yet in the tree.
struct Scalar {
  var start: Int
  var end: Int
  var style = SyntaxTree.Node.Style.plain
  var hasEscapes = false
  var isBroken = false

  var range: Range<Int> { start..<end }
}

/// What a node begins with.
enum Lead {
  case scalar
  /// A bracket.
  case collection
  /// An error without a value.
  case nothing
  /// The value begins on a line below, behind something that was reported.
  case elsewhere
}

/// Scalars, and what can't begin one.
extension BlockParser {
  /// Looks at a block node's first character, and reports and skips what is not in the language in front of it.
  mutating func lead(inside indent: Int) -> Lead {
    while current == UInt8(ascii: "&") || current == UInt8(ascii: "!") {
      reportProperty()
      skipBlanks()
      if current.isBreak || current == UInt8(ascii: "#") {
        if peekBelow({ $0.column > indent }) {
          finishLine()
          return .elsewhere
        }
        return .nothing
      }
    }
    if current == UInt8(ascii: "[") || current == UInt8(ascii: "{") { return .collection }
    return canBegin() ? .scalar : .nothing
  }

  /// Whether a scalar can begin here; reports what stands here if not.
  @inline(__always)
  mutating func canBegin() -> Bool {
    switch current {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: isNoIndicator()
    }
  }

  private mutating func isNoIndicator() -> Bool {
    switch current {
    case UInt8(ascii: "&"), UInt8(ascii: "!"):
      reportProperty()
      return false
    case UInt8(ascii: "*"):
      reports.error(
        "alias", "aliases such as `\(excerpt(word))` are not in the language", at: word,
        help: "write the value out; a named prefix list, service or group serves in several places")
    case UInt8(ascii: "|"), UInt8(ascii: ">"):
      reports.error(
        "block-scalar", "texts over several lines (`\(excerpt(word))`) are not in the language", at: word,
        help: "write the text on one line, in quotes if it begins with a special character")
    case UInt8(ascii: "%") where position == lineStart:
      let line = trimmed(position..<endOfLine)
      reports.error(
        "directive", "directives such as `\(excerpt(line))` are not in the language", at: line, help: "remove this line")
    case UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"):
      reports.error(
        "reserved-character", "a text can't begin with `\(Character(Unicode.Scalar(current)))` unless it is quoted", at: word,
        help: "put it in double quotes")
    case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"):
      reports.error(
        "unexpected-bracket", "`\(Character(Unicode.Scalar(current)))` stands where no list or mapping is open",
        at: position..<position + 1, help: "remove it, or quote the text")
    case UInt8(ascii: "?") where isBlankOrBreak(position + 1):
      reports.error(
        "complex-key", "keys behind `?` are not in the language", at: position..<position + 1, help: "write `key: value`")
    case UInt8(ascii: ":") where isBlankOrBreak(position + 1):
      reports.error(
        "missing-key", "there is no key in front of the colon", at: position..<position + 1, help: "write `key: value`")
    default: return true
    }
    return false
  }

  /// Reports and skips an anchor or a tag.
  mutating func reportProperty() {
    let word = self.word
    if current == UInt8(ascii: "&") {
      reports.error(
        "anchor", "anchors such as `\(excerpt(word))` are not in the language", at: word,
        help: "remove it; a named prefix list, service or group serves in several places")
    } else {
      reports.error(
        "tag", "tags such as `\(excerpt(word))` are not in the language", at: word,
        help: "remove it, or put the text in quotes; every value is text")
    }
    position = word.upperBound
  }

  /// To the next blank, or to what ends an entry of a flow collection.
  private var word: Range<Int> {
    var end = position
    while !byte(end).isBlankOrBreak, flowDepth == 0 || !byte(end).isFlowIndicator { end += 1 }
    return position..<max(end, position + 1)
  }

  // MARK: - Scanning

  /// Reads a scalar of block style; nil if there is none after all, which was reported.
  mutating func scanScalar() -> Scalar? {
    if current == UInt8(ascii: "\"") || current == UInt8(ascii: "'") { return scanQuoted(inFlow: false) }
    return scanPlain()
  }

  /// Reads a plain scalar of block style up to a colon or a comment, or the end of the line.
  private mutating func scanPlain() -> Scalar {
    let start = position
    position = endOfPlain(from: start)
    return Scalar(start: start, end: trimmed(start..<position).upperBound)
  }

  /// Where a plain scalar of block style ends, blanks at its end included.
  @inline(__always)
  private func endOfPlain(from start: Int) -> Int {
    var end = start
    while end < text.count {
      end += WordScan.countInBlock(text, from: end)
      switch byte(end) {
      case .lineFeed, .carriageReturn: return end
      case UInt8(ascii: ":") where isBlankOrBreak(end + 1): return end
      case UInt8(ascii: "#") where end > start && text[end - 1].isBlank: return end
      default: end += 1
      }
    }
    return end
  }

  /// Reads a quoted scalar. One that isn't closed on its line is reported and is broken.
  mutating func scanQuoted(inFlow: Bool) -> Scalar? {
    let start = position
    let quote = current
    var scalar = Scalar(start: start, end: start, style: quote == UInt8(ascii: "'") ? .singleQuoted : .doubleQuoted)
    var end = start + 1
    while end < text.count, !bytes[end].isBreak {
      if bytes[end] == quote {
        if scalar.style == .doubleQuoted || byte(end + 1) != quote {
          position = end + 1
          scalar.end = position
          return scalar
        }
        scalar.hasEscapes = true
        end += 2
      } else if scalar.style == .doubleQuoted, bytes[end] == UInt8(ascii: "\\") {
        scalar.hasEscapes = true
        guard let escape = ScalarText.escape(bytes[(end + 1)..<min(end + 10, text.count)]) else {
          if isBreak(end + 1) { return unclosedQuote(from: start, to: end + 1, inFlow: inFlow) }
          reportEscape(at: end)
          scalar.isBroken = true
          end += 2
          continue
        }
        end += 1 + escape.length
      } else {
        end += 1
      }
    }
    return unclosedQuote(from: start, to: end, inFlow: inFlow)
  }

  private mutating func reportEscape(at offset: Int) {
    var end = offset + 2
    while end < text.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
    reports.error(
      "bad-escape", "`\(excerpt(offset..<end))` is not an escape, or lacks digits", at: offset..<end,
      help: "write `\\\\` for a backslash, `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN` for a character")
  }

  private mutating func unclosedQuote(from start: Int, to endOfLine: Int, inFlow: Bool) -> Scalar? {
    let range = trimmed(start..<endOfLine)
    let quote = bytes[start] == UInt8(ascii: "'") ? "'" : "\""
    reports.error(
      "unclosed-quote", "a quote is not closed on its line", at: range,
      help: "write `\(quote)` at the end of the text; in double quotes `\\n` is a line break")
    position = range.upperBound
    if inFlow {
      // Brackets and commas at the end of the line are probably the collection's.
      while position > start + 1, bytes[position - 1].isFlowIndicator { position -= 1 }
    }
    return nil
  }

  // MARK: - Colons

  /// Whether a colon with a blank behind it follows a scalar that ends at `position`.
  @inline(__always)
  func colonFollows(_ scalar: Scalar) -> Bool {
    var offset = position
    while byte(offset).isBlank { offset += 1 }
    return byte(offset) == UInt8(ascii: ":") && isBlankOrBreak(offset + 1)
  }

  /// Whether a colon follows a key, with a blank behind it; goes behind it then.
  mutating func skipColon(behind scalar: Scalar) -> Bool {
    guard colonFollows(scalar) else { return false }
    skipBlanks()
    checkKey(scalar)
    position += 1
    return true
  }

  /// Whether the line goes on with a key and its colon. Reports nothing.
  var looksLikeKey: Bool {
    let quote = current
    guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
      return byte(endOfPlain(from: position)) == UInt8(ascii: ":")
    }
    var offset = position + 1
    while !isBreak(offset), byte(offset) != quote {
      offset += quote == UInt8(ascii: "\"") && byte(offset) == UInt8(ascii: "\\") && !isBreak(offset + 1) ? 2 : 1
    }
    offset += 1
    while byte(offset).isBlank { offset += 1 }
    return byte(offset) == UInt8(ascii: ":")
  }
}
