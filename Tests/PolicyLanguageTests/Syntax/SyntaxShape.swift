import Diagnostics
import Yams

@testable import PolicyLanguage

/// A document's tree without places, to compare with another parser's.
indirect enum SyntaxShape: Equatable, CustomStringConvertible {
  case scalar(String)
  case mapping([Pair])
  case sequence([SyntaxShape])

  struct Pair: Equatable {
    var key: SyntaxShape
    var value: SyntaxShape
  }

  var description: String {
    switch self {
    case .scalar(let text): text.debugDescription
    case .mapping(let pairs): "{" + pairs.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
    case .sequence(let elements): "[" + elements.map(\.description).joined(separator: ", ") + "]"
    }
  }

  /// What our parser reads.
  init(_ tree: SyntaxTree, _ node: SyntaxNode) {
    switch tree.kind(node) {
    case .scalar: self = .scalar(tree.text(node))
    case .empty: self = .scalar("")
    case .mapping:
      self = .mapping(
        tree.entries(node).map { Pair(key: SyntaxShape(tree, $0.key), value: SyntaxShape(tree, $0.value)) })
    case .sequence: self = .sequence(tree.elements(node).map { SyntaxShape(tree, $0) })
    }
  }

  /// What Yams reads.
  init(_ node: Yams.Node) {
    switch node {
    case .scalar(let scalar): self = .scalar(scalar.string)
    case .mapping(let mapping):
      self = .mapping(mapping.map { Pair(key: SyntaxShape($0.key), value: SyntaxShape($0.value)) })
    case .sequence(let sequence): self = .sequence(sequence.map { SyntaxShape($0) })
    case .alias: self = .scalar("an alias")
    }
  }

  /// Our parser's tree, and its diagnostics' codes.
  static func ours(_ bytes: [UInt8]) -> (shape: SyntaxShape?, codes: [String]) {
    var diagnostics: [Diagnostic] = []
    let tree = SyntaxParser.parse(SourceFile(name: "policy.yaml", bytes: bytes), index: 0, into: &diagnostics)
    return (tree.map { SyntaxShape($0, $0.root) }, diagnostics.map(\.code))
  }

  /// Yams' tree of a single document; nil if it refuses the text. (It takes the encoding for known, and so doesn't skip a byte
  /// order mark as libyaml does.)
  static func theirs(_ bytes: [UInt8]) -> SyntaxShape? {
    guard let text = String(validating: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...], as: UTF8.self) else {
      return nil
    }
    guard let parser = try? Yams.Parser(yaml: text) else { return nil }
    do {
      let root = try parser.singleRoot()
      return root.map { SyntaxShape($0) } ?? .scalar("")
    } catch {
      return nil
    }
  }
}
