public import Diagnostics

/// The canonical layout of a policy's text.
///
/// Two columns of indentation, lists indented under their keys; one space behind colons and commas, two in front of a comment
/// behind a value. Comments keep their places. A blank line stands between the sections of the top level, elsewhere as written, at
/// most one. A list or mapping in brackets stays so: on one line if it fits in 100 columns, else with an entry a line. Scalars
/// stay as written, quotes included. Markers of the document's begin and end and a byte order mark are left out, lines end with a
/// line feed.
public enum PolicyFormatter {
  /// The widest line that brackets are kept on.
  static let width = 100

  /// Lays out one file. Laying out the result changes nothing, and both have the same tree.
  /// - Parameters:
  ///   - index: The file's index in `SourceFiles`.
  ///   - diagnostics: What is wrong with the text is appended.
  /// - Returns: The text, or nil if it has errors.
  public static func format(_ file: SourceFile, index: Int, into diagnostics: inout [Diagnostic]) -> [UInt8]? {
    var found: [Diagnostic] = []
    let tree = SyntaxParser.parse(file, index: index, into: &found)
    diagnostics += found
    guard let tree, !found.contains(where: { $0.severity == .error }) else { return nil }
    var layout = Layout(tree)
    layout.document()
    return layout.output
  }
}

/// Writes a tree, while a cursor goes through the text beside it and finds comments and blank lines between the tokens.
private struct Layout {
  private struct Comment {
    var range: Range<Int>
    var column: Int
    var hasBlankLineBefore: Bool
  }

  private let tree: SyntaxTree
  private var bytes: [UInt8] { tree.bytes }
  private(set) var output: [UInt8] = []
  private var lineStart = 0

  /// What has been written of the text, up to the next token.
  private var cursor = 0
  /// The comment on the line that is being written.
  private var trailing: Comment?
  /// Comments on lines of their own in front of the next token.
  private var pending: [Comment] = []
  /// Whether a blank line stands in front of the next token.
  private var hasBlankLine = false

  init(_ tree: SyntaxTree) {
    self.tree = tree
    output.reserveCapacity(tree.bytes.count + tree.bytes.count / 8)
    if tree.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { cursor = 3 }
  }

  // MARK: - Blocks

  mutating func document() {
    readGap()
    skipMarker()
    let root = tree.root
    switch tree.kind(root) {
    case .empty: break
    case .mapping where !isFlow(root), .sequence where !isFlow(root): block(root, indent: 0, isInline: false)
    case .mapping, .sequence, .scalar:
      lead(indent: 0, isFirst: true)
      leaf(root, indent: 0)
    }
    skipMarker()
    hasBlankLine = false
    lead(indent: 0, isFirst: output.isEmpty)
  }

  /// Behind `---` or `...`: the comment on its line stands alone.
  private mutating func skipMarker() {
    guard cursor < bytes.count else { return }
    guard cursor + 3 <= bytes.count, bytes[cursor..<cursor + 3].allSatisfy({ $0 == bytes[cursor] }),
      bytes[cursor] == UInt8(ascii: "-") || bytes[cursor] == UInt8(ascii: "."),
      tree.kind(tree.root) == .empty || range(tree.root).lowerBound != cursor
    else { return }
    cursor += 3
    readGap(isJoined: true)
    if let comment = trailing { pending.insert(comment, at: 0) }
    trailing = nil
  }

  /// A block collection; `isInline` if its first entry goes behind a dash on the line that is being written.
  private mutating func block(_ node: SyntaxNode, indent: Int, isInline: Bool) {
    var isFirst = true
    switch tree.kind(node) {
    case .mapping:
      for (key, value) in tree.entries(node) {
        begin(indent: indent, isFirst: isFirst, isInline: isInline, isSection: node == tree.root)
        let column = column(of: cursor)
        write(range(key))
        skip(UInt8(ascii: ":"))
        write(":")
        entry(value, indent: indent, column: column, isBehindDash: false)
        isFirst = false
      }
    case .sequence:
      for element in tree.elements(node) {
        begin(indent: indent, isFirst: isFirst, isInline: isInline, isSection: false)
        let column = column(of: cursor)
        skip(UInt8(ascii: "-"))
        write("-")
        entry(element, indent: indent, column: column, isBehindDash: true)
        isFirst = false
      }
    case .scalar, .empty: break
    }
  }

  /// Begins an entry's line.
  private mutating func begin(indent: Int, isFirst: Bool, isInline: Bool, isSection: Bool) {
    if isFirst, isInline { return }
    if isSection, !isFirst, !hasBlankLine, !pending.contains(where: \.hasBlankLineBefore) {
      if pending.isEmpty { hasBlankLine = true } else { pending[0].hasBlankLineBefore = true }
    }
    lead(indent: indent, isFirst: isFirst)
    write(indent: indent)
  }

  /// What follows a key's colon or a dash that stands at `indent`, in the text at `column`.
  private mutating func entry(_ value: SyntaxNode, indent: Int, column: Int, isBehindDash: Bool) {
    readGap()
    let isBlock = isBlockCollection(value)
    let isAlone = trailing == nil && pending.isEmpty
    if tree.kind(value) == .empty {
      newline()
      leadInner(indent: indent + 2, column: column + 1)
    } else if isBlock, !(isAlone && isBehindDash) {
      // Below its key; or below its dash, since there are comments in between.
      let inner = self.column(of: cursor)
      newline()
      block(value, indent: indent + 2, isInline: false)
      leadInner(indent: indent + 2, column: max(inner, column + 1))
    } else if isBlock {
      write(" ")
      let inner = self.column(of: cursor)
      block(value, indent: indent + 2, isInline: true)
      leadInner(indent: indent + 2, column: inner)
    } else if isAlone {
      write(" ")
      leaf(value, indent: isBehindDash ? indent + 2 : indent)
    } else {
      newline()
      lead(indent: indent + 2, isFirst: true)
      write(indent: indent + 2)
      leaf(value, indent: indent + 2)
    }
  }

  /// A scalar or brackets, to the end of the line.
  private mutating func leaf(_ node: SyntaxNode, indent: Int) {
    inline(node, indent: indent, reserve: 0)
    readGap()
    newline()
  }

  // MARK: - Brackets

  /// A scalar or brackets; broken brackets close at `indent`. `reserve` columns must be left on the line.
  private mutating func inline(_ node: SyntaxNode, indent: Int, reserve: Int) {
    guard isFlow(node) else { return write(range(node)) }
    if !hasComments(range(node)) {
      var flat: [UInt8] = []
      appendFlat(node, to: &flat)
      if columns(output[lineStart...]) + columns(flat[...]) + reserve <= PolicyFormatter.width {
        output += flat
        cursor = range(node).upperBound
        return
      }
    }
    let isMapping = tree.kind(node) == .mapping
    write(isMapping ? "{" : "[")
    cursor += 1
    readGap()
    newline()
    var isFirst = true
    if isMapping {
      for (key, value) in tree.entries(node) {
        lead(indent: indent + 2, isFirst: isFirst)
        write(indent: indent + 2)
        write(range(key))
        skip(UInt8(ascii: ":"))
        write(":")
        readGap()
        bracketValue(value, indent: indent + 2)
        isFirst = false
      }
    } else {
      for element in tree.elements(node) {
        lead(indent: indent + 2, isFirst: isFirst)
        write(indent: indent + 2)
        inline(element, indent: indent + 2, reserve: 1)
        comma()
        isFirst = false
      }
    }
    hasBlankLine = false
    lead(indent: indent + 2, isFirst: isFirst)
    write(indent: indent)
    write(isMapping ? "}" : "]")
    cursor += 1
  }

  /// What follows the colon of a key in broken brackets, comments in between having been read.
  private mutating func bracketValue(_ value: SyntaxNode, indent: Int) {
    if tree.kind(value) != .empty {
      if trailing == nil, pending.isEmpty {
        write(" ")
        inline(value, indent: indent, reserve: 1)
      } else {
        newline()
        lead(indent: indent + 2, isFirst: true)
        write(indent: indent + 2)
        inline(value, indent: indent + 2, reserve: 1)
      }
      return comma()
    }
    // A comma may not stand right behind the colon.
    write(" ,")
    finishComma()
  }

  private mutating func comma() {
    write(",")
    readGap()
    finishComma()
  }

  private mutating func finishComma() {
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: ",") {
      cursor += 1
      readGap(isJoined: true)
    }
    newline()
  }

  private func appendFlat(_ node: SyntaxNode, to flat: inout [UInt8]) {
    guard isFlow(node) else {
      flat += bytes[range(node)]
      return
    }
    var separator = ""
    if tree.kind(node) == .mapping {
      flat += "{".utf8
      for (key, value) in tree.entries(node) {
        flat += "\(separator) ".utf8
        flat += bytes[range(key)]
        flat += ":".utf8
        if tree.kind(value) != .empty { flat += " ".utf8 }
        appendFlat(value, to: &flat)
        separator = tree.kind(value) == .empty ? " ," : ","
      }
      flat += (tree.isEmpty(node) ? "}" : " }").utf8
    } else {
      flat += "[".utf8
      for element in tree.elements(node) {
        flat += separator.utf8
        appendFlat(element, to: &flat)
        separator = ", "
      }
      flat += "]".utf8
    }
  }

  // MARK: - Comments and blank lines

  /// Goes from the end of one token to the next, and takes what stands between. `isJoined` adds to what an earlier gap had.
  private mutating func readGap(isJoined: Bool = false) {
    var lineBreaks = cursor == 0 || cursor == 3 && output.isEmpty ? 1 : 0
    let startsLine = lineBreaks == 1
    if !isJoined {
      pending.removeAll(keepingCapacity: true)
      trailing = nil
    }
    while cursor < bytes.count {
      switch bytes[cursor] {
      case .lineFeed: lineBreaks += 1
      case .space, .tab, .carriageReturn: break
      case UInt8(ascii: "#"):
        let comment = takeComment(hasBlankLineBefore: lineBreaks > 1)
        if lineBreaks == 0, !startsLine, trailing == nil, pending.isEmpty {
          trailing = comment
        } else {
          pending.append(comment)
        }
        lineBreaks = 0
        continue
      default:
        hasBlankLine = lineBreaks > 1
        return
      }
      cursor += 1
    }
    hasBlankLine = lineBreaks > 1
  }

  private mutating func takeComment(hasBlankLineBefore: Bool) -> Comment {
    let start = cursor
    while cursor < bytes.count, !bytes[cursor].isBreak { cursor += 1 }
    var end = cursor
    while bytes[end - 1].isBlank { end -= 1 }
    return Comment(range: start..<end, column: column(of: start), hasBlankLineBefore: hasBlankLineBefore)
  }

  /// Writes the comments and the blank line in front of an entry.
  private mutating func lead(indent: Int, isFirst: Bool) {
    for (index, comment) in pending.enumerated() { write(comment, indent: indent, isFirst: isFirst && index == 0) }
    if hasBlankLine, !isFirst || !pending.isEmpty { newline() }
    pending.removeAll(keepingCapacity: true)
    hasBlankLine = false
  }

  /// At the end of a block, writes those comments that stand as far in as its entries.
  private mutating func leadInner(indent: Int, column: Int) {
    let count = pending.prefix { $0.column >= column }.count
    for comment in pending[..<count] { write(comment, indent: indent, isFirst: false) }
    pending.removeFirst(count)
  }

  private mutating func write(_ comment: Comment, indent: Int, isFirst: Bool) {
    if comment.hasBlankLineBefore, !isFirst { newline() }
    write(indent: indent)
    output += bytes[comment.range]
    newline()
  }

  // MARK: - Text

  private mutating func newline() {
    if let trailing {
      write("  ")
      output += bytes[trailing.range]
      self.trailing = nil
    }
    output.append(.lineFeed)
    lineStart = output.count
  }

  private mutating func write(_ text: StaticString) {
    output += UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }

  private mutating func write(indent: Int) {
    for _ in 0..<indent { output.append(.space) }
  }

  /// Writes a token as it stands, with the cursor behind it.
  private mutating func write(_ range: Range<Int>) {
    output += bytes[range]
    cursor = range.upperBound
  }

  /// Goes behind a colon or a dash, blanks in front of it included.
  private mutating func skip(_ character: UInt8) {
    while bytes[cursor] != character { cursor += 1 }
    cursor += 1
  }

  private func range(_ node: SyntaxNode) -> Range<Int> {
    let range = tree.range(node)
    return Int(range.start)..<Int(range.end)
  }

  private func isFlow(_ node: SyntaxNode) -> Bool {
    switch tree.kind(node) {
    case .mapping, .sequence:
      let first = bytes[range(node).lowerBound]
      return first == UInt8(ascii: "[") || first == UInt8(ascii: "{")
    case .scalar, .empty: return false
    }
  }

  private func isBlockCollection(_ node: SyntaxNode) -> Bool {
    switch tree.kind(node) {
    case .mapping, .sequence: !isFlow(node)
    case .scalar, .empty: false
    }
  }

  private func hasComments(_ range: Range<Int>) -> Bool {
    var low = 0
    var high = tree.comments.count
    while low < high {
      let middle = (low + high) / 2
      if tree.comments[middle].start < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    return low < tree.comments.count && tree.comments[low].start < range.upperBound
  }

  private func column(of offset: Int) -> Int {
    var start = offset
    while start > 0, bytes[start - 1] != .lineFeed { start -= 1 }
    if start == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { start = min(3, offset) }
    return offset - start
  }

  /// How many scalars a text has.
  private func columns(_ text: ArraySlice<UInt8>) -> Int { text.count { $0 & 0xC0 != 0x80 } }
}
