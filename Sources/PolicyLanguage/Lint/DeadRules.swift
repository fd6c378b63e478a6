import Diagnostics
import PacketSpace

/// Rules that could as well not be there: `shadowed-rule` and `redundant-rule`.
///
/// A rule is judged by what would decide its packets if it were gone. If that is stronger rules only, it never decides: it is
/// shadowed. If it is also weaker ones, or the default, and they all say the same as the rule, it is redundant. So each is judged against
/// the union of the others. What has been reported counts as gone for those that are judged after it: all that are reported can go at
/// once, and the policy means the same.
///
/// A group is judged by itself first, since groups are put together freely; and a rule that is redundant there is reported only if
/// nothing that shares an address with the group needs it. The other way round a rule that decides in its group alone is
/// reported if the groups that come with it at each of its addresses always say the opposite.
struct DeadRules {
  private let facts: LintFacts
  /// The rules that can go.
  private(set) var gone: Set<RulePlace> = []
  /// The rules that never decide where others say the opposite of what they want. They are to be mended rather than removed, so they stand
  /// where the need for others is judged.
  private(set) var defeated: Set<RulePlace> = []

  /// Judges all rules, and reports those that can go.
  init(_ facts: LintFacts, into report: inout LintReport) {
    self.facts = facts
    // a rule that never decides takes part in nothing, so these are found first
    for group in facts.enforcedGroups {
      report.judge(facts.policy.groups[group]) { report throws(DiagramBudgetExceeded) in try findShadowed(group, &report) }
    }
    for group in facts.enforcedGroups {
      report.judge(facts.policy.groups[group]) { report throws(DiagramBudgetExceeded) in
        for direction in Direction.allCases {
          // what a rule was needed against may have gone after it was judged
          while try findRedundant(group, direction, &report) {}
        }
      }
    }
  }

  // MARK: - Shadowed

  private mutating func findShadowed(_ group: Int, _ report: inout LintReport) throws(DiagramBudgetExceeded) {
    for direction in Direction.allCases {
      let layers = facts.layers([group], direction)
      for layer in layers {
        guard let place = layer.place else { continue }
        let focus = layer.boxes.beginningFlows
        if focus.isEmpty { continue }
        let stronger = layers.prefix { $0.rank < layer.rank }.filter { $0.boxes.meets(focus) }
        let deciders = try stronger.isEmpty ? nil : stronger.deciders(of: focus)
        if let deciders, !deciders.includesDefault {
          let by = deciders.layers.map { stronger[$0] }
          // what the stronger rules of its own action say already is no loss, whatever stands before them
          let isDefeated = try stronger.filter { $0.action == layer.action }.deciders(of: focus).includesDefault
          if isDefeated { defeated.insert(place) } else { gone.insert(place) }
          reportShadowed(place, by: by, isDefeated, &report)
        } else if let by = try shadowsInOtherGroups(place, layer) {
          reportShadowedElsewhere(place, by: by, &report)
        }
      }
    }
  }

  /// What decides against a rule at every address of its group, if there is an address and nowhere the rule decides.
  private func shadowsInOtherGroups(_ place: RulePlace, _ layer: RuleLayer) throws(DiagramBudgetExceeded) -> [RuleLayer]? {
    let own = facts.rule(place).own
    let classes = facts.classesOfGroup[place.group].map { facts.classes[$0] }.filter { own?.meets($0.addresses) ?? true }
    if classes.contains(where: { $0.groups.count == 1 }) { return nil }
    var result: [RuleLayer] = []
    for entry in classes {
      let layers = facts.layers(entry.groups, place.direction)
      let opposite = layers.contains { $0.action != layer.action && $0.rank < layer.rank && $0.place?.group != place.group }
      guard opposite, let index = layers.firstIndex(where: { $0.place == place }) else { return nil }
      let others = try layers.deciders(of: layer.boxes.beginningFlows, without: index)
      let deciders = others.layers.map { layers[$0] }
      guard !others.includesDefault, deciders.allSatisfy({ $0.rank < layer.rank && $0.action != layer.action && $0.rank >= 0 })
      else { return nil }
      for decider in deciders where !result.contains(where: { $0.origin == decider.origin }) { result.append(decider) }
    }
    return result.isEmpty ? nil : result
  }

  private func reportShadowed(_ place: RulePlace, by deciders: [RuleLayer], _ isDefeated: Bool, _ report: inout LintReport) {
    let rule = facts.rule(place)
    // an overridden deny is another rule's affair, which knows more to say
    if rule.action == .deny, deciders.contains(where: { $0.rank < 0 }) { return }
    let opposite = deciders.filter { $0.action != rule.action }
    let notes = LintText.notes((opposite + deciders.filter { $0.action == rule.action }).map { note($0, besides: place.group) })
    let action = rule.action.rawValue
    if isDefeated {
      let what = opposite.count == deciders.count ? "what it would \(action)" : "part of what it would \(action)"
      report.add(
        .error, .shadowedRule, "this rule never decides: \(what) is \(rule.action == .allow ? "denied" : "allowed") before it",
        at: rule.range, help: helpToPass(rule, opposite), notes: notes)
    } else {
      report.add(
        .warning, .shadowedRule, "this rule never decides: stronger ones \(action) all of it", at: rule.range,
        help: "remove it", notes: notes)
    }
  }

  private func reportShadowedElsewhere(_ place: RulePlace, by deciders: [RuleLayer], _ report: inout LintReport) {
    let rule = facts.rule(place)
    let name = facts.policy.groups[place.group].name
    report.add(
      .warning, .shadowedRule,
      "this rule never decides: at each address of `\(name)` rules of other groups \(opposite(rule.action).rawValue) all of it",
      at: rule.range, help: helpToPass(rule, deciders), notes: LintText.notes(deciders.map { note($0, besides: place.group) }))
  }

  /// How to make a rule stronger than those that say the opposite.
  private func helpToPass(_ rule: Rule, _ deciders: [RuleLayer]) -> String {
    let strongest = deciders.compactMap { $0.place.map { facts.rule($0).priority } }.min() ?? 1
    // at one priority a deny stands before an allow
    let needed = rule.action == .allow ? Int(strongest) - 1 : Int(strongest)
    if needed >= 1, needed < Int(rule.priority) { return "write `priority: \(needed)` here, or remove the rule" }
    let what = deciders.count == 1 ? "rule that decides" : "rules that decide"
    return rule.priority < 100
      ? "give the \(what) instead a `priority` greater than \(rule.priority), or remove this rule" : "remove this rule"
  }

  // MARK: - Redundant

  /// Whether one was found.
  private mutating func findRedundant(
    _ group: Int, _ direction: Direction, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) -> Bool {
    let before = gone.count
    // of two that are alike the first as written stays
    let candidates = remaining([group], direction).filter { $0.place.map { !defeated.contains($0) } ?? false }
      .sorted { $0.place!.index > $1.place!.index }
    for layer in candidates {
      let place = layer.place!
      guard let others = try sayTheSame(place, layer, [group]) else { continue }
      var isNeeded = false
      for entry in facts.classesOfGroup[group] where facts.classes[entry].groups.count > 1 && !isNeeded {
        isNeeded = try sayTheSame(place, layer, facts.classes[entry].groups) == nil
      }
      if isNeeded { continue }
      gone.insert(place)
      reportRedundant(place, by: others.deciders, others.includesDefault, &report)
    }
    return gone.count > before
  }

  /// The layers of an end but for those of rules that have been reported.
  private func remaining(_ groups: [Int], _ direction: Direction) -> [RuleLayer] {
    facts.layers(groups, direction).filter { layer in layer.place.map { !gone.contains($0) } ?? true }
  }

  /// What decides instead of a rule, if that changes no packet's answer at an end with these groups.
  private func sayTheSame(
    _ place: RulePlace, _ layer: RuleLayer, _ groups: [Int]
  ) throws(DiagramBudgetExceeded) -> (deciders: [RuleLayer], includesDefault: Bool)? {
    let layers = remaining(groups, place.direction)
    let focus = layer.boxes.beginningFlows
    if focus.isEmpty { return nil }
    let defaultSaysSame = facts.defaultAction(place.group, place.direction) == layer.action
    let isOpposed = layers.contains { $0.rank > layer.rank && $0.action != layer.action && $0.boxes.meets(focus) }
    let isBacked = layers.contains {
      $0.rank >= layer.rank && $0.action == layer.action && $0.place != place && $0.boxes.meets(focus)
    }
    // most rules are needed for a plain reason: then no diagram has to be made
    if !isBacked && !defaultSaysSame { return nil }
    if defaultSaysSame && !isOpposed && (!isBacked || groups.count > 1) { return ([], true) }
    let all = layers.filter { $0.place != place }
    let isDefeated = { (layer: RuleLayer) in layer.place.map { self.defeated.contains($0) } ?? false }
    // a rule that isn't needed only because a defeated one would decide is: that one may be mended, or removed
    for others in all.contains(where: isDefeated) ? [all, all.filter { !isDefeated($0) }] : [all] {
      let deciders = try others.deciders(of: focus)
      let instead = deciders.layers.map { others[$0] }.filter { $0.rank >= layer.rank }
      guard instead.allSatisfy({ $0.action == layer.action }), defaultSaysSame || !deciders.includesDefault else { return nil }
      if !instead.contains(where: isDefeated) { return (instead, deciders.includesDefault) }
    }
    return nil
  }

  private func reportRedundant(
    _ place: RulePlace, by deciders: [RuleLayer], _ includesDefault: Bool, _ report: inout LintReport
  ) {
    let rule = facts.rule(place)
    let type = facts.policy.groups[place.group].type
    let byDefault =
      "the default of \(type == .basic ? "a basic" : "an advanced") group \(rule.action == .allow ? "allows" : "denies") it anyway"
    let notes = deciders.map { note($0, besides: place.group) }
    if deciders.isEmpty {
      report.add(
        .note, .redundantRule, "removing this rule changes nothing: \(byDefault)", at: rule.range,
        help: "remove it, or leave it for its readers' sake and waive this")
    } else {
      report.add(
        .warning, .redundantRule, "removing this rule changes nothing: others \(rule.action.rawValue) the same", at: rule.range,
        help: "remove it",
        notes: LintText.notes(notes + (includesDefault ? [Diagnostic.Note("of what they leave, \(byDefault)")] : [])))
    }
  }

  // MARK: - Words

  private func opposite(_ action: Action) -> Action { action == .allow ? .deny : .allow }

  private func note(_ layer: RuleLayer, besides group: Int) -> Diagnostic.Note {
    switch layer.origin {
    case .exempt:
      return Diagnostic.Note("exempt addresses are allowed before any rule is asked")
    case .intraGroup(let index):
      let name = facts.policy.groups[index].name
      return Diagnostic.Note("members of `\(name)` are allowed before any rule is asked", at: facts.policy.groups[index].range)
    case .rule(let place):
      let rule = facts.rule(place)
      let whose = place.group == group ? "" : " of `\(facts.policy.groups[place.group].name)`"
      return Diagnostic.Note("this \(rule.action.rawValue) of priority \(rule.priority)\(whose) decides", at: rule.range)
    }
  }
}
