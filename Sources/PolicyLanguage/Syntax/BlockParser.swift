import Diagnostics

/// The state of parsing, and how it walks over blanks, comments and lines.
///
/// The functions that parse nodes share one convention: each begins with `position` at its first character and `column` that
/// character's column, appends exactly one node (with what it holds), and ends at the next line that has something on it, or, in
/// flow collections, right behind the node.
///
/// It is never copied, being large; what only looks at it is inlined, since the compiler copies it for such a call.
struct BlockParser: ~Copyable {
  let bytes: [UInt8]
  /// The same bytes, for the loops that look at each of them. Whoever makes the parser keeps them where they are.
  let text: UnsafeBufferPointer<UInt8>
  var position = 0
  /// The column of the content at `position`, from 0; `noColumn` where the document has ended.
  var column = 0
  var lineStart = 0
  /// How many collections are open, and how many of them are in brackets.
  var depth = 0
  var flowDepth = 0
  let file: Int
  var nodes: [SyntaxTree.Node] = []
  var comments: [SourceRange] = []
  /// Where the collection ended that was closed last.
  var closedEnd: UInt32 = 0
  var reports: SyntaxReports
  /// A flow collection wasn't closed, and all around it are left as well.
  var isFlowAbandoned = false
  /// `...` stands behind the document.
  var hasEndMarker = false
  /// While text is skipped after an error, its comments and tabs mean nothing.
  var isSkipping = false
  /// Working space of `checkKeys`.
  var keys: [CheckedKey] = []
  /// Places where tabs stand as indentation: the first, and how many.
  private var firstTab: Int?
  private var tabs = 0

  static let noColumn = -2

  /// - Parameter text: The bytes, or those in front of a place where they can be cut.
  /// - Parameter start: Where to begin: at the front, or at a place where the bytes can be cut.
  init(bytes: [UInt8], text: UnsafeBufferPointer<UInt8>, from start: Int = 0, file: Int, reports: SyntaxReports) {
    self.bytes = bytes
    self.text = text
    self.reports = reports
    self.file = file
    nodes.reserveCapacity((text.count - start) / 4)
    position = start
    if start == 0, text.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    lineStart = position
  }

  consuming func finish() -> SyntaxTree {
    SyntaxTree(file: file, bytes: bytes, comments: comments, nodes: nodes)
  }

  // MARK: - Characters

  /// The byte at an offset; behind the end of the file there is a line feed.
  @inline(__always)
  func byte(_ offset: Int) -> UInt8 { offset < text.count ? text[offset] : .lineFeed }

  @inline(__always)
  var current: UInt8 { byte(position) }

  @inline(__always)
  func isBreak(_ offset: Int) -> Bool { byte(offset).isBreak }
  @inline(__always)
  func isBlankOrBreak(_ offset: Int) -> Bool { byte(offset).isBlankOrBreak }

  /// A dash with a blank behind it: an element of a block sequence.
  @inline(__always)
  var isAtDash: Bool { current == UInt8(ascii: "-") && isBlankOrBreak(position + 1) }

  /// `---` or `...` at the beginning of a line.
  @inline(__always)
  func isAtMarker(_ character: UInt8) -> Bool {
    position == lineStart && current == character && byte(position + 1) == character && byte(position + 2) == character
      && isBlankOrBreak(position + 3)
  }

  @inline(__always)
  mutating func skipBlanks() {
    while current.isBlank { position += 1 }
  }

  /// Where the current line ends.
  var endOfLine: Int {
    var end = position
    while end < text.count, !text[end].isBreak { end += 1 }
    return end
  }

  // MARK: - Lines

  /// From the break of the current line, or the beginning of one, to the next content. The document ends with the file and at a
  /// marker.
  mutating func advance(fromBreak: Bool = true) {
    if reports.isFull { position = text.count }
    var atBreak = fromBreak
    while true {
      if atBreak {
        guard position < text.count else { return endDocument() }
        position += current == .carriageReturn && byte(position + 1) == .lineFeed ? 2 : 1
        lineStart = position
      }
      atBreak = true
      while current == .space { position += 1 }
      var first = current
      if first == .tab {
        let tab = position
        skipBlanks()
        first = current
        if !isSkipping { noteTab(at: tab) }
      }
      switch first {
      case .lineFeed, .carriageReturn:
        if position >= text.count { return endDocument() }
      case UInt8(ascii: "#"): skipComment()
      default:
        column = position - lineStart
        if column == 0, isAtMarker(UInt8(ascii: "-")) || isAtMarker(UInt8(ascii: ".")) { endDocument() }
        return
      }
    }
  }

  private mutating func endDocument() {
    column = Self.noColumn
  }

  mutating func skipComment() {
    let end = endOfLine
    if !isSkipping { comments.append(SourceRange(file: file, start: position, end: end)) }
    position = end
  }

  mutating func noteTab(at offset: Int) {
    tabs += 1
    guard firstTab == nil else { return }
    firstTab = offset
    var end = offset
    while byte(end) == .tab { end += 1 }
    reports.error("tab", "a tab is used as indentation", at: offset..<end, help: "indent with spaces, two for each level")
  }

  /// Says how many lines have tabs, once all are seen.
  mutating func finishTabs() {
    if tabs > 1 { reports.amend("tab", with: "\(tabs - 1) more \(tabs == 2 ? "line has" : "lines have") tabs in front") }
  }

  /// Whether a wrong indentation may come from a tab that was reported.
  var hasTabs: Bool { tabs > 0 }

  /// Ends a line behind a value: a comment may follow, nothing else.
  mutating func finishLine() {
    skipBlanks()
    switch current {
    case .lineFeed, .carriageReturn: break
    case UInt8(ascii: "#"):
      if !isBlankOrBreak(position - 1) { reportCommentSpace() }
      skipComment()
    default:
      let rest = trimmed(position..<endOfLine)
      reports.error(
        "unexpected-text", "`\(excerpt(rest))` stands behind the end of a value", at: rest,
        help: "remove it, or put the whole value in quotes")
      position = endOfLine
    }
    advance()
  }

  /// Skips the rest of the current line and every line that is indented by more than `indent`.
  mutating func skipEntry(deeperThan indent: Int) {
    isSkipping = true
    position = endOfLine
    advance()
    while column > indent {
      position = endOfLine
      advance()
    }
    isSkipping = false
  }

  /// What `look` finds at the next content below the current line; the parser stays where it is.
  mutating func peekBelow(_ look: (borrowing BlockParser) -> Bool) -> Bool {
    let (position, column, lineStart, isSkipping) = (self.position, self.column, self.lineStart, self.isSkipping)
    self.isSkipping = true
    self.position = endOfLine
    advance()
    let result = look(self)
    (self.position, self.column, self.lineStart, self.isSkipping) = (position, column, lineStart, isSkipping)
    return result
  }

  /// A range without the blanks at its end.
  @inline(__always)
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var end = range.upperBound
    while end > range.lowerBound, byte(end - 1).isBlank { end -= 1 }
    return range.lowerBound..<end
  }

  /// The user's text for a message, at most 40 bytes of it.
  func excerpt(_ range: Range<Int>) -> String {
    guard range.count > 40 else { return String(decoding: bytes[range], as: UTF8.self) }
    var end = range.lowerBound + 37
    while end > range.lowerBound, bytes[end] & 0xC0 == 0x80 { end -= 1 }
    return String(decoding: bytes[range.lowerBound..<end], as: UTF8.self) + "..."
  }

  // MARK: - Nodes

  mutating func append(_ scalar: Scalar) {
    nodes.append(
      SyntaxTree.Node(
        start: UInt32(scalar.start), end: UInt32(scalar.end), next: UInt32(nodes.count + 1), kind: .scalar,
        style: scalar.style, hasEscapes: scalar.hasEscapes, isBroken: scalar.isBroken))
  }

  mutating func appendEmpty(at offset: Int, isBroken: Bool = false) {
    nodes.append(
      SyntaxTree.Node(
        start: UInt32(offset), end: UInt32(offset), next: UInt32(nodes.count + 1), kind: .empty, isBroken: isBroken))
  }

  /// Begins a collection; `close` ends it.
  mutating func open(_ kind: SyntaxKind, at offset: Int) -> Int {
    nodes.append(SyntaxTree.Node(start: UInt32(offset), end: UInt32(offset), next: 0, kind: kind))
    return nodes.count - 1
  }

  /// Ends a collection at the end of what it holds, or at `end`.
  mutating func close(_ collection: Int, end: Int? = nil) {
    nodes[collection].next = UInt32(nodes.count)
    // the last node may stand in brackets that are closed behind it
    closedEnd = end.map(UInt32.init) ?? max(nodes[nodes.count - 1].end, closedEnd)
    nodes[collection].end = closedEnd
    if nodes[collection].kind == .mapping { checkKeys(of: collection) }
  }

  mutating func markBroken(_ node: Int) {
    nodes[node].isBroken = true
  }

  /// Whether one more collection may be opened; if so the caller decreases `depth` at its end.
  mutating func canDescend() -> Bool {
    guard depth < SyntaxParser.maximumDepth else {
      reports.error(
        "too-deep", "collections are nested more than \(SyntaxParser.maximumDepth) deep here", at: position..<position + 1,
        help: "no policy needs that depth; check for a bracket or a dash too many")
      return false
    }
    depth += 1
    return true
  }
}

extension UInt8 {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20

  var isBlank: Bool { self == .space || self == .tab }
  var isBreak: Bool { self == .lineFeed || self == .carriageReturn }
  var isBlankOrBreak: Bool { isBlank || isBreak }
  /// A character that means something in a flow collection: `,`, `[`, `]`, `{` or `}`.
  var isFlowIndicator: Bool {
    switch self {
    case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"): true
    default: false
    }
  }
}
