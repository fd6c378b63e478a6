import Diagnostics
import PacketSpace

/// Networks and prefix lists, and who is in which network.
extension Resolver {
  mutating func resolveNetworks() {
    for entry in declarations.networks {
      let tree = trees[entry.tree]
      let addresses = addresses(entry.value, in: tree, at: .prefixes("networks"))
      policy.networks.append(Network(name: tree.text(entry.key), addresses: addresses, range: tree.range(entry.key)))
    }
  }

  mutating func resolvePrefixLists() {
    for entry in declarations.prefixLists {
      let tree = trees[entry.tree]
      _ = isFilled(entry.value, in: tree, key: entry.key, help: "write at least one address, or remove the prefix list")
      let addresses = addresses(entry.value, in: tree, at: .addresses("prefix-lists"))
      policy.prefixLists.append(PrefixList(name: tree.text(entry.key), addresses: addresses, range: tree.range(entry.key)))
    }
  }

  /// Every address stands in one instance only, and in one network only.
  mutating func checkOverlaps() {
    for (first, second) in OverlapSweep.overlaps(instanceAddresses) {
      let (one, other) = (policy.instances[Int(second.owner)], policy.instances[Int(first.owner)])
      let common = AddressSet([first.addresses]).intersection(AddressSet([second.addresses])).ranges
      report(
        .error, .addressInTwoInstances,
        "\(quoted(common.first?.description ?? "")) belongs to \(quoted(other.name)) already, and \(quoted(one.name)) can't have it too",
        at: second.range, help: "an address belongs to one instance; put that instance into several groups instead",
        notes: [Diagnostic.Note("\(quoted(other.name)) has it here", at: first.range)])
    }
    let networks = policy.networks.enumerated().flatMap { index, network in
      network.addresses.ranges.map { OwnedAddresses(addresses: $0, owner: Int32(index), range: network.range) }
    }
    for (first, second) in OverlapSweep.overlaps(networks) {
      let (one, other) = (policy.networks[Int(second.owner)], policy.networks[Int(first.owner)])
      let common = AddressSet([first.addresses]).intersection(AddressSet([second.addresses])).ranges
      report(
        .error, .overlappingNetworks,
        "the networks \(quoted(other.name)) and \(quoted(one.name)) overlap in \(quoted(common.first?.description ?? ""))",
        at: second.range, help: "give each address to one network only",
        notes: [Diagnostic.Note("\(quoted(other.name)) is defined here", at: first.range)])
    }
  }

  /// A group holds addresses of its own network only.
  mutating func checkNetworks() {
    guard !policy.networks.isEmpty else { return }
    let named = policy.networks.enumerated().flatMap { index, network in
      network.addresses.ranges.map { NetworkRange(addresses: $0, network: index) }
    }.sorted { ($0.addresses.family, $0.addresses.lower) < ($1.addresses.family, $1.addresses.lower) }
    for entry in memberAddresses {
      checkNetwork(
        of: entry, in: groupNetworks[Int(entry.owner)], named, "the group \(quoted(policy.groups[Int(entry.owner)].name))")
    }
    for entry in instanceAddresses {
      let instance = Int(entry.owner)
      checkNetwork(of: entry, in: instanceNetworks[instance], named, "the instance \(quoted(policy.instances[instance].name))")
    }
  }

  fileprivate struct NetworkRange {
    var addresses: AddressRange
    var network: Int
  }

  fileprivate mutating func checkNetwork(
    of entry: OwnedAddresses, in network: NetworkReference, _ named: [NetworkRange], _ subject: String
  ) {
    let addresses = quoted(entry.addresses.description)
    switch network {
    case .unknown: break
    case .unnamed:
      guard let hit = NetworkRange.firstOverlap(named, entry.addresses) else { return }
      let other = policy.networks[hit.network]
      report(
        .error, .outsideNetwork, "\(addresses) is in the network \(quoted(other.name)), and \(subject) names no network",
        at: entry.range, help: "write `network: \(other.name)` in the group, or take the address out",
        notes: [Diagnostic.Note("\(quoted(other.name)) is defined here", at: other.range)])
    case .named(let index):
      let its = policy.networks[index]
      guard !AddressSet([entry.addresses]).subtracting(its.addresses).isEmpty else { return }
      report(
        .error, .outsideNetwork, "\(addresses) is not in \(quoted(its.name)), the network of \(subject)", at: entry.range,
        help: "a group holds addresses of its own network only",
        notes: [Diagnostic.Note("\(quoted(its.name)) is defined here", at: its.range)])
    }
  }
}

extension Resolver.NetworkRange {
  /// The first of the ascending ranges that overlaps the addresses.
  static func firstOverlap(_ ascending: [Self], _ addresses: AddressRange) -> Self? {
    var low = 0
    var high = ascending.count
    while low < high {
      let middle = (low + high) / 2
      let range = ascending[middle].addresses
      if (range.family, range.upper) < (addresses.family, addresses.lower) { low = middle + 1 } else { high = middle }
    }
    return low < ascending.count && ascending[low].addresses.overlaps(addresses) ? ascending[low] : nil
  }
}
