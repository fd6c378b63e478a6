import Diagnostics

/// A name of the policy and what stands behind it.
struct Declaration {
  var tree: Int
  var key: SyntaxNode
  var value: SyntaxNode
  /// Whether the name is its own; if not, what stands behind it is checked and then left out.
  var isValid: Bool
}

/// All that the files hold, by section.
struct Declarations {
  var networks: [Declaration] = []
  var prefixLists: [Declaration] = []
  var services: [Declaration] = []
  var groups: [Declaration] = []
  var instances: [Declaration] = []
  var options: [Declaration] = []
  var expectations: [(tree: Int, node: SyntaxNode)] = []
}

extension Resolver {
  /// Joins the sections of all files, and gives every name its index.
  mutating func declareAll() {
    var isEmpty = true
    for (index, tree) in trees.enumerated() {
      for (key, value) in entries(tree.root, in: tree, of: "a policy", example: "groups: {web: {}}") {
        guard let section = self.key(key, in: tree, of: "a policy", as: TopLevelKey.self) else {
          isEmpty = false
          continue
        }
        if section != .version, tree.kind(value) == .scalar || !tree.isEmpty(value) { isEmpty = false }
        declare(section, Declaration(tree: index, key: key, value: value, isValid: true), in: tree)
      }
    }
    if isEmpty, !isIncomplete, !diagnostics.contains(where: { $0.severity == .error }) {
      // a file may be two trees
      let ranges = trees.map { $0.range($0.root) }
      let last = ranges.last { $0.file == ranges[0].file }
      report(
        .error, .emptyPolicy, "the policy says nothing",
        at: last.map { ranges[0].joined(with: $0) },
        help: "write `groups`, with rules, and `instances`, with their addresses")
    }
  }

  private mutating func declare(_ section: TopLevelKey, _ entry: Declaration, in tree: SyntaxTree) {
    switch section {
    case .version:
      guard isSingle(entry.value, in: tree, of: "version"), !tree.has(entry.value, text: "1") else { return }
      report(
        .error, .invalidValue, "there is no version \(quoted(tree.text(entry.value))) of the language",
        at: tree.range(entry.value),
        help: "write `version: 1`, or leave it out")
    case .options: declareOptions(entry, in: tree)
    case .expect:
      let example = "- {allow: https, from: any, to: web}"
      for node in elements(entry.value, in: tree, of: "`expect`", example: example) {
        declarations.expectations.append((entry.tree, node))
      }
    case .networks:
      let start = declarations.networks.count
      declarations.networks.join(named(entry, .network, "networks: {prod: 10.0.0.0/8}", in: tree, from: start))
    case .prefixLists:
      let start = declarations.prefixLists.count
      declarations.prefixLists.join(
        named(entry, .prefixList, "prefix-lists: {office: 203.0.113.0/24}", in: tree, from: start))
    case .services:
      let start = declarations.services.count
      declarations.services.join(named(entry, .service, "services: {app: tcp/8080}", in: tree, from: start))
    case .groups:
      let start = declarations.groups.count
      declarations.groups.join(named(entry, .group, "groups: {web: {type: basic}}", in: tree, from: start))
    case .instances:
      let start = declarations.instances.count
      let example = "instances: {web-1: {addresses: 10.0.0.1, groups: web}}"
      declarations.instances.join(named(entry, .instance, example, in: tree, from: start))
    }
  }

  private mutating func declareOptions(_ entry: Declaration, in tree: SyntaxTree) {
    // twice in one file is the parser's affair
    if let first = declarations.options.first, first.tree != entry.tree {
      report(
        .error, .duplicateOptions, "`options` stand in two files", at: tree.range(entry.key),
        help: "write all options in one file",
        notes: [Diagnostic.Note("they stand here first", at: trees[first.tree].range(first.key))])
    }
    declarations.options.append(entry)
  }

  /// The named entries of a section, entered in the names of their kind with indices from `start`.
  private mutating func named(
    _ section: Declaration, _ kind: Definition.Kind, _ example: String, in tree: SyntaxTree, from start: Int
  ) -> [Declaration] {
    let count = tree.count(section.value)
    switch kind {
    case .network: networkNames.reserve(count)
    case .service: serviceNames.reserve(count)
    case .prefixList, .group, .instance: peerNames.reserve(count)
    }
    var result: [Declaration] = []
    result.reserveCapacity(count)
    for (key, value) in entries(section.value, in: tree, of: quoted(tree.text(section.key)), example: example) {
      let definition = Definition(kind: kind, index: start + result.count, range: tree.range(key))
      let isValid = enter(key, definition, in: tree)
      result.append(Declaration(tree: section.tree, key: key, value: value, isValid: isValid))
    }
    return result
  }

  /// Enters a name, and says whether it is in order and its own.
  private mutating func enter(_ key: SyntaxNode, _ definition: Definition, in tree: SyntaxTree) -> Bool {
    if tree.isBroken(key) || tree.kind(key) != .scalar { return false }
    return tree.withUTF8(key) { name in
      if let problem = NameScalar.problem(name, mayHaveAccount: definition.kind == .group) {
        report(problem, at: key, in: tree)
      } else if definition.kind == .service, ServiceScalar.ipProtocol(name) != nil {
        report(
          .error, .invalidName, "\(quoted(name)) is a protocol, and a service can't bear its name", at: definition.range,
          help: "choose another name, such as `my-\(name.string)`")
        return false
      }
      let first =
        switch definition.kind {
        case .network: networkNames.insert(name, definition)
        case .service: serviceNames.insert(name, definition)
        case .prefixList, .group, .instance: peerNames.insert(name, definition)
        }
      guard let first else { return true }
      reportDuplicate(name, definition, first)
      return false
    }
  }

  private mutating func reportDuplicate(_ name: ScalarBytes, _ second: Definition, _ first: Definition) {
    // the parser has reported a key that stands in one mapping twice
    if first.kind == second.kind, first.range.file == second.range.file { return }
    let sharing = first.kind == second.kind ? "" : ": groups, prefix lists and instances share their names"
    report(
      .error, .duplicateName,
      first.kind == second.kind
        ? "the \(second.kind.rawValue) \(quoted(name)) is defined twice"
        : "\(quoted(name)) is the name of \(first.kind.words) already\(sharing)",
      at: second.range, help: "choose another name, or remove one",
      notes: [Diagnostic.Note("it is defined here first", at: first.range)])
  }
}

extension [Declaration] {
  /// Appends the entries of one more section, which mostly is the first.
  fileprivate mutating func join(_ section: consuming [Declaration]) {
    if isEmpty { self = section } else { self += section }
  }
}
