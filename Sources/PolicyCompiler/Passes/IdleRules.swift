import PolicyLanguage

/// Leaves out the rules of a profile that change nothing.
///
///     web: { type: basic, egress: [{ deny: smtp, to: any }, { allow: smtp, to: 10.0.0.1 }, { allow: ssh, to: 10.0.0.0/8 }] }
///
///     tcp dport 25 drop                       tcp dport 25 drop
///     ip daddr 10.0.0.1 tcp dport 25 return   return
///     ip daddr 10.0.0.0/8 tcp dport 22 return
///     return
///
/// **Never deciding**: a rule that a stronger one covers, or what stands before all rules (exempt peers, members of one group).
/// Each of its packets is decided before it comes to it. That holds also where the stronger one is left out for the same reason:
/// the strongest that covers them both is there.
///
/// **Redundant**: from the weakest to the strongest, a rule behind which the same verdict waits for each of its packets. Let
/// all rules behind it that were kept be gone through in their order: while they say the same, or don't meet the rule, nothing
/// is lost. If one that says the same covers the rule, or if the end is reached and the default says the same, then whichever
/// of them is the first to match a packet of the rule has the rule's verdict. If one that says the opposite meets the rule
/// before that, the rule stays. Rules behind it were judged before it, so what it leans on is there; and leaving it out changes
/// no packet's verdict, so what leans on it in front of it isn't hurt.
///
/// Rules that many profiles share (`SharedRules`) stay in any case: they cost no more than a call, and a list with them is one
/// from which fewer rules were left out, each for a reason that has them in sight.
///
/// Rules are compared by what they name. Prefix lists and instances are their addresses. A group that is named as a peer is
/// only itself, whoever is in it today: it may meet anything, and nothing but the group covers it. So members come and go
/// without a rule coming or going.
struct IdleRules {
  /// Indices of the rules to be written, ascending.
  private(set) var kept: [Int] = []
  /// Indices of the rules that never decide, and of those that are redundant; ascending.
  private(set) var neverDeciding: [Int] = []
  private(set) var redundant: [Int] = []

  /// How many neighbours a rule is compared with at most: a profile of thousands of rules then takes no square of their number.
  private static let farthest = 200

  /// - Parameter rules: what a profile's rules match, the strongest first, and whether they stay, come what may.
  /// - Parameter front: what is allowed before any rule is asked.
  /// - Parameter leavesOutRedundant: whether rules are left out that decide, too.
  init(
    _ rules: [(action: Action, shape: RuleShape, stays: Bool)], front: [RuleShape], default: Action, leavesOutRedundant: Bool
  ) {
    var living: [Int] = []
    for (index, rule) in rules.enumerated() {
      let stronger = rules[max(0, index - IdleRules.farthest)..<index]
      if rule.stays {
        living.append(index)
      } else if front.contains(where: { $0.covers(rule.shape) }) || stronger.contains(where: { $0.shape.covers(rule.shape) }) {
        neverDeciding.append(index)
      } else {
        living.append(index)
      }
    }
    guard leavesOutRedundant else {
      kept = living
      return
    }
    // the weakest first, here and in `redundant`
    for index in living.reversed() {
      if !rules[index].stays, IdleRules.isRedundant(index, of: rules.span, before: kept, `default`) {
        redundant.append(index)
      } else {
        kept.append(index)
      }
    }
    kept.reverse()
    redundant.reverse()
  }

  /// - Parameter weaker: the rules behind it that are kept, the weakest first.
  private static func isRedundant(
    _ index: Int, of rules: Span<(action: Action, shape: RuleShape, stays: Bool)>, before weaker: [Int], _ default: Action
  ) -> Bool {
    for (count, other) in weaker.reversed().enumerated() {
      if count == farthest { return false }
      if rules[other].action == rules[index].action {
        if rules[other].shape.covers(rules[index].shape) { return true }
      } else if rules[other].shape.meets(rules[index].shape) {
        return false
      }
    }
    return rules[index].action == `default`
  }
}
