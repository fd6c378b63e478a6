import PacketSpace

/// Turns the statements of one listed rule into expressions.
///
///     {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null}
///     meta l4proto tcp  th dport 22  accept
struct JSONRuleReader {
  private let tree: JSONTree
  /// The table's sets: what `@name` may mean.
  private let setNames: Set<String>
  private(set) var expressions: [Expression] = []
  /// The one protocol that the rule's matches have left over so far.
  private var matchedProtocol: IPProtocol?

  init(_ tree: JSONTree, setNames: Set<String>) {
    self.tree = tree
    self.setNames = setNames
  }

  mutating func append(_ statement: JSONTree.Node) {
    if !appendKnown(statement) { expressions.append(.unknown(tree.text(statement))) }
  }

  /// Appends what the statement means; does nothing and says false where Cordon has no expression for it.
  private mutating func appendKnown(_ statement: JSONTree.Node) -> Bool {
    guard let (key, value) = tree.onlyMember(statement) else { return false }
    if tree.is(key, "match") { return appendMatch(value) }
    if tree.is(key, "vmap") { return appendLookup(value) }
    if let verdict = tree.verdict(statement) {
      expressions.append(.verdict(verdict))
    } else if tree.is(key, "counter") {
      guard isAnonymousCounter(value) else { return false }
      expressions.append(.counter)
    } else if tree.is(key, "limit") {
      if let name = tree.name(value) {
        expressions.append(.namedLimit(name))
      } else if let rate = tree.packetsPerSecond(value, besides: []) {
        expressions.append(.limit(packetsPerSecond: rate))
      } else {
        return false
      }
    } else if tree.is(key, "log") {
      guard let log = log(value) else { return false }
      expressions.append(log)
    } else {
      return false
    }
    return true
  }

  private mutating func appendMatch(_ node: JSONTree.Node) -> Bool {
    guard tree.members(node).count == 3, let op = tree[node, "op"], let left = tree[node, "left"],
      let right = tree[node, "right"],
      let (key, protocols) = tree.key(left)
    else { return false }
    let operand: Operand?
    let isNegated: Bool
    if case .field(.connectionState) = key, tree.is(op, "in") || tree.is(op, "!") {
      // a bit test: the state of a packet is one bit, so it says the same as a set of values
      operand = bits(right)
      isNegated = tree.is(op, "!")
    } else {
      guard tree.is(op, "==") || tree.is(op, "!=") else { return false }
      operand = self.operand(right, key)
      isNegated = tree.is(op, "!=")
    }
    guard let operand, appendProtocols(protocols) else { return false }
    let match = Match(key, operand, isNegated: isNegated)
    expressions.append(.match(match))
    if key == .field(.l4proto), !isNegated, case .value(let value) = operand, value.isSingle {
      matchedProtocol = IPProtocol(rawValue: UInt8(value.lower))
    }
    return true
  }

  private mutating func appendLookup(_ node: JSONTree.Node) -> Bool {
    guard tree.members(node).count == 2, let keyNode = tree[node, "key"], let data = tree[node, "data"],
      let (key, protocols) = tree.key(keyNode)
    else { return false }
    let source: VerdictLookup.Source
    if tree.kind(data) == .string {
      guard let name = setName(data) else { return false }
      source = .named(name)
    } else {
      guard let (setKey, set) = tree.onlyMember(data), tree.is(setKey, "set") else { return false }
      let types = key.fields.map(\.dataType)
      var elements = VerdictElements(stride: types.count)
      for pair in tree.elements(set) {
        let parts = tree.elements(pair)
        guard parts.count == 2, let element = tree.element(parts[0], types), let verdict = tree.verdict(parts[1]) else {
          return false
        }
        elements.append(contentsOf: element, verdict: verdict)
      }
      if elements.isEmpty { return false }
      source = .anonymous(elements)
    }
    guard appendProtocols(protocols) else { return false }
    expressions.append(.lookup(VerdictLookup(key, source)))
    return true
  }

  /// The match of `meta l4proto` behind which a `tcp dport` stands, where the rule hasn't got it yet.
  private mutating func appendProtocols(_ protocols: [IPProtocol]) -> Bool {
    if protocols.count > 1 { return false }
    if let ipProtocol = protocols.first, ipProtocol != matchedProtocol {
      expressions.append(.match(Match(.l4proto, Interval(UInt128(ipProtocol.rawValue)))))
      matchedProtocol = ipProtocol
    }
    return true
  }

  private func operand(_ node: JSONTree.Node, _ key: Key) -> Operand? {
    let types = key.fields.map(\.dataType)
    if let name = setName(node) {
      // a link may be called @x too, and is listed like a set
      if types != [.interfaceName] || setNames.contains(name) { return .named(name) }
    }
    if let (setKey, set) = tree.onlyMember(node), tree.is(setKey, "set") {
      var elements = Elements(stride: types.count)
      for node in tree.elements(set) {
        guard let element = tree.element(node, types) else { return nil }
        elements.append(contentsOf: element)
      }
      return elements.isEmpty ? nil : .anonymous(elements)
    }
    guard let element = tree.element(node, types) else { return nil }
    return types.count == 1 ? .value(element[0]) : .anonymous(Elements(stride: types.count, element))
  }

  /// The set or map that `"@name"` names, where its name is one that `TextWriter` writes.
  private func setName(_ node: JSONTree.Node) -> String? {
    guard let text = tree.string(node), text.hasPrefix("@"), text.utf8.count > 1 else { return nil }
    return text.utf8.dropFirst().allSatisfy(SafeText.isName) ? String(text.dropFirst()) : nil
  }

  /// One state, or a list of them.
  private func bits(_ node: JSONTree.Node) -> Operand? {
    let nodes = tree.kind(node) == .array ? tree.elements(node) : [node]
    var values: [Interval] = []
    for node in nodes {
      guard let value = tree.interval(node, .connectionState), value.isSingle, value.lower.nonzeroBitCount == 1 else {
        return nil
      }
      values.append(value)
    }
    if values.isEmpty { return nil }
    return values.count == 1 ? .value(values[0]) : .anonymous(Elements(values))
  }

  private func isAnonymousCounter(_ node: JSONTree.Node) -> Bool {
    switch tree.kind(node) {
    case .literalNull: true
    case .object: tree.members(node).allSatisfy { tree.is($0.key, "packets") || tree.is($0.key, "bytes") }
    case .array, .string, .number, .literalTrue, .literalFalse: false
    }
  }

  private func log(_ node: JSONTree.Node) -> Expression? {
    guard tree.kind(node) == .literalNull || tree.kind(node) == .object else { return nil }
    var prefix = ""
    var group: UInt16?
    for (key, value) in tree.members(node) {
      if tree.is(key, "prefix"), let text = tree.string(value) {
        prefix = text
      } else if tree.is(key, "group"), let number = tree.integer(value, as: UInt16.self) {
        group = number
      } else if tree.is(key, "level"), tree.is(value, "warn") {
        continue  // the default
      } else {
        return nil
      }
    }
    return .log(prefix: prefix, group: group)
  }
}

extension JSONTree {
  /// The rate of a limit that is one of packets a second with nft's burst of 5, and has nothing else but what is named in
  /// `besides`.
  func packetsPerSecond(_ node: Node, besides: [String]) -> UInt64? {
    var rate: UInt64?
    var isPerSecond = false
    for (key, value) in members(node) {
      if self.is(key, "rate") {
        rate = integer(value)
      } else if self.is(key, "per") {
        isPerSecond = self.is(value, "second")
      } else if self.is(key, "burst") {
        guard integer(value, as: UInt64.self) == 5 else { return nil }
      } else if self.is(key, "inv") {
        guard kind(value) == .literalFalse else { return nil }
      } else if self.is(key, "rate_unit") || self.is(key, "burst_unit") {
        guard self.is(value, "packets") else { return nil }
      } else if !besides.contains(string(key) ?? "") {
        return nil
      }
    }
    return isPerSecond ? rate : nil
  }
}
