import Diagnostics
import PacketSpace

/// Names that nobody uses: `unused-group`, `unused-prefix-list`, `unused-service` and `unused-network`.
enum Unused {
  static func find(_ facts: LintFacts, into report: inout LintReport) {
    let policy = facts.policy
    var peers: Set<Peer> = []
    for group in policy.groups {
      for rule in group.ingress + group.egress { peers.formUnion(rule.peers) }
    }
    for claim in policy.expectations { peers.formUnion(claim.from + claim.to + claim.exceptFrom + claim.exceptTo) }
    for flow in policy.options.keep { peers.formUnion(flow.from + flow.to) }
    for (index, group) in policy.groups.enumerated() where !peers.contains(.group(index)) {
      if group.isExternal {
        report.add(
          .warning, .unusedGroup, "no rule names the external group `\(group.name)`", at: group.range,
          help: "remove it, or name it where it is meant")
      } else if group.members.isEmpty {
        report.add(
          .warning, .unusedGroup, "the group `\(group.name)` has no members, and no rule names it", at: group.range,
          help: "remove it, or name it in an instance's `groups`")
      }
    }
    for list in policy.prefixLists where !facts.words.peers.contains(list.name) {
      report.add(.warning, .unusedPrefixList, "nobody uses the prefix list `\(list.name)`", at: list.range, help: "remove it")
    }
    for service in policy.services where !facts.words.services.contains(service.name) {
      report.add(.warning, .unusedService, "nobody uses the service `\(service.name)`", at: service.range, help: "remove it")
    }
    let networks = Set(policy.groups.compactMap(\.network))
    for (index, network) in policy.networks.enumerated() where !networks.contains(index) {
      report.add(.warning, .unusedNetwork, "no group is in the network `\(network.name)`", at: network.range, help: "remove it")
    }
  }
}
