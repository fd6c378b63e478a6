import Diagnostics
import PacketSpace

/// The rules of groups.
extension Resolver {
  mutating func resolveRules() {
    var index = 0
    inHalves(policy.groups.count) {
      $0.rules(of: $1)
    } taking: { resolver, rules in
      for rules in rules {
        resolver.policy.groups[index].ingress = rules.ingress
        resolver.policy.groups[index].egress = rules.egress
        index += 1
      }
    }
  }

  /// The rules of some groups.
  private mutating func rules(of groups: Range<Int>) -> [(ingress: [Rule], egress: [Rule])] {
    groups.map { index in
      var both: (ingress: [Rule], egress: [Rule]) = ([], [])
      for direction in Direction.allCases {
        guard let node = direction == .ingress ? groupRules[index].ingress : groupRules[index].egress else { continue }
        let tree = trees[groupRules[index].tree]
        let key = direction.rawValue
        let example = "- \(direction.example)"
        var rules: [Rule] = []
        rules.reserveCapacity(tree.count(node))
        for rule in elements(node, in: tree, of: "`\(key)`", example: example) {
          resolve(rule: rule, in: tree, of: index, direction, into: &rules)
        }
        if policy.groups[index].isExternal, !tree.isEmpty(node) {
          report(
            .error, .externalWithRules,
            "the group \(quoted(policy.groups[index].name)) is external, so its rules are enforced by somebody else",
            at: firstLine(tree.elements(node).first { _ in true } ?? node, in: tree),
            help: "remove the rules, or `external`")
        }
        if direction == .ingress { both.ingress = rules } else { both.egress = rules }
      }
      return both
    }
  }

  /// The first entry of a mapping, which is enough to underline.
  func firstLine(_ node: SyntaxNode, in tree: SyntaxTree) -> SourceRange {
    tree.entries(node).first { _ in true }.map { tree.range($0) } ?? tree.range(node)
  }

  private mutating func resolve(
    rule node: SyntaxNode, in tree: SyntaxTree, of group: Int, _ direction: Direction, into rules: inout [Rule]
  ) {
    let what = direction.rule
    var nodes = FlowNodes()
    var priority: UInt8 = 1
    var description: String?
    for (key, value) in entries(node, in: tree, of: what, example: direction.example) {
      guard let word = self.key(key, in: tree, of: what, as: RuleKey.self) else {
        nodes.isDoubtful = true
        continue
      }
      switch word {
      case .allow: nodes.allow = (key, value)
      case .deny: nodes.deny = (key, value)
      case .from: nodes.from = (key, value)
      case .to: nodes.to = (key, value)
      case .sourcePorts: nodes.sourcePorts = (key, value)
      case .priority: priority = self.priority(value, in: tree) ?? 1
      case .description: description = text(value, in: tree, of: "description")
      }
    }
    nodes.isDoubtful = nodes.isDoubtful || tree.isBroken(node)
    if tree.kind(node) == .scalar || tree.kind(node) == .sequence { return }

    let action = action(nodes, node, in: tree, of: what)
    var services = EntryList()
    let terms = action.map { self.services($0.entry, key: $0.action.rawValue, in: tree, &services, warnsOfReplies: true) } ?? []

    var peers = EntryList()
    let (peerEntry, ownEntry) = direction == .ingress ? (nodes.from, nodes.to) : (nodes.to, nodes.from)
    let others = self.peers(peerEntry, key: direction.otherEnd, node, in: tree, nodes.isDoubtful, of: what, &peers)
    for (number, peer) in others.enumerated() where peer.hasNetwork {
      check(peer, peers[number].node, in: tree, of: group, direction)
    }

    var owns = EntryList()
    let own = ownEntry.flatMap { self.own($0, key: direction.ownEnd, in: tree, of: group, &owns) }
    let sourcePorts = nodes.sourcePorts.flatMap { self.sourcePorts($0, in: tree) }
    if nodes.sourcePorts != nil { checkSourcePorts(services, in: tree) }
    checkFamilies(services, peers, ownEntry == nil ? nil : owns, in: tree, direction)

    guard let action else { return }
    rules.append(
      Rule(
        action: action.action, services: terms, peers: others, own: own, sourcePorts: sourcePorts, priority: priority,
        description: description, range: tree.range(node)))
  }

  // MARK: - What rules and expectations have in common

  /// `allow` or `deny`, exactly one.
  mutating func action(
    _ nodes: FlowNodes, _ node: SyntaxNode, in tree: SyntaxTree, of what: String
  ) -> (action: Action, entry: FlowNodes.Entry)? {
    switch (nodes.allow, nodes.deny) {
    case (let allow?, nil): return (.allow, allow)
    case (nil, let deny?): return (.deny, deny)
    case (let allow?, let deny?):
      let (first, second) = tree.range(allow.key).start < tree.range(deny.key).start ? (allow, deny) : (deny, allow)
      report(
        .error, .allowAndDeny, "\(what) has either `allow` or `deny`, not both", at: tree.range(second.key),
        help: "write two entries", notes: [Diagnostic.Note("the other one stands here", at: tree.range(first.key))])
      return nil
    case (nil, nil):
      if !nodes.isDoubtful {
        report(
          .error, .noAction, "\(what) needs `allow` or `deny`", at: firstLine(node, in: tree),
          help: "write `allow: ssh`, for example")
      }
      return nil
    }
  }

  /// The services of `allow` or `deny`.
  mutating func services(
    _ entry: FlowNodes.Entry, key: String, in tree: SyntaxTree, _ list: inout EntryList, warnsOfReplies: Bool = false
  ) -> [ServiceTerm] {
    guard isFilled(entry.value, in: tree, key: entry.key, help: "name at least one service, or `all`") else {
      list.isUnsure = true
      return []
    }
    var terms: [ServiceTerm] = []
    for item in items(entry.value, in: tree, of: key) {
      guard let reading = service(item, in: tree, of: key) else {
        list.isUnsure = true
        continue
      }
      let isWritten = if case .terms = reading { true } else { false }
      let added = self.terms(of: reading)
      if warnsOfReplies, isWritten { warnOfReplies(added, item, in: tree) }
      if added.isEmpty { list.isUnsure = true }
      list.add(item, FamilySet(added), hasPorts: added.allSatisfy(\.hasPorts))
      append(added, to: &terms, at: item, in: tree)
    }
    return terms
  }

  /// The peers of one end, which is needed.
  mutating func peers(
    _ entry: FlowNodes.Entry?, key: String, _ node: SyntaxNode, in tree: SyntaxTree, _ isDoubtful: Bool, of what: String,
    _ list: inout EntryList
  ) -> [Peer] {
    guard let entry else {
      list.isUnsure = true
      if !isDoubtful {
        report(
          .error, .neededKey, "\(what) needs `\(key)`", at: firstLine(node, in: tree),
          help: "write `\(key): any` for every address")
      }
      return []
    }
    guard isFilled(entry.value, in: tree, key: entry.key, help: "name at least one peer, or `any`") else {
      list.isUnsure = true
      return []
    }
    var peers: [Peer] = []
    for item in items(entry.value, in: tree, of: key) {
      guard let peer = peer(item, in: tree, at: .otherEnd(key)) else {
        list.isUnsure = true
        continue
      }
      list.add(item, families(of: peer))
      if peers.isEmpty { peers = alone(peer) } else { peers.append(peer) }
    }
    return peers
  }

  /// The source ports of a list, ascending and disjoint; nil after a report.
  mutating func sourcePorts(_ entry: FlowNodes.Entry, in tree: SyntaxTree) -> [PortRange]? {
    guard isFilled(entry.value, in: tree, key: entry.key, help: "write ports, or leave `source-ports` out for any") else {
      return nil
    }
    var ports: [PortRange] = []
    for item in items(entry.value, in: tree, of: "source-ports") where isScalar(item, in: tree, of: "source-ports") {
      switch tree.withUTF8(item, { PortScalar.read($0) }) {
      case .ports(let range): ports.append(range)
      case .problem(let problem): report(problem, at: item, in: tree)
      }
    }
    return ports.isEmpty ? nil : PortRange.joined(ports)
  }

  /// Source ports are for services that have them, each part of each.
  mutating func checkSourcePorts(_ services: EntryList, in tree: SyntaxTree) {
    for entry in services.entries where !entry.hasPorts {
      report(
        .error, .sourcePortsWithoutPorts,
        "\(quoted(tree.text(entry.node))) has parts without ports, so `source-ports` can't narrow it",
        at: tree.range(entry.node), help: "write a rule of its own for what is not tcp, udp or sctp")
    }
  }

  // MARK: - What only rules have

  private mutating func priority(_ node: SyntaxNode, in tree: SyntaxTree) -> UInt8? {
    number(
      node, in: tree, of: "priority", within: 1...100, code: .invalidPriority,
      help: "write 1, the strongest, to 100, the weakest"
    ).map { UInt8($0) }
  }

  /// The own addresses that a rule is narrowed to.
  private mutating func own(
    _ entry: FlowNodes.Entry, key: String, in tree: SyntaxTree, of group: Int, _ list: inout EntryList
  ) -> AddressSet? {
    guard isFilled(entry.value, in: tree, key: entry.key, help: "write some of the group's own addresses, or leave it out")
    else {
      list.isUnsure = true
      return nil
    }
    var own: AddressSet?
    let members = policy.groups[group].members
    for item in items(entry.value, in: tree, of: key) {
      guard let peer = peer(item, in: tree, at: .ownEnd(key)) else {
        list.isUnsure = true
        continue
      }
      list.add(item, families(of: peer))
      let addresses = policy.addresses(of: peer)
      if !members.isEmpty, !isIncomplete, !addresses.meets(members) {
        report(
          .warning, .ownEndOutsideGroup,
          "\(quoted(tree.text(item))) has no address of the group \(quoted(policy.groups[group].name)), so it matches nothing",
          at: tree.range(item), help: "`\(key)` narrows the rule to some of the group's own addresses")
      }
      guard let joined = own else {
        own = addresses
        continue
      }
      let size = joined.count + addresses.count
      guard ownRangesLeft > 0 else { continue }
      ownRangesLeft -= size
      if ownRangesLeft <= 0 {
        report(
          .error, .tooManyAddresses, "the own ends of this policy's rules hold too many addresses, named again and again",
          at: tree.range(item), help: "join large prefix lists to one, and name that alone")
        continue
      }
      own = joined.union(addresses)
    }
    return own
  }

  private mutating func check(_ peer: Peer, _ node: SyntaxNode, in tree: SyntaxTree, of group: Int, _ direction: Direction) {
    let network: NetworkReference
    let range: SourceRange
    switch peer {
    case .any, .addresses, .prefixList: return
    case .group(let index):
      if index == group {
        report(
          .warning, .selfReference, "the group \(quoted(tree.text(node))) names itself", at: tree.range(node),
          help: direction == .ingress && policy.groups[group].type == .basic && policy.groups[group].intraGroup == .allow
            ? "a basic group's members reach each other without a rule" : "the rule is for flows between members of the group")
      }
      network = groupNetworks[index]
      range = policy.groups[index].range
    case .instance(let index):
      network = instanceNetworks[index]
      range = policy.instances[index].range
    }
    let own = groupNetworks[group]
    if network == own || network == .unknown || own == .unknown { return }
    report(
      .error, .crossingNetworks,
      "\(quoted(tree.text(node))) is in \(words(network)), and the group \(quoted(policy.groups[group].name)) in \(words(own))",
      at: tree.range(node), help: "name its addresses or a prefix list instead",
      notes: [Diagnostic.Note("\(quoted(tree.text(node))) is defined here", at: range)])
  }

  /// An entry that can take part in no match, because the families can't meet, is an error.
  private mutating func checkFamilies(
    _ services: EntryList, _ peers: EntryList, _ owns: EntryList?, in tree: SyntaxTree, _ direction: Direction
  ) {
    let (s, p, o) = (services.union, peers.union, owns?.union ?? .both)
    // nearly always every entry meets every other
    if !services.common.isDisjoint(with: p.intersection(o)), !peers.common.isDisjoint(with: s.intersection(o)),
      owns.map({ !$0.common.isDisjoint(with: s.intersection(p)) }) ?? true
    {
      return
    }
    let (service, other, own) = ("the services", "`\(direction.otherEnd)`", "`\(direction.ownEnd)`")
    // where nothing meets at all, one side is enough to report
    if s.isDisjoint(with: p) { return reportFamilies(services, [(other, p)], in: tree) }
    if s.isDisjoint(with: o) { return reportFamilies(services, [(own, o)], in: tree) }
    if p.isDisjoint(with: o) { return reportFamilies(owns ?? peers, [(other, p)], in: tree) }
    reportFamilies(services, [(other, p), (own, o)], in: tree)
    reportFamilies(peers, [(service, s), (own, o)], in: tree)
    if let owns { reportFamilies(owns, [(service, s), (other, p)], in: tree) }
  }

  private mutating func reportFamilies(_ list: EntryList, _ others: [(what: String, families: FamilySet)], in tree: SyntaxTree)
  {
    let met = others.reduce(FamilySet.both) { $0.intersection($1.families) }
    for entry in list.entries where entry.families.isDisjoint(with: met) {
      let (node, families) = (entry.node, entry.families)
      let blocker = others.first { families.isDisjoint(with: $0.families) } ?? others[0]
      report(
        .error, .familyMismatch,
        "\(quoted(tree.text(node))) is \(families.words) and \(blocker.what) \(blocker.what.hasPrefix("the") ? "are" : "is") \(blocker.families.words), so it can match nothing",
        at: tree.range(node),
        help: "remove it, or add what is of its family to \(blocker.what)")
    }
  }
}

/// Where the parts of a rule or an expectation stand.
struct FlowNodes {
  typealias Entry = (key: SyntaxNode, value: SyntaxNode)
  var allow: Entry?
  var deny: Entry?
  var from: Entry?
  var to: Entry?
  var exceptFrom: Entry?
  var exceptTo: Entry?
  var sourcePorts: Entry?
  /// Some key can't be read and may be the one that seems to be missing.
  var isDoubtful = false
}

/// The entries of a list as they were written, with the families that each can be of.
struct EntryList {
  struct Entry {
    var node: SyntaxNode
    var families: FamilySet
    /// Of a service: whether all its parts have ports.
    var hasPorts: Bool
  }

  // nearly every list has one entry, which needs no memory of its own
  private var first: Entry?
  private var others: [Entry] = []
  private var unionOfEntries: FamilySet = []
  /// Whether something is missing here that has been reported.
  var isUnsure = false
  /// The families that every entry can be of.
  private(set) var common = FamilySet.both

  mutating func add(_ node: SyntaxNode, _ families: FamilySet, hasPorts: Bool = false) {
    // what is of no family is empty, which has been reported
    let families = families.isEmpty ? .both : families
    let entry = Entry(node: node, families: families, hasPorts: hasPorts)
    if first == nil { first = entry } else { others.append(entry) }
    unionOfEntries.formUnion(families)
    common.formIntersection(families)
  }

  var entries: [Entry] { first.map { [$0] + others } ?? [] }
  /// One entry, which there must be.
  subscript(number: Int) -> Entry { number == 0 ? first! : others[number - 1] }

  /// The families that at least one entry can be of.
  var union: FamilySet { isUnsure ? .both : unionOfEntries }
}

extension Peer {
  /// Whether it is in a network, named or not.
  fileprivate var hasNetwork: Bool {
    switch self {
    case .any, .addresses, .prefixList: false
    case .group, .instance: true
    }
  }
}

extension Direction {
  /// A rule of the direction, in words.
  var rule: String { self == .ingress ? "an ingress rule" : "an egress rule" }
  /// One, as an example.
  var example: String { self == .ingress ? "{allow: ssh, from: 10.0.0.0/8}" : "{allow: ssh, to: 10.0.0.0/8}" }
  /// The key of the other end of a rule.
  var otherEnd: String { self == .ingress ? "from" : "to" }
  /// The key of its own end.
  var ownEnd: String { self == .ingress ? "to" : "from" }
}

extension PortRange {
  /// The same ports, ascending and disjoint.
  static func joined(_ ranges: [PortRange]) -> [PortRange] {
    var joined: [PortRange] = []
    for range in ranges.sorted() {
      if let last = joined.last, Int(range.lower) <= Int(last.upper) + 1 {
        joined[joined.count - 1] = PortRange(last.lower, max(last.upper, range.upper))
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}

extension AddressSet {
  /// How many ranges there are.
  fileprivate var count: Int { v4.intervals.count + v6.intervals.count }

  /// Whether the two have an address in common; quick where `other` is large.
  func meets(_ other: AddressSet) -> Bool {
    IPFamily.allCases.contains { family in
      let line = other[family].intervals
      return self[family].intervals.contains { interval in
        var low = 0
        var high = line.count
        while low < high {
          let middle = (low + high) / 2
          if line[middle].upper < interval.lower { low = middle + 1 } else { high = middle }
        }
        return low < line.count && line[low].lower <= interval.upper
      }
    }
  }
}
