import Diagnostics
import PacketSpace

/// Groups without their rules, and what their members must be.
extension Resolver {
  mutating func resolveGroups() {
    policy.groups.reserveCapacity(declarations.groups.count)
    for (index, entry) in declarations.groups.enumerated() { resolve(group: index, entry) }
  }

  private mutating func resolve(group index: Int, _ entry: Declaration) {
    let tree = trees[entry.tree]
    var group = Group(name: tree.text(entry.key), range: tree.range(entry.key))
    var rules = GroupRules(tree: entry.tree)
    var network = NetworkReference.unnamed
    var intraGroup: (key: SyntaxNode, value: IntraGroup)?
    for (key, value) in entries(entry.value, in: tree, of: "a group", example: "web: {type: basic}") {
      guard let word = self.key(key, in: tree, of: "a group", as: GroupKey.self) else { continue }
      switch word {
      case .type: group.type = self.word(value, in: tree, of: "type") ?? .basic
      case .intraGroup: intraGroup = self.word(value, in: tree, of: "intra-group").map { (value, $0) }
      case .members: resolveMembers(value, in: tree, of: index, entry)
      case .external: group.isExternal = self.word(value, in: tree, of: "external", as: ExternalWord.self) == .true
      case .network:
        network = self.network(value, in: tree)
        if case .named(let index) = network { group.network = index }
      case .environment: group.environment = text(value, in: tree, of: "environment")
      case .description: group.description = text(value, in: tree, of: "description")
      case .ingress: rules.ingress = value
      case .egress: rules.egress = value
      }
    }
    group.intraGroup = group.type == .advanced ? .isolate : intraGroup?.value ?? .allow
    if group.type == .advanced, let intraGroup, intraGroup.value == .allow {
      report(
        .error, .intraGroupOnAdvanced, "an advanced group always isolates its members", at: tree.range(intraGroup.key),
        help: "remove `intra-group`, and allow what you need by rules; or make the group basic")
    }
    policy.groups.append(group)
    groupNetworks.append(network)
    groupRules.append(rules)
  }

  private mutating func network(_ node: SyntaxNode, in tree: SyntaxTree) -> NetworkReference {
    guard isSingle(node, in: tree, of: "network") else {
      return tree.isEmpty(node) && tree.kind(node) != .scalar ? .unnamed : .unknown
    }
    if let definition = tree.withUTF8(node, { networkNames[$0] }) { return .named(definition.index) }
    if !isIncomplete {
      let name = tree.text(node)
      report(
        .error, .unknownNetwork, "there is no network \(quoted(name))", at: tree.range(node),
        help: suggestion(for: name, among: networkNames.names) ?? "define it under `networks`")
    }
    return .unknown
  }

  private mutating func resolveMembers(_ node: SyntaxNode, in tree: SyntaxTree, of group: Int, _ entry: Declaration) {
    for item in items(node, in: tree, of: "members") {
      guard let peer = peer(item, in: tree, at: .addresses("members")), entry.isValid else { continue }
      for range in policy.addresses(of: peer).ranges {
        memberAddresses.append(OwnedAddresses(addresses: range, owner: Int32(group), range: tree.range(item)))
      }
    }
  }

  /// Gives every group the addresses of its instances and its `members`.
  mutating func joinMembers() {
    // a chain of entries for each group, built from behind: there is no list to grow for each
    var links: [(entry: Int32, next: Int32)] = []
    links.reserveCapacity(memberAddresses.count + instanceAddresses.count)
    var first = [Int32](repeating: -1, count: policy.groups.count)
    func add(_ entry: Int, to group: Int) {
      links.append((Int32(entry), first[group]))
      first[group] = Int32(links.count - 1)
    }
    for number in instanceAddresses.indices.reversed() {
      for group in policy.instances[Int(instanceAddresses[number].owner)].groups {
        add(memberAddresses.count + number, to: group)
      }
    }
    for number in memberAddresses.indices.reversed() { add(number, to: Int(memberAddresses[number].owner)) }
    var v4: [Interval] = []
    var v6: [Interval] = []
    for group in policy.groups.indices {
      v4.removeAll(keepingCapacity: true)
      v6.removeAll(keepingCapacity: true)
      var link = first[group]
      while link >= 0 {
        let (entry, next) = links[Int(link)]
        let number = Int(entry) - memberAddresses.count
        let range = number < 0 ? memberAddresses[Int(entry)].addresses : instanceAddresses[number].addresses
        let interval = Interval(range.lower, range.upper)
        if range.family == .ipv4 { v4.append(interval) } else { v6.append(interval) }
        link = next
      }
      // each in an array of its own that is no larger than it has to be
      policy.groups[group].members = AddressSet(
        v4: v4.withUnsafeBufferPointer { IntervalSet($0) }, v6: v6.withUnsafeBufferPointer { IntervalSet($0) })
    }
  }

  // MARK: - Checks

  mutating func checkMembers() {
    // instances whose names or groups are wrong may be what would have been their members
    let isUnsure =
      declarations.instances.contains { !$0.isValid }
      || diagnostics.contains { $0.code == DiagnosticCode.unknownGroup.rawValue }
    if isIncomplete || isUnsure { return }
    for (index, entry) in declarations.groups.enumerated() where entry.isValid && policy.groups[index].members.isEmpty {
      let group = policy.groups[index]
      // what is wrong with its members has been reported
      if !saysNothingOfMembers(entry) { continue }
      report(
        .warning, .groupWithoutMembers, "the group \(quoted(group.name)) has no members, so it matches nothing",
        at: group.range,
        help: "name it in the `groups` of an instance, or give it `members`")
    }
  }

  private func saysNothingOfMembers(_ entry: Declaration) -> Bool {
    let tree = trees[entry.tree]
    if tree.kind(entry.value) != .mapping { return tree.kind(entry.value) != .scalar && tree.isEmpty(entry.value) }
    return tree.entries(entry.value).allSatisfy { key, value in
      !tree.has(key, text: "members") || tree.kind(value) != .scalar && tree.isEmpty(value)
    }
  }

  /// All groups of an address that are not external are of one type.
  mutating func checkGroupTypes() {
    var isMixed = [Bool](repeating: false, count: policy.instances.count)
    for index in policy.instances.indices { isMixed[index] = checkTypes(of: index) }
    // without `members` every address has the groups of one instance
    if memberAddresses.isEmpty { return }
    var typed: [OwnedAddresses] = []
    var owners: [SourceRange: Int] = [:]
    for entry in instanceAddresses where !isMixed[Int(entry.owner)] {
      guard let group = policy.instances[Int(entry.owner)].groups.first(where: { !policy.groups[$0].isExternal }) else {
        continue
      }
      typed.append(entry.owned(by: policy.groups[group].type))
    }
    for entry in memberAddresses where !policy.groups[Int(entry.owner)].isExternal {
      typed.append(entry.owned(by: policy.groups[Int(entry.owner)].type))
      owners[entry.range] = Int(entry.owner)
    }
    for (first, second) in OverlapSweep.overlaps(typed) {
      let common = AddressSet([first.addresses]).intersection(AddressSet([second.addresses])).ranges
      report(
        .error, .mixedGroupTypes,
        "\(quoted(common.first?.description ?? "")) is in \(holder(of: second, owners)) here, and in \(holder(of: first, owners))",
        at: second.range, help: "all groups of an address are of one type",
        notes: [Diagnostic.Note("it is in \(holder(of: first, owners)) here", at: first.range)])
    }
  }

  /// What an address is in: the group whose `members` it stands in, or a group of its instance.
  private func holder(of entry: OwnedAddresses, _ owners: [SourceRange: Int]) -> String {
    let type: GroupType = entry.owner == 0 ? .basic : .advanced
    return owners[entry.range].map { "the \(type.rawValue) group \(quoted(policy.groups[$0].name))" }
      ?? (type == .basic ? "a basic group" : "an advanced group")
  }

  /// Reports an instance that itself names groups of both types.
  private mutating func checkTypes(of index: Int) -> Bool {
    var first: Int?
    var other: Int?
    for group in policy.instances[index].groups where !policy.groups[group].isExternal {
      if let first, policy.groups[group].type != policy.groups[first].type { other = group }
      if first == nil { first = group }
    }
    guard let first, let other else { return false }
    let instance = policy.instances[index]
    let (one, two) = (policy.groups[first], policy.groups[other])
    report(
      .error, .mixedGroupTypes,
      "the instance \(quoted(instance.name)) is in the \(one.type.rawValue) group \(quoted(one.name)) and in the \(two.type.rawValue) group \(quoted(two.name))",
      at: instance.range, help: "all groups of an address are of one type",
      notes: [
        Diagnostic.Note("\(quoted(one.name)) is defined here", at: one.range),
        Diagnostic.Note("\(quoted(two.name)) is defined here", at: two.range),
      ])
    return true
  }
}

extension OwnedAddresses {
  /// The same addresses, with a type as their owner.
  fileprivate func owned(by type: GroupType) -> OwnedAddresses {
    var result = self
    result.owner = type == .basic ? 0 : 1
    return result
  }
}
