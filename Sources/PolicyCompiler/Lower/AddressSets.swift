import Nftables
import PacketSpace
import PolicyLanguage

/// The named sets of a table: members of groups that rules name as a peer, and prefix lists of some length.
///
///     from: web       ip saddr @group-ipv4/web      set group-ipv4/web { 10.0.0.1, 10.0.0.2 }
///
/// A group has a set however few its members are, since they come and go and the rules needn't change with them; where it has
/// none of a family, its rule says nothing about that family. Sets that nobody asks for are not made: they cost a walk of the
/// table's sets each when the table is loaded.
struct AddressSets {
  private let policy: Policy
  private let elements: AddressElements
  /// How many values make an anonymous set; fewer become a rule each.
  let setFrom: Int
  /// How many ranges make a prefix list a set: one for all rules that name it.
  private static let smallestList = 3
  /// For each group and list, whether its set of a family is in use.
  private var usedGroups: [Bool]
  private var usedLists: [Bool]
  /// Sets of single use, in the order they were asked for.
  private var others: [NamedSet] = []

  init(_ policy: Policy, _ elements: AddressElements, setFrom: Int) {
    self.policy = policy
    self.elements = elements
    self.setFrom = setFrom
    usedGroups = Array(repeating: false, count: policy.groups.count * 2)
    usedLists = Array(repeating: false, count: policy.prefixLists.count * 2)
  }

  /// The set of a group's members of one family, or nil where it has none.
  mutating func group(_ index: Int, _ family: IPFamily) -> String? {
    if policy.groups[index].members[family].isEmpty { return nil }
    usedGroups[AddressSets.place(index, family)] = true
    return Names.group(policy.groups[index].name, family)
  }

  /// How the members of a group are matched by the group's own chains: by its set where a rule names it as a peer, or where
  /// its members are too many to stand in the rules.
  mutating func ownMembers(_ index: Int, _ family: IPFamily, isPeer: Bool) -> [Operand] {
    let members = policy.groups[index].members[family].intervals
    if isPeer || members.count >= setFrom { return group(index, family).map { [.named($0)] } ?? [] }
    return members.map { .value($0) }
  }

  /// A set that only one place of the table speaks of; nil where it would be empty.
  mutating func other(_ name: String, _ family: IPFamily, _ addresses: IntervalSet, annotation: String) -> Operand? {
    if addresses.isEmpty { return nil }
    if !others.contains(where: { $0.name == name }) {
      others.append(.addresses(name, family, elements.cut(addresses, family), annotation: annotation))
    }
    return .named(name)
  }

  /// How the addresses of some peers are matched in one family: each alternative in turn. None where they have no address
  /// of that family; nil where every address of the family is among them.
  mutating func operands(_ peers: [Peer], _ family: IPFamily) -> [Operand]? {
    var literal: [Interval] = []
    var named: [Operand] = []
    for peer in peers {
      switch peer {
      case .any: return nil
      case .addresses(let range):
        if range.family == family { literal.append(Interval(range.lower, range.upper)) }
      case .instance(let index):
        literal.append(contentsOf: policy.instances[index].addresses[family].intervals)
      case .prefixList(let index):
        let intervals = policy.prefixLists[index].addresses[family].intervals
        if intervals.count < AddressSets.smallestList {
          literal.append(contentsOf: intervals)
        } else {
          usedLists[AddressSets.place(index, family)] = true
          let operand = Operand.named(Names.list(policy.prefixLists[index].name, family))
          if !named.contains(operand) { named.append(operand) }
        }
      case .group(let index):
        if let name = group(index, family), !named.contains(.named(name)) { named.append(.named(name)) }
      }
    }
    guard let inline = operands(IntervalSet(literal), family) else { return nil }
    return inline + named
  }

  /// How many rules it takes to match a peer in both families; nil where some family isn't asked for its address.
  func ruleCount(_ peer: Peer) -> Int? {
    switch peer {
    case .any: nil
    case .addresses: 1
    case .instance(let index): IPFamily.allCases.reduce(0) { $0 + policy.instances[index].addresses[$1].intervals.count }
    case .group(let index): IPFamily.allCases.count { !policy.groups[index].members[$0].isEmpty }
    case .prefixList(let index):
      IPFamily.allCases.reduce(0) { sum, family in
        let intervals = policy.prefixLists[index].addresses[family].intervals
        if intervals == [Interval(0, family.maximum)] { return nil }
        return sum.map { $0 + (intervals.count < AddressSets.smallestList ? intervals.count : 1) }
      }
    }
  }

  /// The same for addresses that have no name.
  func operands(_ addresses: IntervalSet, _ family: IPFamily) -> [Operand]? {
    if addresses.intervals == [Interval(0, family.maximum)] { return nil }
    return PolicyCompiler.operands(addresses.intervals, setFrom: setFrom)
  }

  /// The sets in use: lists, groups, others; the first two in the policy's order.
  func sets() -> [NamedSet] {
    var result: [NamedSet] = []
    for (index, list) in policy.prefixLists.enumerated() {
      for family in IPFamily.allCases where usedLists[AddressSets.place(index, family)] {
        result.append(
          .addresses(
            Names.list(list.name, family), family, list.addresses[family].intervals, annotation: "prefix list \(list.name)"))
      }
    }
    for (index, group) in policy.groups.enumerated() {
      for family in IPFamily.allCases where usedGroups[AddressSets.place(index, family)] {
        let kind = group.isExternal ? "external group" : "group"
        result.append(
          .addresses(
            Names.group(group.name, family), family, elements.cut(group.members[family], family),
            annotation: "members of \(kind) \(group.name)"))
      }
    }
    return result + others
  }

  private static func place(_ index: Int, _ family: IPFamily) -> Int { index * 2 + (family == .ipv4 ? 0 : 1) }
}

extension NamedSet {
  static func addresses(_ name: String, _ family: IPFamily, _ intervals: [Interval], annotation: String) -> NamedSet {
    let elements = Elements(intervals)
    return NamedSet(
      name, types: [family == .ipv4 ? .ipv4Address : .ipv6Address], isInterval: elements.hasIntervals,
      size: SetSize.of(elements), elements: elements, annotations: [annotation])
  }
}
