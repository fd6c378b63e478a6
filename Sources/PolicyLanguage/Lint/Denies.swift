import Diagnostics
import PacketSpace

/// Denies that don't do what they say, or do more: `overridden-deny`, `egress-deny-hits-members` and `ipv4-only-deny`.
enum Denies {
  static func find(_ facts: LintFacts, into report: inout LintReport) {
    for group in facts.enforcedGroups {
      report.judge(facts.policy.groups[group]) { report throws(DiagramBudgetExceeded) in
        for place in facts.places(of: group) where facts.rule(place).action == .deny {
          try judgeSteps(place, facts, &report)
          try judgeEgress(place, facts, &report)
          try judgeFamilies(place, facts, &report)
        }
      }
    }
  }

  // MARK: - What no rule takes back

  /// Addresses that are let in before a deny is asked: those of fellow members, and the exempt.
  ///
  /// A deny of everybody is not said to be overridden by an exemption, or by the step of another group: exceptions are what those are for.
  private static func judgeSteps(
    _ place: RulePlace, _ facts: LintFacts, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) {
    let policy = facts.policy
    let rule = facts.rule(place)
    let group = policy.groups[place.group]
    let all = facts.addresses(rule.peers)
    let named = rule.peers.map(policy.addresses(of:)).filter { !Internet.isWide($0) }.reduce(AddressSet()) { $0.union($1) }
    let isIngress = place.direction == .ingress
    let exempt = isIngress ? policy.options.exemptFrom : policy.options.exemptTo
    let option = isIngress ? "exempt-from" : "exempt-to"
    if try denies(place, named.intersection(exempt), facts) {
      report.add(
        all.isSubset(of: exempt) ? .error : .warning, .overriddenDeny,
        "`\(option)` allows \(all.isSubset(of: exempt) ? "all" : "some") of what this would deny", at: rule.range,
        help: "take these addresses out of `options: \(option)`, or remove them here",
        notes: [Diagnostic.Note("\(sample(named.intersection(exempt))) is exempt")])
    }
    if !isIngress, policy.options.intraGroupEgress == .filter { return }
    // this group first: what it overrides itself need not be said of the others
    var others: [Int] = []
    for entry in facts.classesOfGroup[place.group] {
      for other in facts.classes[entry].groups where other != place.group && !others.contains(other) { others.append(other) }
    }
    for index in [place.group] + others.sorted() {
      let step = policy.groups[index]
      guard step.type == .basic, step.intraGroup == .allow, step.members.hasSeveral else { continue }
      let isOwn = index == place.group
      let isUnaware = isOwn && !facts.words.groupsWithIntraGroup.contains(step.name)
      let hit = (isUnaware ? all : named).intersection(step.members)
      guard try denies(place, hit, facts) else { continue }
      let isWhole = isOwn && all.isSubset(of: step.members)
      let what = isWhole ? "allows all of what this would deny" : "lets members of `\(step.name)` past this deny"
      report.add(
        isWhole ? .error : .warning, .overriddenDeny, "the intra-group step \(what)", at: rule.range,
        help: isOwn
          ? "write `intra-group: isolate` in `\(step.name)`"
            + (hit.isSubset(of: named) ? "" : ", or `intra-group: allow` to say that it is meant")
          : "write `intra-group: isolate` in `\(step.name)`, whose members are in `\(group.name)` too",
        notes: [
          Diagnostic.Note(
            "\(sample(hit)) is a member of `\(step.name)`, where members reach each other whatever rules say", at: step.range)
        ])
      return
    }
  }

  /// Whether a deny would deny packets of some peers if there were no step before the rules: all that no stronger allow lets through.
  private static func denies(
    _ place: RulePlace, _ peers: AddressSet, _ facts: LintFacts
  ) throws(DiagramBudgetExceeded) -> Bool {
    if peers.isEmpty { return false }
    let all = facts.layers([place.group], place.direction)
    guard let layer = all.first(where: { $0.place == place }) else { return false }
    let focus = layer.boxes.beginningFlows.narrowed(place.direction.peerAxis, to: peers)
    if focus.isEmpty { return false }
    return try all.filter { $0.rank >= 0 && $0.rank < layer.rank && $0.action == .allow }.deciders(of: focus).includesDefault
  }

  // MARK: - Egress

  /// Fellow members whom the ingress of their group lets in, and whom a deny of egress keeps from being reached.
  private static func judgeEgress(
    _ place: RulePlace, _ facts: LintFacts, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) {
    let group = facts.policy.groups[place.group]
    guard place.direction == .egress, group.type == .basic, group.intraGroup == .allow, group.members.hasSeveral,
      facts.policy.options.intraGroupEgress == .filter, !facts.words.saysIntraGroupEgress
    else { return }
    let rule = facts.rule(place)
    let hit = facts.addresses(rule.peers).intersection(group.members)
    guard try denies(place, hit, facts) else { return }
    report.add(
      .warning, .egressDenyHitsMembers,
      "this keeps members of `\(group.name)` from each other, though `intra-group` is `allow`",
      at: rule.range,
      help: "write `intra-group-egress: allow` in `options`, or `filter` to say that it is meant",
      notes: [
        Diagnostic.Note("\(sample(hit)) is a member of `\(group.name)`; clouds differ in what they do here", at: group.range)
      ])
  }

  // MARK: - Families

  /// A deny of all of IPv4, where the same over IPv6 is allowed.
  private static func judgeFamilies(
    _ place: RulePlace, _ facts: LintFacts, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) {
    let group = facts.policy.groups[place.group]
    let rule = facts.rule(place)
    let peers = facts.addresses(rule.peers)
    guard !group.members.v6.isEmpty, peers.v4 == AddressSet.all.v4, !Internet.isWide(peers.v6, .ipv6) else { return }
    if let own = rule.own, own.v6.isEmpty { return }
    let left = AddressSet(v4: IntervalSet(), v6: AddressSet.all.v6.subtracting(peers.v6))
    var widened = rule
    widened.peers = [.any]
    let focus = PolicyDiagrams(facts.policy).boxes(widened, place.direction).beginningFlows
      .narrowed(place.direction.peerAxis, to: left)
    if focus.isEmpty { return }
    let layers = facts.layers([place.group], place.direction)
    let rank = layers.first { $0.place == place }?.rank ?? 0
    let deciders = try layers.deciders(of: focus)
    // an allow that speaks of IPv6 alone is meant; one of both families is denied in one half only
    let open = deciders.layers.map { layers[$0] }.first { layer in
      guard layer.action == .allow, layer.rank > rank, let place = layer.place else { return false }
      return !facts.addresses(facts.rule(place).peers).v4.isEmpty
    }
    let isOpenByDefault = deciders.includesDefault && facts.defaultAction(place.group, place.direction) == .allow
    guard open != nil || isOpenByDefault else { return }
    let note =
      open?.place.map { Diagnostic.Note("this allows it over IPv6", at: facts.rule($0).range) }
      ?? Diagnostic.Note("the default of a basic group's egress allows it over IPv6")
    report.add(
      .warning, .ipv4OnlyDeny, "this denies all of IPv4 and leaves IPv6 open, and `\(group.name)` has IPv6 addresses",
      at: rule.range,
      help: "write `\(place.direction == .ingress ? "from" : "to"): any`", notes: [note])
  }

  private static func sample(_ addresses: AddressSet) -> String {
    addresses.ranges.first.map { "`\($0.lowerAddress)`" } ?? "nobody"
  }
}

extension Direction {
  /// The axis of the other end.
  var peerAxis: PacketAxis { self == .ingress ? .source : .destination }
}

extension [PacketBox] {
  /// The packets of these boxes whose address on an axis is in a set.
  func narrowed(_ axis: PacketAxis, to addresses: AddressSet) -> [PacketBox] {
    flatMap { box in
      IPFamily.allCases.filter { !addresses[$0].isEmpty }
        .map { box.narrowed(axis, toAddresses: addresses[$0], of: $0) }.filter { !$0.isEmpty }
    }
  }
}

extension AddressSet {
  func isSubset(of other: AddressSet) -> Bool { v4.isSubset(of: other.v4) && v6.isSubset(of: other.v6) }

  /// Whether there are two addresses of one family, so that one can send to the other.
  var hasSeveral: Bool {
    [v4, v6].contains { $0.intervals.count > 1 || $0.intervals.contains { !$0.isSingle } }
  }
}

extension Internet {
  /// Whether a set is wide in either family.
  static func isWide(_ set: AddressSet) -> Bool { IPFamily.allCases.contains { isWide(set[$0], $0) } }
}
