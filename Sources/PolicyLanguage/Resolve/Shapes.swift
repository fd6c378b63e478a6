import Diagnostics

/// Whether nodes have the shape that their place asks for.
extension Resolver {
  /// The node's entries, if it is a mapping or says nothing; else an error, and none.
  @inline(__always)
  mutating func entries(_ node: SyntaxNode, in tree: SyntaxTree, of what: String, example: String) -> SyntaxEntries {
    if tree.kind(node) != .mapping { checkIsEmpty(node, in: tree, of: what, example: example) }
    return tree.entries(node)
  }

  private mutating func checkIsEmpty(_ node: SyntaxNode, in tree: SyntaxTree, of what: String, example: String) {
    if !tree.isEmpty(node) || tree.kind(node) == .scalar, !tree.isBroken(node) {
      let hasColon = tree.withUTF8(node) { $0.contains(UInt8(ascii: ":")) }
      report(
        .error, .wrongShape, "\(what) is a mapping of keys and values, not \(tree.kind(node).words)", at: tree.range(node),
        help: hasColon ? "write a blank behind the colon, as in `\(example)`" : "write it as in `\(example)`")
    }
  }

  /// The elements of a list of mappings, if the node is one or says nothing; else an error, and none.
  mutating func elements(_ node: SyntaxNode, in tree: SyntaxTree, of what: String, example: String) -> SyntaxElements {
    if tree.kind(node) != .sequence, !tree.isEmpty(node) || tree.kind(node) == .scalar, !tree.isBroken(node) {
      report(
        .error, .wrongShape, "\(what) is a list, not \(tree.kind(node).words)", at: tree.range(node),
        help: "write each entry behind a `-`, as in `\(example)`")
    }
    return tree.elements(node)
  }

  /// The values of a list of scalars; a mapping is an error.
  @inline(__always)
  mutating func items(_ node: SyntaxNode, in tree: SyntaxTree, of key: String) -> SyntaxElements {
    if tree.kind(node) == .mapping, !tree.isEmpty(node), !tree.isBroken(node) { reportMapping(node, in: tree, of: key) }
    return tree.items(node)
  }

  private mutating func reportMapping(_ node: SyntaxNode, in tree: SyntaxTree, of key: String) {
    report(
      .error, .wrongShape, "`\(key)` is a value or a list of values, not a mapping", at: tree.range(node),
      help: "write it as in `\(key): [a, b]`")
  }

  /// Reports a list that says nothing where something is needed.
  /// - Returns: Whether there is anything.
  mutating func isFilled(_ node: SyntaxNode, in tree: SyntaxTree, key: SyntaxNode, help: String) -> Bool {
    guard tree.kind(node) != .scalar, tree.isEmpty(node) else { return true }
    if !tree.isBroken(node) {
      let place = tree.kind(node) == .empty ? key : node
      report(
        .error, .emptyValue, "\(quoted(tree.text(key))) may not be empty", at: tree.range(place), help: help)
    }
    return false
  }

  /// Whether a node is a scalar that can be read; what else it is, is reported.
  mutating func isScalar(_ node: SyntaxNode, in tree: SyntaxTree, of key: String) -> Bool {
    if tree.isBroken(node) { return false }
    switch tree.kind(node) {
    case .scalar: return true
    case .empty:
      report(
        .error, .emptyValue, "this entry of `\(key)` is empty", at: tree.range(node), help: "write a value, or remove the entry"
      )
    case .mapping, .sequence:
      report(
        .error, .wrongShape, "an entry of `\(key)` is a single value, not \(tree.kind(node).words)", at: tree.range(node),
        help: "write one value for each entry")
    }
    return false
  }

  /// The text of a key's single value; nil if it says nothing, or after a report.
  mutating func text(_ node: SyntaxNode, in tree: SyntaxTree, of key: String) -> String? {
    isSingle(node, in: tree, of: key) ? tree.text(node) : nil
  }

  /// Whether a key has a single value; if it says nothing, it has none, and anything else is reported.
  mutating func isSingle(_ node: SyntaxNode, in tree: SyntaxTree, of key: String) -> Bool {
    if tree.isBroken(node) { return false }
    if tree.kind(node) == .scalar { return true }
    if !tree.isEmpty(node) {
      report(
        .error, .wrongShape, "`\(key)` is a single value, not \(tree.kind(node).words)", at: tree.range(node),
        help: "write one value behind the colon")
    }
    return false
  }

  /// A key's value that is one of a few words; nil if it says nothing, or after a report.
  mutating func word<Word: RawRepresentable & CaseIterable>(
    _ node: SyntaxNode, in tree: SyntaxTree, of key: String, as type: Word.Type = Word.self
  ) -> Word? where Word.RawValue == String {
    guard let text = text(node, in: tree, of: key) else { return nil }
    if let word = Word(rawValue: text) { return word }
    let words = Word.allCases.map(\.rawValue)
    let choices = words.map { "`\($0)`" }.joined(separator: " or ")
    if let ours = ForeignWords.value(text).first(where: words.contains) {
      report(
        .error, ForeignWords.isCloud(text) ? .cloudSpelling : .invalidValue,
        "\(quoted(text)) is not a value of `\(key)`", at: tree.range(node), help: "write `\(ours)`")
    } else {
      let nearest = Suggestion.nearest(text, among: words)
      report(
        .error, .invalidValue, "\(quoted(text)) is not a value of `\(key)`", at: tree.range(node),
        help: nearest.map { "did you mean `\($0)`?" } ?? "write \(choices)")
    }
    return nil
  }

  /// A key's value as a number within limits; nil if it says nothing, or after a report.
  mutating func number(
    _ node: SyntaxNode, in tree: SyntaxTree, of key: String, within limits: ClosedRange<Int>, code: DiagnosticCode, help: String
  ) -> Int? {
    guard isSingle(node, in: tree, of: key) else { return nil }
    let value = tree.withUTF8(node) { NumberScalar.value($0, limit: limits.upperBound) }
    if let value, limits.contains(value) { return value }
    report(.error, code, "\(quoted(tree.text(node))) is not a value of `\(key)`", at: tree.range(node), help: help)
    return nil
  }

  /// A key of the place, or nil after a report.
  mutating func key<Word: Key>(
    _ node: SyntaxNode, in tree: SyntaxTree, of what: String, as type: Word.Type = Word.self
  ) -> Word? {
    if let word = tree.withUTF8(node, { Word.table[$0] }) { return word }
    if !tree.isBroken(node) { reportUnknownKey(node, in: tree, of: what, Word.table) }
    return nil
  }

  private mutating func reportUnknownKey<Word: Key>(
    _ node: SyntaxNode, in tree: SyntaxTree, of what: String, _ table: WordTable<Word>
  ) {
    let text = tree.text(node)
    let ours = ForeignWords.key(text).filter(table.texts.contains)
    let known = "the keys of \(what) are \(table.texts.map { "`\($0)`" }.joined(separator: ", "))"
    if !ours.isEmpty {
      report(
        .error, .cloudSpelling, "\(quoted(text)) is not a key of \(what)", at: tree.range(node),
        help: "write \(ours.map { "`\($0)`" }.joined(separator: " or "))")
    } else {
      let nearest = Suggestion.nearest(text, among: table.texts)
      report(
        .error, .unknownKey, "\(quoted(text)) is not a key of \(what)", at: tree.range(node),
        help: nearest.map { "did you mean `\($0)`?" } ?? known)
    }
  }
}

extension SyntaxKind {
  /// With its article.
  var words: String {
    switch self {
    case .scalar: "a single value"
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .empty: "nothing"
    }
  }
}
