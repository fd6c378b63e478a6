import Diagnostics
import PacketSpace

/// Addresses where a name would do: `address-for-group`.
///
/// Addresses that are exactly a group's members are that group, and an address of an instance is the instance: their names stay
/// right when addresses change. A narrower range than a group's is meant, and said to nobody.
enum PeerChoice {
  static func find(_ facts: LintFacts, into report: inout LintReport) {
    let policy = facts.policy
    var groups: [AddressSet: Int] = [:]
    for (index, group) in policy.groups.enumerated() where !group.members.isEmpty && groups[group.members] == nil {
      groups[group.members] = index
    }
    for group in facts.enforcedGroups {
      for place in facts.places(of: group) {
        let rule = facts.rule(place)
        let ranges = rule.peers.compactMap { peer -> AddressRange? in
          if case .addresses(let range) = peer { range } else { nil }
        }
        let lists = rule.peers.contains { if case .prefixList = $0 { true } else { false } }
        if ranges.isEmpty && !lists { continue }
        let key = place.direction == .ingress ? "from" : "to"
        let literal = rule.peers.filter { peer in
          switch peer {
          case .addresses, .prefixList: true
          case .any, .group, .instance: false
          }
        }
        if let same = groups[facts.addresses(literal)], same != group, isUsable(same, by: group, policy) {
          let other = policy.groups[same]
          report.add(
            .warning, .addressForGroup, "these addresses are those of the group `\(other.name)`", at: rule.range,
            help: "write `\(key): \(other.name)`, which stays right when its members change",
            notes: [Diagnostic.Note("`\(other.name)` is defined here", at: other.range)])
          continue
        }
        let named = ranges.compactMap { range in facts.instance(of: range).map { (range, policy.instances[$0]) } }
          .filter { isSameNetwork($0.1, group, policy) }
        if let (range, instance) = named.first {
          let own = instance.groups.first { $0 != group && isUsable($0, by: group, policy) }
          let orGroup = own.map { ", or its group `\(policy.groups[$0].name)`" } ?? ""
          report.add(
            .warning, .addressForGroup, "`\(range)` is the address of `\(instance.name)`", at: rule.range,
            help: "write `\(instance.name)`\(orGroup)",
            notes: [Diagnostic.Note("`\(instance.name)` is defined here", at: instance.range)])
        }
      }
    }
  }

  /// Whether a cloud takes one group as a peer in the other.
  private static func isUsable(_ peer: Int, by group: Int, _ policy: Policy) -> Bool {
    policy.groups[peer].type == .basic && policy.groups[group].type == .basic
      && policy.groups[peer].network == policy.groups[group].network
  }

  private static func isSameNetwork(_ instance: Instance, _ group: Int, _ policy: Policy) -> Bool {
    policy.groups[instance.groups[0]].network == policy.groups[group].network
  }
}
