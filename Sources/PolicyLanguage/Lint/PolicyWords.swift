import Diagnostics

/// What the linter asks of a policy's text, since the model no longer knows it: which names are written where, and its comments.
struct PolicyWords: Sendable {
  /// The scalars that stand where a service may be named.
  private(set) var services: Set<String> = []
  /// The scalars that stand where a prefix list may be named.
  private(set) var peers: Set<String> = []
  /// The groups that say what their members may do with each other.
  private(set) var groupsWithIntraGroup: Set<String> = []
  /// Whether the options say what egress within a group is.
  private(set) var saysIntraGroupEgress = false
  /// Comments, in the order of the files and of their text.
  private(set) var comments: [SourceRange] = []

  init() {}

  /// Reads the files again. They have been accepted, so nothing is reported.
  init(_ sources: SourceFiles) {
    for (index, file) in sources.files.enumerated() {
      var ignored: [Diagnostic] = []
      guard let tree = SyntaxParser.parse(file, index: index, into: &ignored) else { continue }
      comments += tree.comments
      for entry in tree.entries(tree.root) {
        if tree.has(entry.key, text: "services") {
          for service in tree.entries(entry.value) { collect(service.value, tree, into: \.services) }
        } else {
          if tree.has(entry.key, text: "groups") { readGroups(entry.value, tree) }
          if tree.has(entry.key, text: "options") {
            saysIntraGroupEgress = tree.entries(entry.value).contains { tree.has($0.key, text: "intra-group-egress") }
          }
          read(entry.value, tree)
        }
      }
    }
  }

  private mutating func readGroups(_ node: SyntaxNode, _ tree: SyntaxTree) {
    for group in tree.entries(node) where tree.entries(group.value).contains(where: { tree.has($0.key, text: "intra-group") }) {
      groupsWithIntraGroup.insert(tree.text(group.key))
    }
  }

  private mutating func read(_ node: SyntaxNode, _ tree: SyntaxTree) {
    for element in tree.elements(node) { read(element, tree) }
    for (key, value) in tree.entries(node) {
      if PolicyWords.serviceKeys.contains(where: { tree.has(key, text: $0) }) {
        collect(value, tree, into: \.services)
      } else if PolicyWords.peerKeys.contains(where: { tree.has(key, text: $0) }) {
        collect(value, tree, into: \.peers)
      } else {
        read(value, tree)
      }
    }
  }

  private mutating func collect(_ node: SyntaxNode, _ tree: SyntaxTree, into set: WritableKeyPath<PolicyWords, Set<String>>) {
    if tree.kind(node) == .scalar { self[keyPath: set].insert(tree.text(node)) }
    for element in tree.elements(node) { collect(element, tree, into: set) }
  }

  private static let serviceKeys: [StaticString] = ["allow", "deny", "service"]
  private static let peerKeys: [StaticString] = [
    "from", "to", "except-from", "except-to", "exempt-from", "exempt-to", "members",
  ]
}
