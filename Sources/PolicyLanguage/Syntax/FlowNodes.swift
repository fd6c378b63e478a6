import Diagnostics

/// Flow style: what brackets make.
extension BlockParser {
  /// A flow collection, `position` being at its bracket. `indent` is the column of the block that it stands in: what belongs to
  /// the collection is indented deeper, closing brackets at least as deep. Sets `isFlowAbandoned` where it isn't closed, with
  /// `position` at the next line of the block around it.
  mutating func flow(inside indent: Int) {
    guard canDescend() else {
      appendEmpty(at: position, isBroken: true)
      isFlowAbandoned = true
      return skipEntry(deeperThan: indent)
    }
    flowDepth += 1
    defer {
      depth -= 1
      flowDepth -= 1
    }
    let start = position
    let isMapping = current == UInt8(ascii: "{")
    let collection = open(isMapping ? .mapping : .sequence, at: start)
    position += 1
    var previous: Range<Int>?
    while !isFlowAbandoned, skipFlowBlanks(inside: indent, openedAt: start) {
      switch current {
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        if (current == UInt8(ascii: "}")) != isMapping { reportMismatch(openedAt: start) }
        position += 1
        return close(collection, end: position)
      case UInt8(ascii: ","):
        if previous == nil {
          reports.error(
            "unexpected-comma", "there is nothing in front of this comma", at: position..<position + 1, help: "remove it")
        }
        position += 1
        previous = nil
      default:
        if let previous { reportMissingComma(behind: previous) }
        let first = position
        if isMapping { flowEntry(of: collection, inside: indent) } else { flowElement(of: collection, inside: indent) }
        previous = first..<position
      }
    }
    isFlowAbandoned = true
    markBroken(collection)
    close(collection)
  }

  /// To the next token of a flow collection. False where the collection can't go on, which is reported: at the end of the
  /// document, and where a line begins that belongs to the block around it.
  private mutating func skipFlowBlanks(inside indent: Int, openedAt start: Int) -> Bool {
    if reports.isFull { position = text.count }
    skipBlanks()
    if current == UInt8(ascii: "#") {
      if !isBlankOrBreak(position - 1) { reportCommentSpace() }
      skipComment()
    }
    guard current.isBreak else { return true }
    advance()
    let isClosing = current == UInt8(ascii: "]") || current == UInt8(ascii: "}")
    if column > indent || column == indent && isClosing { return true }
    if column == Self.noColumn || looksLikeKey || isAtDash {
      let bracket = bytes[start]
      reports.error(
        "unclosed-bracket", "`\(Character(Unicode.Scalar(bracket)))` is not closed", at: start..<start + 1,
        help: "write `\(bracket == UInt8(ascii: "[") ? "]" : "}")` behind the last entry")
      return false
    }
    if !hasTabs {
      reports.error(
        "bad-indentation", "a line between brackets is not indented deeper than what it belongs to",
        at: trimmed(position..<endOfLine), help: "indent it by at least \(indent + 1) spaces",
        note: ("the bracket is opened here", start..<start + 1))
    }
    return true
  }

  private mutating func flowElement(of collection: Int, inside indent: Int) {
    flowValue(inside: indent)
    guard !isFlowAbandoned, current == UInt8(ascii: ":") else { return }
    reports.error(
      "pair-in-list", "a key and its value stand in a list", at: position..<position + 1,
      help: "write `{ key: value }`, or quote the text if the colon belongs to it")
    markBroken(collection)
    skipFlowJunk()
  }

  private mutating func flowEntry(of collection: Int, inside indent: Int) {
    let start = position
    let count = nodes.count
    if current == UInt8(ascii: "[") || current == UInt8(ascii: "{") {
      flow(inside: indent)
      nodes.removeSubrange(count...)
      markBroken(collection)
      if isFlowAbandoned { return }
      reportComplexKey(start..<position)
      return skipFlowJunk()
    }
    guard let key = flowScalar() else { return markBroken(collection) }
    skipBlanks()
    guard current == UInt8(ascii: ":") else {
      if !key.isBroken {
        let text = excerpt(key.range)
        reports.error(
          "missing-colon", "`\(text)` is a key without a colon", at: key.range,
          help: "write `\(text): ...`, or `[...]` if a list is meant")
      }
      return markBroken(collection)
    }
    if !isBlankOrBreak(position + 1) { reportMissingSpace(at: position) }
    checkKey(key)
    append(key)
    position += 1
    let behindColon = position
    guard skipFlowBlanks(inside: indent, openedAt: Int(nodes[collection].start)) else {
      appendEmpty(at: behindColon, isBroken: true)
      isFlowAbandoned = true
      return
    }
    if current == UInt8(ascii: ",") || current == UInt8(ascii: "]") || current == UInt8(ascii: "}") {
      return appendEmpty(at: behindColon)
    }
    let value = position
    flowValue(inside: indent)
    guard !isFlowAbandoned, current == UInt8(ascii: ":") else { return }
    reportSecondColon(behind: trimmed(value..<position))
    skipFlowJunk()
  }

  /// A collection or a scalar, and the blanks behind it.
  private mutating func flowValue(inside indent: Int) {
    let start = position
    if current == UInt8(ascii: "[") || current == UInt8(ascii: "{") {
      flow(inside: indent)
    } else if let scalar = flowScalar() {
      append(scalar)
    } else {
      appendEmpty(at: start, isBroken: true)
    }
    if !isFlowAbandoned { skipBlanks() }
  }

  /// A scalar of flow style; nil if none can begin here, which is reported and skipped.
  private mutating func flowScalar() -> Scalar? {
    lead: while true {
      let next = byte(position + 1)
      switch current {
      case UInt8(ascii: "&"), UInt8(ascii: "!"): reportProperty()
      case UInt8(ascii: "-") where next.isBlankOrBreak || next.isFlowIndicator:
        reports.error(
          "unexpected-dash", "a dash stands between brackets", at: position..<position + 1,
          help: "separate entries by commas, and leave the dashes out")
        position += 1
      default: break lead
      }
      skipBlanks()
      if current.isFlowIndicator || current.isBreak { return nil }
    }
    let start = position
    let next = byte(position + 1)
    switch current {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return scanQuoted(inFlow: true)
    case UInt8(ascii: "?"), UInt8(ascii: ":"):
      if next.isBlankOrBreak { _ = canBegin() }
      skipFlowJunk()
      let range = trimmed(start..<position)
      if !next.isBlankOrBreak { reportQuoteAddress(range) }
      return nil
    default:
      guard canBegin() else {
        skipFlowJunk()
        return nil
      }
      return scanFlowPlain()
    }
  }

  private mutating func scanFlowPlain() -> Scalar {
    let start = position
    var isBroken = false
    scan: while true {
      position += WordScan.countInFlow(text, from: position)
      let byte = self.byte(position)
      switch byte {
      case .lineFeed, .carriageReturn: break scan
      case UInt8(ascii: "#") where self.byte(position - 1).isBlank: break scan
      case UInt8(ascii: ":"):
        let next = self.byte(position + 1)
        if next.isBlankOrBreak { break scan }
        if next.isFlowIndicator || next == UInt8(ascii: "?") {
          guard position > start, bytes[position - 1] == UInt8(ascii: ":") || next == UInt8(ascii: "?") else { break scan }
          if !isBroken { reportQuoteAddress(start..<position + 1) }
          isBroken = true
        }
        position += 1
      default:
        if byte.isFlowIndicator { break scan }
        position += 1
      }
    }
    var scalar = Scalar(start: start, end: trimmed(start..<position).upperBound)
    scalar.isBroken = isBroken
    return scalar
  }

  /// After an error, to the next comma or closing bracket on the line, or its end.
  private mutating func skipFlowJunk() {
    while !current.isBreak, current != UInt8(ascii: ","), current != UInt8(ascii: "]"), current != UInt8(ascii: "}") {
      position += 1
    }
  }

  private mutating func reportMismatch(openedAt start: Int) {
    let (bracket, closing) = bytes[start] == UInt8(ascii: "[") ? ("[", "]") : ("{", "}")
    reports.error(
      "mismatched-bracket", "`\(bracket)` is closed by `\(Character(Unicode.Scalar(current)))`", at: position..<position + 1,
      help: "write `\(closing)`", note: ("the bracket is opened here", start..<start + 1))
  }

  private mutating func reportMissingComma(behind previous: Range<Int>) {
    let range = trimmed(previous)
    if lineStart > previous.upperBound {
      reports.error(
        "missing-comma", "there is no comma behind `\(excerpt(range))`", at: range,
        help: "write `,` behind it; a text that goes on in a second line is not in the language")
    } else {
      reports.error(
        "missing-comma", "there is no comma in front of this", at: position..<position + 1,
        help: "write `,` between two entries")
    }
  }
}
