import Diagnostics
import PacketSpace

/// Instances: their addresses, groups and links.
extension Resolver {
  mutating func resolveInstances() {
    inHalves(declarations.instances.count) {
      $0.instances($1)
    } taking: { resolver, part in
      // the first has room for all of them
      if resolver.policy.instances.isEmpty {
        resolver.policy.instances = part.instances
        resolver.instanceNetworks = part.networks
        resolver.instanceAddresses = part.addresses
      } else {
        resolver.policy.instances += part.instances
        resolver.instanceNetworks += part.networks
        resolver.instanceAddresses += part.addresses
      }
    }
  }

  /// Instances, and what the policy does not say itself of each.
  private struct Instances {
    var instances: [Instance] = []
    var networks: [NetworkReference] = []
    /// With the instance as owner.
    var addresses: [OwnedAddresses] = []
  }

  private mutating func instances(_ indices: Range<Int>) -> Instances {
    var result = Instances()
    let room = indices.lowerBound == 0 ? declarations.instances.count : indices.count
    result.instances.reserveCapacity(room)
    result.networks.reserveCapacity(room)
    result.addresses.reserveCapacity(room * 2)
    for index in indices { resolve(instance: index, declarations.instances[index], into: &result) }
    return result
  }

  private mutating func resolve(instance index: Int, _ entry: Declaration, into result: inout Instances) {
    let tree = trees[entry.tree]
    let name = tree.text(entry.key)
    let range = tree.range(entry.key)
    var addresses = AddressSet()
    var groups: [Int] = []
    var interface: String?
    var publicAddresses = AddressSet()
    var description: String?
    var isDoubtful = tree.isBroken(entry.value)
    var hasAddresses = false
    var groupsNode: SyntaxNode?
    let example = "web-1: {addresses: 10.0.0.1, groups: web}"
    for (key, value) in entries(entry.value, in: tree, of: "an instance", example: example) {
      guard let word = self.key(key, in: tree, of: "an instance", as: InstanceKey.self) else {
        isDoubtful = true
        continue
      }
      switch word {
      case .addresses:
        hasAddresses = true
        if isFilled(value, in: tree, key: key, help: "write the instance's private addresses") {
          addresses = instanceAddresses(value, in: tree, of: index, entry, into: &result)
        }
      case .groups:
        groupsNode = value
        if isFilled(value, in: tree, key: key, help: "name at least one group") { groups = groupNames(value, in: tree) }
      case .interface: interface = self.interface(value, in: tree)
      case .publicAddresses: publicAddresses = self.addresses(value, in: tree, at: .prefixes("public-addresses"))
      case .description: description = text(value, in: tree, of: "description")
      }
    }
    let isMapping = tree.kind(entry.value) == .mapping || tree.isEmpty(entry.value) && tree.kind(entry.value) != .scalar
    if isMapping, !isDoubtful {
      if !hasAddresses { reportNeeded("addresses", of: name, at: range) }
      if groupsNode == nil { reportNeeded("groups", of: name, at: range) }
    }
    result.networks.append(network(of: name, groups, groupsNode.map { tree.range($0) } ?? range))
    result.instances.append(
      Instance(
        name: name, addresses: addresses, groups: groups, interface: interface,
        publicAddresses: publicAddresses, description: description, range: range))
  }

  private mutating func reportNeeded(_ key: String, of name: String, at range: SourceRange) {
    report(
      .error, .neededKey, "the instance \(quoted(name)) has no `\(key)`", at: range,
      help: key == "groups"
        ? "write `groups: NAME`, with one group or more" : "write `addresses: 10.0.0.1`, with all private addresses")
  }

  private mutating func instanceAddresses(
    _ node: SyntaxNode, in tree: SyntaxTree, of index: Int, _ entry: Declaration, into result: inout Instances
  ) -> AddressSet {
    let start = result.addresses.count
    for item in items(node, in: tree, of: "addresses") {
      guard case .addresses(let range) = peer(item, in: tree, at: .prefixes("addresses")) else { continue }
      result.addresses.append(OwnedAddresses(addresses: range, owner: Int32(index), range: tree.range(item)))
    }
    let addresses = AddressSet(result.addresses[start...].lazy.map(\.addresses))
    if !entry.isValid { result.addresses.removeSubrange(start...) }
    return addresses
  }

  /// The groups of a list of names, each once.
  private mutating func groupNames(_ node: SyntaxNode, in tree: SyntaxTree) -> [Int] {
    var groups: [Int] = []
    for item in items(node, in: tree, of: "groups") where isScalar(item, in: tree, of: "groups") {
      let definition = tree.withUTF8(item) { peerNames[$0] }
      if let definition, definition.kind == .group {
        let group = definition.index
        if groups.isEmpty { groups = alone(group) } else if !groups.contains(group) { groups.append(group) }
        continue
      }
      let name = tree.text(item)
      if let definition {
        report(
          .error, .wrongKindOfName, "\(quoted(name)) is \(definition.kind.words), not a group", at: tree.range(item),
          help: "write the name of a group",
          notes: [Diagnostic.Note("\(quoted(name)) is defined here", at: definition.range)])
      } else if !isIncomplete {
        report(
          .error, .unknownGroup, "there is no group \(quoted(name))", at: tree.range(item),
          help: suggestion(for: name, among: policy.groups.lazy.map(\.name)) ?? "define it under `groups`")
      }
    }
    return groups
  }

  /// The network of all of an instance's groups, which are named at `range`.
  private mutating func network(of instance: String, _ groups: [Int], _ range: SourceRange) -> NetworkReference {
    guard let first = groups.first else { return .unknown }
    if groups.contains(where: { groupNetworks[$0] == .unknown }) { return .unknown }
    let network = groupNetworks[first]
    guard let other = groups.first(where: { groupNetworks[$0] != network }) else { return network }
    let (one, two) = (policy.groups[first], policy.groups[other])
    report(
      .error, .crossingNetworks,
      "the instance \(quoted(instance)) is in groups of two networks: \(quoted(one.name)) is in \(words(network)), \(quoted(two.name)) in \(words(groupNetworks[other]))",
      at: range,
      help: "all groups of an instance are in one network; write two instances",
      notes: [
        Diagnostic.Note("\(quoted(one.name)) is defined here", at: one.range),
        Diagnostic.Note("\(quoted(two.name)) is defined here", at: two.range),
      ])
    return .unknown
  }

  /// A network as messages name it.
  func words(_ network: NetworkReference) -> String {
    switch network {
    case .unnamed: "no named network"
    case .named(let index): quoted(policy.networks[index].name)
    case .unknown: "an unknown network"
    }
  }

  /// The name of a link.
  private mutating func interface(_ node: SyntaxNode, in tree: SyntaxTree) -> String? {
    guard let name = text(node, in: tree, of: "interface") else { return nil }
    let isAllowed = name.utf8.allSatisfy { $0.isLetter || $0.isDigit || ".-_@".utf8.contains($0) }
    if isAllowed, (1...15).contains(name.utf8.count) { return name }
    let message =
      if name.isEmpty {
        "an interface's name is not empty"
      } else if name.utf8.count > 15, isAllowed {
        "an interface's name has at most 15 characters; \(quoted(name)) has \(name.utf8.count)"
      } else if name.utf8.contains(UInt8(ascii: "*")) || name.utf8.contains(UInt8(ascii: "+")) {
        "an interface is one link, and \(quoted(name)) looks like a wildcard"
      } else {
        "\(quoted(name)) is not the name of an interface"
      }
    report(
      .error, .invalidInterface, message, at: tree.range(node),
      help: "write 1 to 15 letters, digits, `.`, `_`, `-` and `@`, as `ip link` shows them")
    return nil
  }
}
