public import Diagnostics

/// What a node of the syntax tree is. Every scalar is text: the place where it stands gives it its type.
public enum SyntaxKind: UInt8, Hashable, Sendable {
  case scalar, mapping, sequence
  /// Nothing where a value could stand, as behind the colon of `ingress:`.
  case empty
}

/// A node of one `SyntaxTree`; means nothing in another.
public struct SyntaxNode: Hashable, Sendable {
  let index: UInt32
}

/// A policy file as mappings, sequences and scalars, every one with its place in the text.
///
/// The nodes stand in one array in the order of the text: a collection, then what it holds (key, value, key, value, … or the
/// elements), each with the index behind its own last descendant. No node owns memory; text is read from the file's bytes.
///
/// It never changes, and is a class since it goes through all hands: one reference to count instead of one for each array.
public final class SyntaxTree: Sendable {
  /// Index of the file in `SourceFiles`, as ranges name it.
  public let file: Int
  /// The file's bytes.
  public let bytes: [UInt8]
  /// Where comments stand, from `#` to the end of their lines, in order.
  public let comments: [SourceRange]
  let nodes: [Node]

  struct Node {
    enum Style: UInt8 { case plain, singleQuoted, doubleQuoted }

    /// The place in the text, quotes and brackets included.
    var start: UInt32
    var end: UInt32
    /// The index behind the last descendant.
    var next: UInt32
    var kind: SyntaxKind
    var style = Style.plain
    /// The quoted text is not the value as it stands.
    var hasEscapes = false
    var isBroken = false

    /// A scalar's text within its quotes.
    var content: Range<Int> {
      let quote = style == .plain ? 0 : 1
      return Int(start) + quote..<Int(end) - quote
    }
  }

  init(file: Int, bytes: [UInt8], comments: [SourceRange], nodes: [Node]) {
    self.file = file
    self.bytes = bytes
    self.comments = comments
    self.nodes = nodes
  }

  /// The whole document; of kind `empty` if there is nothing in the file.
  public var root: SyntaxNode { SyntaxNode(index: 0) }

  public func kind(_ node: SyntaxNode) -> SyntaxKind { self[node].kind }

  /// The node's text with its quotes or brackets; a block collection's from its first key or dash to its last value. An empty
  /// node has no width and stands where the value could.
  public func range(_ node: SyntaxNode) -> SourceRange {
    SourceRange(file: file, start: Int(self[node].start), end: Int(self[node].end))
  }

  /// An entry's text from its key to the end of its value.
  public func range(_ entry: (key: SyntaxNode, value: SyntaxNode)) -> SourceRange {
    range(entry.key).joined(with: range(entry.value))
  }

  /// Whether the node is a scalar in 'single' or "double" quotes.
  public func isQuoted(_ node: SyntaxNode) -> Bool { self[node].style != .plain }

  /// Whether something in the node, or directly in the collection, was an error that has been reported. What it says is not to
  /// be relied on, and what it lacks is not to be reported again.
  public func isBroken(_ node: SyntaxNode) -> Bool { self[node].isBroken }

  /// A scalar's value, escapes decoded; of anything else, the empty string.
  public func text(_ node: SyntaxNode) -> String { self[node].text(in: bytes) }

  /// Calls `body` with a scalar's value in UTF-8, escapes decoded; of anything else, with nothing. The bytes are the file's own
  /// unless there are escapes.
  public func withUTF8<Result>(_ node: SyntaxNode, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
    try self[node].withUTF8(in: bytes, body)
  }

  /// Whether a scalar's value is `text`.
  public func has(_ node: SyntaxNode, text: StaticString) -> Bool {
    guard self[node].kind == .scalar else { return false }
    return withUTF8(node) { $0.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }
  }

  /// A mapping's entries in the order of the text; none of anything else.
  func entries(_ node: SyntaxNode) -> SyntaxEntries { SyntaxEntries(nodes: children(node, of: .mapping)) }

  /// A sequence's elements in the order of the text; none of anything else.
  func elements(_ node: SyntaxNode) -> SyntaxElements { children(node, of: .sequence) }

  /// How many entries or elements a node has; counted by walking them.
  public func count(_ node: SyntaxNode) -> Int {
    switch kind(node) {
    case .scalar, .empty: 0
    case .mapping: entries(node).reduce(0) { count, _ in count + 1 }
    case .sequence: elements(node).reduce(0) { count, _ in count + 1 }
    }
  }

  /// Whether a node has neither entries nor elements.
  public func isEmpty(_ node: SyntaxNode) -> Bool { self[node].next == node.index + 1 }

  /// A sequence's elements, or the scalar that stands for a list of one; none of anything else.
  func items(_ node: SyntaxNode) -> SyntaxElements {
    kind(node) == .scalar ? SyntaxElements(self, from: node.index, to: node.index + 1) : elements(node)
  }

  private func children(_ node: SyntaxNode, of kind: SyntaxKind) -> SyntaxElements {
    let stored = self[node]
    return SyntaxElements(self, from: node.index + 1, to: stored.kind == kind ? stored.next : node.index + 1)
  }

  private subscript(node: SyntaxNode) -> Node { nodes[Int(node.index)] }
}

extension SyntaxTree.Node {
  /// As `SyntaxTree.text`, of a node of a text.
  func text(in text: [UInt8]) -> String { withUTF8(in: text) { String(decoding: $0, as: UTF8.self) } }

  /// As `SyntaxTree.withUTF8`, of a node of a text.
  func withUTF8<Result>(in text: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
    guard kind == .scalar else { return try body(UnsafeBufferPointer(start: nil, count: 0)) }
    if hasEscapes { return try ScalarText.decode(text[content], style: style).withUnsafeBufferPointer(body) }
    return try text.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[content])) }
  }
}

/// The elements of a sequence, to be walked while there is the tree: it must be used in the loop or behind it.
struct SyntaxElements: Sequence, IteratorProtocol {
  /// Not counted as a reference: that would cost more than the walk through a list of one.
  private let tree: Unmanaged<SyntaxTree>
  private var position: UInt32
  private let end: UInt32

  init(_ tree: SyntaxTree, from position: UInt32, to end: UInt32) {
    self.tree = Unmanaged.passUnretained(tree)
    self.position = position
    self.end = end
  }

  mutating func next() -> SyntaxNode? {
    guard position < end else { return nil }
    defer { position = tree._withUnsafeGuaranteedRef { $0.nodes[Int(position)].next } }
    return SyntaxNode(index: position)
  }
}

/// The entries of a mapping, to be walked while there is the tree, as `SyntaxElements`.
struct SyntaxEntries: Sequence, IteratorProtocol {
  var nodes: SyntaxElements

  mutating func next() -> (key: SyntaxNode, value: SyntaxNode)? {
    guard let key = nodes.next(), let value = nodes.next() else { return nil }
    return (key, value)
  }
}
