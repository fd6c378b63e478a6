import PacketSpace

/// How a table in the kernel becomes the planned one, in transactions, so that no packet is judged as neither of the two would.
///
/// A transaction is atomic for readers, and not for packets: what it makes of sets with intervals matches from the end of its
/// commit on, what it deletes is run through for a moment without its elements, and a packet on its way may look into one set
/// before the commit and into another one behind it. Rules are another matter: a packet reads once, at its hook, which of the two
/// generations of rules it goes by, in all chains. So only rules switch. (Tried on 6.18: `ApplyTests`; nf_tables_core.c,
/// `nft_do_chain`.)
///
///     add       what nothing leads to yet: chains, sets, maps, limits
///     elements  of sets and maps in force, where `ElementProof` holds: whatever a packet sees, live or planned decides so too
///     switch    the rules of all changed chains at once
///     delete    what nothing leads to any more
///
/// Elements are edited behind the switch where that can be proved and the other order can't: an address that leaves is let in by
/// nobody's rules any more before it loses its own chains.
///
/// What can't be changed so while it is in force is staged: it is made a second time, as `staged-0/NAME` and with all that must
/// lead there; the switch leads to these copies; then the objects themselves, to which nothing leads now, are made anew, and a
/// second switch leads back to them. So names depend on the planned table alone. Staged are sets and maps that are declared
/// anew or whose elements can't be edited, and chains with sets of their own whose rules change.
///
/// A policy of a base chain is no rule: while it changes, a rule at the chain's end says it.
public struct ChangePlan: Sendable {
  /// In order; none where live and planned mean the same.
  public let transactions: [Transaction]
  private let hasLiveTable: Bool

  /// - Parameters:
  ///   - live: the table as it was read; nil where there is none.
  ///   - isKnown: whether it is known that Cordon wrote it so, and it needn't be asked whether it can be written again.
  ///   - replacing: whether to make the whole table anew where anything differs. So it is in any case where the live table has
  ///     what Cordon can't write or doesn't know: flags, unknown objects, statements or types, other hooks.
  public init(live: Ruleset?, isKnown: Bool = false, planned: Ruleset, replacing: Bool = false) {
    hasLiveTable = live != nil
    let difference = RulesetDifference.compare(live: live, planned: planned)
    if difference.isEmpty {
      transactions = []
    } else if let live, !replacing, isKnown || live.isFullyKnown,
      let edits = PlanBuilder.edits(from: live, to: planned, difference)
    {
      transactions = edits.map { .edit($0) }
    } else {
      transactions = [.replacement(planned)]
    }
  }

  /// The objects that its transactions make or change; some of them may be gone at its end.
  public var touched: Set<ObjectName> { transactions.reduce(into: []) { $0.formUnion($1.touched) } }

  /// Whether the whole table is made anew, which misjudges new flows for the moment of the commit.
  public var replacesTable: Bool {
    transactions.contains { if case .replacement = $0 { true } else { false } }
  }

  /// What is done, in a line.
  public var summary: String {
    if transactions.isEmpty { return "nothing is to be done" }
    if !hasLiveTable { return "the table is made in one transaction" }
    if replacesTable { return "the whole table is made anew at once: new flows can be judged wrong for the moment of the load" }
    let count = transactions.count
    return "\(count) transaction\(count == 1 ? "" : "s"): \(transactions.map(\.name).joined(separator: ", "))"
  }
}

extension Ruleset {
  /// Whether this is all that there is to say of the table, and Cordon can write it again: only then can it be edited or restored.
  public var isFullyKnown: Bool { !isCutOff && !hasTableFlags && RulesetValidator.validate(self).isEmpty }
}

/// Makes the transactions of a plan.
private struct PlanBuilder {
  /// The live table, less what is cleared away first.
  let live: Ruleset
  let planned: Ruleset
  private let difference: RulesetDifference

  /// Nil where the table must be replaced.
  static func edits(from live: Ruleset, to planned: Ruleset, _ difference: RulesetDifference) -> [ChangePlan.Edit]? {
    let clearing = clear(live, planned, difference)
    if clearing.isEmpty { return PlanBuilder(live: live, planned: planned, difference: difference).build() }
    let rest = clearing.applied(to: live)
    let builder = PlanBuilder(
      live: rest, planned: planned, difference: RulesetDifference.compare(live: rest, planned: planned))
    return builder.build().map { [clearing] + $0 }
  }

  /// Deletes what no packet can come to and isn't as planned, with what speaks of it: the rest of an apply that died.
  private static func clear(_ live: Ruleset, _ planned: Ruleset, _ difference: RulesetDifference) -> ChangePlan.Edit {
    var edit = ChangePlan.Edit(.clear, table: planned.tableName)
    let differing = difference.removed.union(difference.redeclared).union(difference.changedChains.map { .chain($0) })
    // where but elements differ there is no such rest: to edit those that nothing leads to does no harm
    if differing.isEmpty { return edit }
    let unreachable = live.objects.subtracting(live.reachable)
    var gone = differing.union(difference.changedElements.map { .set($0) }).intersection(unreachable)
    var count = -1
    while count != gone.count {
      count = gone.count
      for chain in live.chains where chain.speaks(of: gone) && unreachable.contains(.chain(chain.name)) {
        gone.insert(.chain(chain.name))
      }
      for map in live.maps where map.speaks(of: gone) && unreachable.contains(.set(map.name)) { gone.insert(.set(map.name)) }
    }
    edit.delete(gone, of: live)
    return edit
  }

  private func build() -> [ChangePlan.Edit]? {
    for chain in difference.chains where chain.presence == .changed {
      guard let base = chain.base else { continue }
      guard let a = base.live, let b = base.planned, (a.type, a.hook, a.priority) == (b.type, b.hook, b.priority) else {
        return nil
      }
    }
    // elements in place, where that can be proved; else the sets and maps are staged like all that is made anew
    let changed = elementChanges
    let editable = changed.filter(\.isEditable)
    let names = Set(editable.map { ObjectName.set($0.name) })
    let others = difference.redeclared.union(changed.map { .set($0.name) }).subtracting(names)
    if !editable.isEmpty, let staged = staging(others) {
      let inPlace = editable.filter { !staged.contains(.set($0.name)) }
      if let edits = edits(staging: staged, inPlace) { return edits }
    }
    return staging(others.union(names)).flatMap { edits(staging: $0, []) }
  }

  /// Of the sets and maps of both tables whose elements differ.
  private var elementChanges: [ElementChange] {
    let names = Set(difference.changedElements)
    func contents(_ ruleset: Ruleset) -> [String: SetContent] {
      let contents =
        ruleset.maps.filter { names.contains($0.name) }.map(SetContent.init)
        + ruleset.sets.filter { names.contains($0.name) }.map(SetContent.init)
      return Dictionary(contents.map { ($0.name, $0) }) { first, _ in first }
    }
    let (old, new) = (contents(live), contents(planned))
    return difference.changedElements.map { ElementChange(old[$0]!, new[$0]!) }
  }

  /// Nil where the elements can't be edited in place.
  private func edits(staging staged: Set<ObjectName>, _ inPlace: [ElementChange]) -> [ChangePlan.Edit]? {
    let prefix = staged.isEmpty ? "" : unusedPrefix
    guard staged.allSatisfy({ $0.length + prefix.utf8.count <= 255 }) else { return nil }
    let middle = endingInPolicies(planned.renaming(staged) { prefix + $0 })
    let isMiddle = !staged.isEmpty || middle.isChanged
    let toMiddle = isMiddle ? RulesetDifference.compare(live: live, planned: middle.ruleset) : difference
    var (add, change, delete) = round(from: live, to: middle.ruleset, toMiddle)
    var edits = [add]
    if inPlace.isEmpty {
      edits += [change, delete]
    } else {
      let before = add.applied(to: live)
      func made(_ stages: [[ElementChange]]) -> [ChangePlan.Edit] {
        stages.map { ChangePlan.Edit($0, table: planned.tableName) }
      }
      if let stages = ElementProof.stages(inPlace, before: before, planned: planned) {
        edits += made(stages) + [change, delete]
      } else if !isMiddle, let stages = ElementProof.stages(inPlace, behind: change, before: before, planned: planned) {
        edits += [change] + made(stages) + [delete]
      } else {
        return nil
      }
    }
    if isMiddle {
      (add, change, delete) = round(
        from: middle.ruleset, to: planned, RulesetDifference.compare(live: middle.ruleset, planned: planned))
      edits += [add, change, delete]
    }
    return edits.filter { !$0.isEmpty }
  }

  /// What has to be staged so that these objects can be: all that must lead there and can't by a switch of its rules. Nil where
  /// that comes to a base chain.
  private func staging(_ start: Set<ObjectName>) -> Set<ObjectName>? {
    if start.isEmpty && difference.changedChains.isEmpty { return [] }
    let changedChains = Set(difference.changedChains)
    let liveChains = Dictionary(live.chains.map { ($0.name, $0) }) { first, _ in first }
    var staged = start
    var count = -1
    while count != staged.count {
      count = staged.count
      for chain in planned.chains where !staged.contains(.chain(chain.name)) {
        let leadsThere = chain.speaks(of: staged)
        let old = liveChains[chain.name]
        // a chain that leads to a copy switches twice: there and back
        let isFilled = leadsThere || changedChains.contains(chain.name)
        let canSwitch =
          (!isFilled || chain.canBeFilled) && (!leadsThere || chain.canBeFlushed)
          && (!isFilled || old?.canBeFlushed != false)
        if canSwitch { continue }
        if chain.base != nil { return nil }
        staged.insert(.chain(chain.name))
      }
      for map in planned.maps where map.speaks(of: staged) { staged.insert(.set(map.name)) }
    }
    return staged
  }

  /// In front of the names of what is staged; no live name begins so.
  private var unusedPrefix: String {
    let names =
      live.chains.map(\.name) + live.sets.map(\.name) + live.maps.map(\.name) + live.limits.map(\.name)
      + planned.chains.map(\.name) + planned.sets.map(\.name) + planned.maps.map(\.name) + planned.limits.map(\.name)
    var number = 0
    while names.contains(where: { $0.hasPrefix("staged-\(number)/") }) { number += 1 }
    return "staged-\(number)/"
  }

  /// The table with the live policies of its base chains, `accept` for new ones, and rules that say the planned ones.
  private func endingInPolicies(_ ruleset: Ruleset) -> (ruleset: Ruleset, isChanged: Bool) {
    let policies = Dictionary(live.chains.compactMap { chain in chain.base.map { (chain.name, $0.policy) } }) { a, _ in a }
    var result = ruleset
    var isChanged = false
    for (index, chain) in ruleset.chains.enumerated() {
      guard let base = chain.base else { continue }
      let policy = policies[chain.name] ?? .accept
      if policy == base.policy { continue }
      result.chains[index].base!.policy = policy
      result.chains[index].rules.append(Rule([.verdict(base.policy)]))
      isChanged = true
    }
    return (result, isChanged)
  }

  /// From one table to another whose common sets and maps are alike, or are edited in between, and whose common chains can switch.
  private func round(
    from old: Ruleset, to new: Ruleset, _ difference: RulesetDifference
  ) -> (add: ChangePlan.Edit, change: ChangePlan.Edit, delete: ChangePlan.Edit) {
    var add = ChangePlan.Edit(.add, table: planned.tableName)
    var change = ChangePlan.Edit(.switch, table: planned.tableName)
    let made = difference.made
    add.added.limits = new.limits.filter { made.contains(.limit($0.name)) }
    add.added.sets = new.sets.filter { made.contains(.set($0.name)) }
    add.added.maps = new.maps.filter { made.contains(.set($0.name)) }
    let differences = Dictionary(difference.chains.map { ($0.name, $0) }) { first, _ in first }
    let filled = Set(old.chains.lazy.filter { !$0.rules.isEmpty }.map(\.name).filter { differences[$0] != nil })
    for chain in new.chains {
      guard let difference = differences[chain.name] else { continue }
      if difference.presence == .added {
        if chain.base == nil {
          add.added.chains.append(chain)
        } else {
          // without rules it decides nothing
          add.added.chains.append(Chain(chain.name, base: chain.base))
          change.added.chains.append(Chain(chain.name, rules: chain.rules))
        }
        continue
      }
      // the rule at its end says the policy meanwhile
      if difference.base != nil { add.added.chains.append(Chain(chain.name, base: chain.base)) }
      if difference.rules.isEmpty { continue }
      if filled.contains(chain.name) { change.flushed.append(chain.name) }
      if !chain.rules.isEmpty { change.added.chains.append(Chain(chain.name, rules: chain.rules)) }
    }
    let removed = difference.removed
    for chain in old.chains where chain.base != nil && removed.contains(.chain(chain.name)) {
      if !chain.rules.isEmpty { change.flushed.append(chain.name) }
      change.added.chains.append(Chain(chain.name, rules: [Rule([.verdict(.accept)])]))
    }
    var delete = ChangePlan.Edit(.delete, table: planned.tableName)
    delete.delete(removed, of: old)
    return (add, change, delete)
  }
}

extension RulesetDifference {
  /// Objects on one side only.
  fileprivate var made: Set<ObjectName> { objects(.added).subtracting(turned) }
  fileprivate var removed: Set<ObjectName> { objects(.removed).subtracting(turned) }

  /// What is a set on one side and a map on the other.
  private var turned: Set<ObjectName> { objects(.added).intersection(objects(.removed)) }

  private func objects(_ presence: Presence) -> Set<ObjectName> {
    let limits = limits.filter { ($0.live == nil ? .added : $0.planned == nil ? .removed : .changed) == presence }
    return Set(
      limits.compactMap { ($0.live ?? $0.planned).map { .limit($0.name) } }
        + chains.filter { $0.presence == presence }.map { .chain($0.name) }
        + sets.filter { $0.presence == presence }.map { .set($0.name) })
  }

  /// Chains of both tables whose rules differ.
  fileprivate var changedChains: [String] { chains.filter { $0.presence == .changed && !$0.rules.isEmpty }.map(\.name) }

  /// Limits, and sets and maps that are declared anew: they can only be made anew.
  fileprivate var redeclared: Set<ObjectName> {
    turned.union(
      limits.compactMap { $0.live == nil ? nil : $0.planned.map { .limit($0.name) } }
        + sets.filter { $0.presence == .changed && $0.declaration.live != $0.declaration.planned }.map { .set($0.name) })
  }

  /// Sets and maps of both tables that are declared alike, and whose elements differ.
  fileprivate var changedElements: [String] {
    sets.filter { $0.presence == .changed && $0.declaration.live == $0.declaration.planned }.map(\.name)
  }
}

extension ObjectName {
  fileprivate var length: Int {
    switch self {
    case .chain(let name), .set(let name), .limit(let name): name.utf8.count
    }
  }
}
