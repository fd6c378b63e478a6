import Diagnostics
import PacketSpace

/// What a cloud would refuse, though it means something here: `advanced-group-peer`, `too-many-group-peers`, `too-many-rules` and
/// `too-many-groups`. Source: the limits of Alibaba Cloud ECS security groups.
enum CloudLimits {
  /// Rules with a group as their peer, in one basic group.
  static let groupPeers = 20
  /// Rules of both directions, over all groups of an instance.
  static let rules = 1000
  /// Groups of an instance.
  static let groups = 10

  static func find(_ facts: LintFacts, into report: inout LintReport) {
    for group in facts.enforcedGroups { judgePeers(group, facts, &report) }
    judgeInstances(facts, &report)
  }

  private static func judgePeers(_ index: Int, _ facts: LintFacts, _ report: inout LintReport) {
    let policy = facts.policy
    let group = policy.groups[index]
    var count = 0
    for place in facts.places(of: index) {
      let rule = facts.rule(place)
      let named = rule.peers.compactMap { peer -> Int? in if case .group(let index) = peer { index } else { nil } }
      if named.isEmpty { continue }
      count += named.count * rule.services.count
      let advanced = named.first { policy.groups[$0].type == .advanced }
      if group.type == .advanced {
        report.add(
          .warning, .advancedGroupPeer, "a cloud refuses a group as a peer in an advanced group", at: rule.range,
          help: "name addresses or a prefix list, or make `\(group.name)` basic",
          notes: [Diagnostic.Note("`\(group.name)` is advanced", at: group.range)])
      } else if let advanced {
        report.add(
          .warning, .advancedGroupPeer, "a cloud refuses an advanced group as a peer", at: rule.range,
          help: "name addresses or a prefix list, or make `\(policy.groups[advanced].name)` basic",
          notes: [Diagnostic.Note("`\(policy.groups[advanced].name)` is advanced", at: policy.groups[advanced].range)])
      }
    }
    if group.type == .basic, count > groupPeers {
      report.add(
        .warning, .tooManyGroupPeers,
        "`\(group.name)` has \(count) rules with a group as their peer; a cloud takes \(groupPeers)",
        at: group.range, help: "name prefix lists, or put the peers into one group")
    }
  }

  private static func judgeInstances(_ facts: LintFacts, _ report: inout LintReport) {
    let counts = facts.policy.groups.indices.map { group in
      facts.places(of: group).reduce(0) { $0 + weight(facts.rule($1), facts.policy) }
    }
    for (index, instance) in facts.policy.instances.enumerated() {
      let own = Set(facts.classes(ofInstance: index).flatMap { facts.classes[$0].groups } + instance.groups)
      if own.count > groups {
        report.add(
          .warning, .tooManyGroups, "`\(instance.name)` is in \(own.count) groups; a cloud takes \(groups)", at: instance.range,
          help: "merge groups that always come together")
      }
      let sum = own.reduce(0) { $0 + counts[$1] }
      if sum > rules {
        let heaviest = own.max { (counts[$0], $1) < (counts[$1], $0) }!
        report.add(
          .warning, .tooManyRules, "`\(instance.name)` has \(sum) rules as a cloud counts them; a cloud takes \(rules)",
          at: instance.range, help: "join ports to ranges, and addresses to prefixes",
          notes: [
            Diagnostic.Note(
              "\(counts[heaviest]) of them are of `\(facts.policy.groups[heaviest].name)`",
              at: facts.policy.groups[heaviest].range)
          ])
      }
    }
  }

  /// How many rules of a cloud's one rule is: a rule there has one service, one peer and one range of source ports, and counts once
  /// for each entry of its prefix list. `any` is a rule for each family.
  private static func weight(_ rule: Rule, _ policy: Policy) -> Int {
    let peers = rule.peers.reduce(0) { sum, peer in
      switch peer {
      case .any: sum + 2
      case .addresses, .group: sum + 1
      case .prefixList(let index): sum + policy.prefixLists[index].addresses.ranges.count
      case .instance(let index): sum + policy.instances[index].addresses.ranges.count
      }
    }
    return peers * rule.services.count * (rule.own?.ranges.count ?? 1) * (rule.sourcePorts?.count ?? 1)
  }
}
