import Diagnostics

/// Block style: what indentation and dashes make.
extension BlockParser {
  mutating func parseDocument() {
    advance(fromBreak: false)
    while column == 0, current == UInt8(ascii: "%") { reportDirective() }
    let hasMarker = isAtMarker(UInt8(ascii: "-"))
    if hasMarker { skipMarker() }
    if column == Self.noColumn {
      if isAtMarker(UInt8(ascii: ".")), !hasMarker {
        reports.error(
          "unexpected-text", "`...` ends a document that has not begun", at: position..<position + 3, help: "remove it")
      }
      appendEmpty(at: min(position, text.count))
    } else {
      node(inside: -1)
    }
    if column >= 0 {
      let rest = trimmed(position..<endOfLine)
      reports.error(
        "unexpected-text", "`\(excerpt(rest))` stands behind the end of the document", at: rest,
        help: "write one mapping, its keys in one column")
      markBroken(0)
      skipEntry(deeperThan: -1)
    }
    if isAtMarker(UInt8(ascii: ".")) {
      hasEndMarker = true
      skipMarker()
    }
    if column >= 0 || position < text.count {
      let rest = trimmed(position..<endOfLine)
      reports.error(
        "second-document", "a second document begins here", at: rest,
        help: "put it in a file of its own; several files compile as one policy")
    }
    finishTabs()
  }

  private mutating func skipMarker() {
    let marker = position..<position + 3
    position += 3
    skipBlanks()
    if current != UInt8(ascii: "#"), !current.isBreak {
      reports.error(
        "unexpected-text", "text behind `\(excerpt(marker))`", at: trimmed(position..<endOfLine), help: "begin a new line here")
      position = endOfLine
    }
    finishLine()
  }

  private mutating func reportDirective() {
    let rest = trimmed(position..<endOfLine)
    reports.error(
      "directive", "directives such as `\(excerpt(rest))` are not in the language", at: rest, help: "remove this line")
    position = endOfLine
    advance()
  }

  /// Any node that begins at `position`, where the parent's entries stand at column `indent`.
  mutating func node(inside indent: Int) {
    if isAtDash { return sequence(at: column, inside: indent) }
    let start = position
    let startColumn = column
    switch lead(inside: indent) {
    case .elsewhere: return node(inside: indent)
    case .collection:
      flow(inside: indent)
      return finishFlow(start: start, inside: indent)
    case .nothing: break
    case .scalar:
      guard let scalar = scanScalar() else { break }
      if skipColon(behind: scalar) { return mapping(at: startColumn, inside: indent, first: scalar) }
      if !scalar.isBroken, !peekBelow({ $0.column == startColumn && $0.looksLikeKey }) {
        append(scalar)
        return finishScalar(scalar, inside: indent)
      }
      if !scalar.isBroken { reportMissingColon(behind: scalar) }
    }
    skipError(from: start, at: startColumn, inside: indent)
  }

  /// Behind an error at the beginning of a node: goes on with the mapping whose first entry was lost, if there seems to be one.
  private mutating func skipError(from start: Int, at keyColumn: Int, inside indent: Int) {
    skipEntry(deeperThan: keyColumn)
    if column == keyColumn, looksLikeKey { return mapping(at: keyColumn, inside: indent, first: nil) }
    appendEmpty(at: start, isBroken: true)
    if column > indent { skipEntry(deeperThan: indent) }
  }

  // MARK: - Mappings

  /// A block mapping whose first key and its colon have been read, or lost in an error.
  private mutating func mapping(at keyColumn: Int, inside indent: Int, first: Scalar?) {
    let start = first?.start ?? position
    guard canDescend() else {
      appendEmpty(at: start, isBroken: true)
      return skipEntry(deeperThan: indent)
    }
    let mapping = open(.mapping, at: start)
    if first == nil { markBroken(mapping) }
    var toleratedColumn = keyColumn
    var next = first ?? nextKey(in: mapping, at: keyColumn, inside: indent, tolerated: &toleratedColumn)
    while let key = next {
      append(key)
      value(of: key, at: keyColumn)
      next = nextKey(in: mapping, at: keyColumn, inside: indent, tolerated: &toleratedColumn)
    }
    close(mapping)
    depth -= 1
  }

  /// The next key of a mapping with its colon; nil where the mapping ends.
  private mutating func nextKey(in mapping: Int, at keyColumn: Int, inside indent: Int, tolerated: inout Int) -> Scalar? {
    while column > indent {
      if column != keyColumn, column != tolerated {
        tolerated = column
        reportIndentation(expected: keyColumn)
      }
      if let key = key(at: keyColumn) { return key }
      markBroken(mapping)
    }
    return nil
  }

  /// A key with its colon; nil after an error, with the entry skipped.
  private mutating func key(at keyColumn: Int) -> Scalar? {
    let start = position
    if isAtDash {
      reports.error(
        "unexpected-dash", "a list entry stands among the keys of a mapping", at: start..<start + 1,
        help: "indent it under the key that it belongs to, or write `key: value`")
      skipEntry(deeperThan: keyColumn)
      return nil
    }
    switch current {
    case UInt8(ascii: "["), UInt8(ascii: "{"): reportComplexKey(start..<start + 1)
    default:
      guard canBegin(), let scalar = scanScalar() else { break }
      if skipColon(behind: scalar) { return scalar }
      if !scalar.isBroken { reportMissingColon(behind: scalar) }
    }
    skipEntry(deeperThan: keyColumn)
    return nil
  }

  /// The value behind a key's colon, on its line or below.
  private mutating func value(of key: Scalar, at keyColumn: Int) {
    let behindColon = position
    skipBlanks()
    if current.isBreak || current == UInt8(ascii: "#") {
      position = behindColon
      finishLine()
      return valueBelow(keyColumn: keyColumn, emptyAt: behindColon)
    }
    if isAtDash {
      reports.error(
        "unexpected-dash", "a list begins on its key's line", at: position..<position + 1,
        help: "begin the list on a line of its own, or write it as `[a, b]`")
      column = position - lineStart
      return sequence(at: column, inside: keyColumn)
    }
    let start = position
    switch lead(inside: keyColumn) {
    case .nothing:
      appendEmpty(at: start, isBroken: true)
      skipEntry(deeperThan: keyColumn)
    case .elsewhere: node(inside: keyColumn)
    case .collection:
      flow(inside: keyColumn)
      finishFlow(start: start, inside: keyColumn)
    case .scalar:
      guard let scalar = scanScalar() else {
        appendEmpty(at: start, isBroken: true)
        return skipEntry(deeperThan: keyColumn)
      }
      append(scalar)
      if colonFollows(scalar) {
        reportSecondColon(behind: scalar.range)
        markBroken(nodes.count - 1)
        return skipEntry(deeperThan: keyColumn)
      }
      finishScalar(scalar, inside: keyColumn)
    }
  }

  /// The value of a key whose line is at its end.
  private mutating func valueBelow(keyColumn: Int, emptyAt: Int) {
    if column > keyColumn {
      node(inside: keyColumn)
    } else if column == keyColumn, isAtDash {
      sequence(at: keyColumn, inside: keyColumn - 1, isAtKey: true)
    } else {
      appendEmpty(at: emptyAt)
    }
  }

  // MARK: - Sequences

  /// A block sequence; where it stands at its key's own column (`isAtKey`), `indent` is one less than that.
  private mutating func sequence(at dashColumn: Int, inside indent: Int, isAtKey: Bool = false) {
    guard canDescend() else {
      appendEmpty(at: position, isBroken: true)
      return skipEntry(deeperThan: indent)
    }
    let sequence = open(.sequence, at: position)
    var toleratedColumn = dashColumn
    while column > indent {
      guard isAtDash else {
        if isAtKey, column == dashColumn, looksLikeKey { break }
        reportMissingDash(dashColumn: dashColumn)
        markBroken(sequence)
        skipEntry(deeperThan: dashColumn)
        continue
      }
      if column != dashColumn, column != toleratedColumn {
        toleratedColumn = column
        reportIndentation(expected: dashColumn)
      }
      position += 1
      element(dashColumn: dashColumn)
    }
    close(sequence)
    depth -= 1
  }

  private mutating func element(dashColumn: Int) {
    let behindDash = position
    while current == .space { position += 1 }
    if current == .tab {
      noteTab(at: position)
      skipBlanks()
    }
    if current.isBreak || current == UInt8(ascii: "#") {
      finishLine()
      if column > dashColumn { node(inside: dashColumn) } else { appendEmpty(at: behindDash) }
    } else {
      column = position - lineStart
      node(inside: dashColumn)
    }
  }

  // MARK: - Ends of values

  /// Ends a scalar's line. What is indented deeper below it is an error: scalars stand on one line.
  private mutating func finishScalar(_ scalar: Scalar, inside indent: Int) {
    guard !scalar.isBroken else { return skipEntry(deeperThan: indent) }
    finishLine()
    guard column > indent, !looksLikeKey else { return }
    let line = trimmed(position..<endOfLine)
    if isAtDash {
      if !hasTabs {
        reports.error(
          "bad-indentation", "a list entry is indented under `\(excerpt(scalar.range))`, which is a value already", at: line,
          help: "align its dash with the others")
      }
    } else {
      reports.error(
        "multi-line-scalar", "a text goes on in a second line", at: line,
        help: "write the text on one line; in double quotes `\\n` is a line break",
        note: ("the text begins here", scalar.range))
    }
    skipEntry(deeperThan: indent)
  }

  private mutating func finishFlow(start: Int, inside indent: Int) {
    guard !isFlowAbandoned else {
      isFlowAbandoned = false
      return
    }
    let end = position
    skipBlanks()
    if current == UInt8(ascii: ":") {
      reportComplexKey(start..<end)
      return skipEntry(deeperThan: indent)
    }
    position = end
    finishLine()
  }
}
