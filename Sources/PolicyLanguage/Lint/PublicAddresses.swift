import Diagnostics
import PacketSpace

/// Instances with public addresses where nothing from the internet is let in: `needless-public-address`.
enum PublicAddresses {
  static func find(_ facts: LintFacts, into report: inout LintReport) {
    let policy = facts.policy
    var known: [Int: Bool] = [:]
    for (index, instance) in policy.instances.enumerated() where !instance.publicAddresses.isEmpty {
      let classes = facts.classes(ofInstance: index)
      // somebody else decides about the others
      if classes.isEmpty { continue }
      report.judge(policy.groups[instance.groups[0]]) { report throws(DiagramBudgetExceeded) in
        var isServing = false
        for entry in classes where !isServing {
          if known[entry] == nil { known[entry] = try serves(facts.classes[entry], facts) }
          isServing = known[entry]!
        }
        if isServing { return }
        report.add(
          .warning, .needlessPublicAddress, "`\(instance.name)` has a public address, and lets in nothing from the internet",
          at: instance.range,
          help: "take the address away: for going out a NAT gateway is enough, for logging in a jump server",
          notes: [Diagnostic.Note("its groups are \(LintText.list(instance.groups.map { "`\(policy.groups[$0].name)`" }))")])
      }
    }
  }

  private static func serves(_ entry: AddressClasses.Class, _ facts: LintFacts) throws(DiagramBudgetExceeded) -> Bool {
    let layers = facts.layers(entry.groups, .ingress)
    let focus = [PacketBox()].beginningFlows.narrowed(.source, to: Internet.addresses)
    return try layers.deciders(of: focus).layers.contains { layers[$0].action == .allow }
  }
}
