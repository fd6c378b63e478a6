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
  /// How many ranges make a prefix list a set of its own.
  private let setFrom: Int
  /// For each group and list, whether its set of a family is in use.
  private var usedGroups: [Bool]
  private var usedLists: [Bool]

  init(_ policy: Policy, setFrom: Int) {
    self.policy = policy
    self.setFrom = setFrom
    usedGroups = Array(repeating: false, count: policy.groups.count * 2)
    usedLists = Array(repeating: false, count: policy.prefixLists.count * 2)
  }

  /// The set of a group's members of one family, or nil where it has none.
  mutating func group(_ index: Int, _ family: IPFamily) -> String? {
    let group = policy.groups[index]
    if group.members[family].isEmpty { return nil }
    usedGroups[index * 2 + (family == .ipv4 ? 0 : 1)] = true
    return Names.group(group.name, family)
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
        if intervals.count < max(setFrom, 3) {
          literal.append(contentsOf: intervals)
        } else {
          usedLists[index * 2 + (family == .ipv4 ? 0 : 1)] = true
          named.append(.named(Names.list(policy.prefixLists[index].name, family)))
        }
      case .group(let index):
        if let name = group(index, family), !named.contains(.named(name)) { named.append(.named(name)) }
      }
    }
    let merged = literal.count > 1 ? IntervalSet(literal).intervals : literal
    if merged.count == 1, merged[0] == Interval(0, family.maximum) { return nil }
    return PolicyCompiler.operands(merged, setFrom: setFrom) + named
  }

  /// The sets in use, lists before groups, in the policy's order.
  func sets() -> [NamedSet] {
    var result: [NamedSet] = []
    for (index, list) in policy.prefixLists.enumerated() {
      for family in IPFamily.allCases where usedLists[index * 2 + (family == .ipv4 ? 0 : 1)] {
        result.append(
          .addresses(Names.list(list.name, family), family, list.addresses[family].intervals, annotation: "prefix list \(list.name)"))
      }
    }
    for (index, group) in policy.groups.enumerated() {
      for family in IPFamily.allCases where usedGroups[index * 2 + (family == .ipv4 ? 0 : 1)] {
        let kind = group.isExternal ? "external group" : "group"
        result.append(
          .addresses(
            Names.group(group.name, family), family, AddressSets.elements(group.members[family].intervals),
            annotation: "members of \(kind) \(group.name)"))
      }
    }
    return result
  }

  /// Intervals as elements: a few neighbouring addresses, which the policy gave one by one, stay single, so that the set is
  /// exact where it can be.
  static func elements(_ intervals: [Interval]) -> [Interval] {
    if intervals.allSatisfy(\.isSingle) { return intervals }
    if intervals.contains(where: { $0.upper - $0.lower >= 256 }) { return intervals }
    let total = intervals.reduce(0) { $0 + Int($1.upper - $1.lower) + 1 }
    if total > 4 * intervals.count + 256 { return intervals }
    return intervals.flatMap { i in (i.lower...i.upper).map { Interval($0) } }
  }
}

extension NamedSet {
  static func addresses(_ name: String, _ family: IPFamily, _ intervals: [Interval], annotation: String) -> NamedSet {
    let elements = Elements(intervals)
    return NamedSet(
      name, types: [family == .ipv4 ? .ipv4Address : .ipv6Address], isInterval: elements.hasIntervals, elements: elements,
      annotations: [annotation])
  }
}
