import Nftables
import PacketSpace
import PolicyLanguage

/// Step 1 of the language's §7, "members of a group reach each other", where it costs least: behind the rules.
///
///     ip saddr @group-ipv4/web accept           tcp dport 22 ip saddr 203.0.113.66 ip saddr != @group-ipv4/web drop
///     tcp dport 22 ip saddr 203.0.113.66 drop   tcp dport { 80, 443 } accept
///     tcp dport { 80, 443 } accept              ip saddr @group-ipv4/web accept
///     drop                                      drop
///
/// The step allows, so it may pass every rule that allows, and every deny that leaves the members out. Most new flows are ones
/// that a rule allows, and they are spared the lookup among the members, in a set that in a large table lies in no cache: a
/// tenth of what a ruleset costs them. Of a packet that the step and a rule both allow the ruleset's comments name the rule.
///
/// A deny leaves the members out by asking for them itself, behind all else that it asks. One that speaks of both families at once
/// can't: there the step comes in front of it, as of all denies where the members would take more than eight questions. Of one
/// group they never do, however many there are: so a new member moves no rule.
struct IntraGroupStep {
  /// The step itself.
  let rules: [LoweredRule]
  /// What holds, in a family, for whoever is no member.
  private let strangers: [IPFamily: [Expression]]
  /// As many as members of a group stand in rules without a set, in any table.
  private static let mostAsked = 8

  init(_ rules: [LoweredRule], members: [IPFamily: [Expression]]) {
    self.rules = rules
    strangers = members.mapValues { matches in
      matches.map {
        guard case .match(var match) = $0 else { preconditionFailure("members are matched by their addresses") }
        match.isNegated = true
        return .match(match)
      }
    }
  }

  /// The alternatives of a deny for whoever is no member; nil where it can't be said in each.
  func sparing(_ alternatives: [[Expression]]) -> [[Expression]]? {
    var result: [[Expression]] = []
    for matches in alternatives {
      guard let family = matches.lazy.compactMap(\.family).first, let strangers = strangers[family],
        strangers.count <= IntraGroupStep.mostAsked
      else { return nil }
      result.append(matches + strangers)
    }
    return result
  }
}

extension ProfileChains {
  /// Nil where there are no members to reach.
  mutating func intraGroupStep(_ profile: Profile, _ direction: Direction, _ allow: Verdict) -> IntraGroupStep? {
    var rules: [LoweredRule] = []
    var members = Dictionary(uniqueKeysWithValues: IPFamily.allCases.map { ($0, [Expression]()) })
    for index in intraGroups(profile, direction) {
      let note = "intra-group \(policy.groups[index].name)"
      var own: [LoweredRule] = []
      for family in IPFamily.allCases {
        for operand in sets.ownMembers(index, family, isPeer: isPeer[index]) {
          let match = Expression.match(direction.peer.field(family), operand)
          members[family]!.append(match)
          own.append(LoweredRule([match], allow, note: note))
        }
      }
      if own.count > 1, let name = called.chain(.group(index), direction, .allow) {
        own = [LoweredRule([], .jump(name), note: note)]
      }
      rules += own
    }
    return rules.isEmpty ? nil : IntraGroupStep(rules, members: members)
  }

  /// The groups whose members reach each other.
  func intraGroups(_ profile: Profile, _ direction: Direction) -> [Int] {
    guard direction == .ingress || policy.options.intraGroupEgress == .allow else { return [] }
    return profile.groups.filter { policy.groups[$0].type == .basic && policy.groups[$0].intraGroup == .allow }
  }
}

extension Expression {
  /// The family of the packets that a match holds for; nil where there are such packets of both.
  fileprivate var family: IPFamily? {
    guard case .match(let match) = self, case .field(let field) = match.key, !match.isNegated else { return nil }
    switch field {
    case .ipSource, .ipDestination, .icmpType, .icmpCode: return .ipv4
    case .ip6Source, .ip6Destination, .icmpv6Type, .icmpv6Code: return .ipv6
    case .nfproto: return IPFamily.allCases.first { .family($0) == self }
    case .l4proto, .ipProtocol, .sourcePort, .destinationPort, .inputInterface, .outputInterface, .connectionState: return nil
    }
  }
}
