import PacketSpace

/// Whether elements of sets and maps may be edited while they are in force.
///
/// While they are, each lookup of a packet on its way may find what was there before or what is there now, whatever the packet's
/// other lookups find: that holds for any number of edits, in any order, in one transaction or in several. So every packet has a
/// set of possible outcomes, and an edit is allowed where all of them are what the live or the planned table decides.
///
///     10.0.0.9 joins group web, which db allows in
///       ip saddr vmap @egress-ipv4      nothing, or jump egress/web
///       ip daddr vmap @ingress-ipv4     jump ingress/db
///       ip saddr @group-ipv4/web        found, or not
///
/// Only packets with a changed address at one end can meet a lookup that changes, so only they are looked at; and not those from an
/// address to itself.
struct ElementProof {
  /// The table with what the plan adds first, in front of the edits and behind them.
  private let before: Ruleset
  private let planned: Ruleset
  /// Which chains look up an end in a set that changes.
  private let reach: ChainReach
  private let changes: [ElementChange]
  private var live: PossibleOutcomes
  private var final: PossibleOutcomes
  private var store = DiagramStore(budget: 1_000_000)
  /// How many pairs of classes are walked at most.
  private static let mostPairs = 20_000

  private init(_ changes: [ElementChange], _ before: Ruleset, _ planned: Ruleset) {
    self.changes = changes
    self.before = before
    self.planned = planned
    reach = ChainReach(to: Set(changes.filter { !$0.isMap }.map(\.name)), in: before)
    live = PossibleOutcomes([RulesetIndex(before)])
    final = PossibleOutcomes([RulesetIndex(planned)])
  }

  /// The edits in stages, each of which is a transaction; nil where there is no order that can be proved.
  ///
  /// - Parameter before: the live table and what the plan adds to it before.
  static func stages(_ changes: [ElementChange], before: Ruleset, planned: Ruleset) -> [[ElementChange]]? {
    // of a key that isn't one address the packets that it concerns aren't told apart here
    guard changes.allSatisfy({ $0.types == [.ipv4Address] || $0.types == [.ipv6Address] }) else { return nil }
    // a diagram of many pairs takes the square of their number
    guard (before.sets + planned.sets).allSatisfy({ $0.types.count == 1 || $0.elements.count <= 500 }) else { return nil }
    let maps = changes.filter(\.isMap)
    let sets = changes.filter { !$0.isMap }
    let orders = maps.isEmpty || sets.isEmpty ? [[changes]] : [[changes], [maps, sets], [sets, maps]]
    let proof = ElementProof(changes, before, planned)
    let switched = proof.switched
    return orders.first { order in
      var proof = proof
      return (try? proof.holds(order, switched)) == true
    }
  }

  /// The same behind a switch of chains' rules, with which packets meet the elements as they were.
  ///
  /// What the edits do then lies between the switched table and the planned one, so that the switched one has to judge each packet as
  /// the live or the planned one does.
  static func stages(
    _ changes: [ElementChange], behind change: ChangePlan.Edit, before: Ruleset, planned: Ruleset
  ) -> [[ElementChange]]? {
    let table = change.applied(to: before)
    let difference = RulesetDifference.compare(live: before, planned: table)
    var proof = ElementProof(changes, before, planned)
    guard difference.limits.isEmpty, difference.sets.isEmpty, let chains = proof.chains(of: difference),
      !chains.isEmpty, let switched = try? SwitchedChains(chains, from: before, to: table),
      (try? proof.holds(switched, in: table)) == true
    else { return nil }
    return stages(changes, before: table, planned: planned)
  }

  /// The names of the chains of a difference; nil where they aren't all chains of both tables that rules or maps lead to.
  private func chains(of difference: RulesetDifference) -> [String]? {
    let isSwitch = difference.chains.allSatisfy { $0.presence == .changed && live.tables[0].chain($0.name)?.base == nil }
    return isSwitch ? difference.chains.map(\.name) : nil
  }

  /// The chains whose rules are all that makes the planned table of the one before, beside the edits. Where more changes than that,
  /// nil: then every lookup that changes counts.
  private var switched: SwitchedChains? {
    let after = ChangePlan.Edit(changes, table: planned.tableName).applied(to: before)
    var difference = RulesetDifference.compare(live: after, planned: planned)
    difference.chains.removeAll { $0.presence == .removed }
    guard difference.limits.isEmpty, difference.sets.allSatisfy({ $0.presence == .removed }),
      let chains = chains(of: difference)
    else { return nil }
    return try? SwitchedChains(chains, from: before, to: planned)
  }

  private mutating func holds(
    _ stages: [[ElementChange]], _ switched: SwitchedChains?
  ) throws(DiagramBudgetExceeded) -> Bool {
    var state = before
    for stage in stages {
      let next = ChangePlan.Edit(stage, table: planned.tableName).applied(to: state)
      var possible = PossibleOutcomes([state, next].map { RulesetIndex($0, chainsOf: live.tables[0]) })
      guard let bases = ElementProof.baseChains(state, planned) else { return false }
      for base in bases {
        var isRight = switched == nil ? nil : try holds(stage, state, next, &possible, base, switched)
        if isRight == nil { isRight = try holds(stage, state, next, &possible, base, nil) }
        if isRight != true { return false }
      }
      state = next
    }
    return true
  }

  /// The addresses of a family of which elements change in any stage.
  private func edited(_ family: IPFamily) -> IntervalSet {
    IntervalSet(changes.filter { $0.isOf(family) }.flatMap(\.changedKeys.intervals))
  }

  /// The base chains of two tables, of which each has one at a hook, and the other the same; nil where that isn't so.
  private static func baseChains(_ old: Ruleset, _ new: Ruleset) -> [String]? {
    var result: [String] = []
    for hook in Hook.allCases {
      let chains = [old, new].map { $0.chains.filter { $0.base?.hook == hook } }
      if chains[0].isEmpty && chains[1].isEmpty { continue }
      guard chains[0].count == 1, chains[1].count == 1 else { return nil }
      guard chains[0][0].name == chains[1][0].name, chains.joined().allSatisfy(\.looksUpMapsOnce) else { return nil }
      result.append(chains[0][0].name)
    }
    return result
  }

  /// Whether the switched table, which has the elements of the live one, judges every packet as the live or the planned one does.
  private mutating func holds(_ switched: SwitchedChains, in table: Ruleset) throws(DiagramBudgetExceeded) -> Bool {
    guard let bases = ElementProof.baseChains(before, planned) else { return false }
    var possible = PossibleOutcomes([RulesetIndex(table)])
    let matters = { (verdict: Verdict, _: PacketAxis) in switched.areBehind(verdict) }
    var pairs = 0
    for base in bases {
      for family in IPFamily.allCases {
        let tables = [before, planned]
        // what maps find for addresses that are to be edited counts, wherever it leads: it is another thing in the planned table
        func classes(_ axis: PacketAxis) -> [Class] {
          let looked = edited(family).intervals + switched.ends(axis, family).intervals
          return ElementProof.classes(tables, base, axis, family, [], IntervalSet(looked), matters)
        }
        let (sources, destinations) = (classes(.source), classes(.destination))
        for source in sources {
          for destination in destinations {
            if source.isOneAddress && source.values == destination.values { continue }
            if !switched.decideOtherwise(source.values, destination.values, family) { continue }
            let found = (0..<tables.count).map { source.found[$0].merging(destination.found[$0]) { a, _ in a } }
            if !([.jump(base)] + found[0].values.compactMap { $0 }).contains(where: switched.areBehind) { continue }
            pairs += 1
            if pairs > ElementProof.mostPairs || source.isRest || destination.isRest { return false }
            let outcome = try possible.baseChain(base, [found[0]], &store)
            if try !isRight(outcome, base, found[0], found[1], source, destination, family) { return false }
          }
        }
      }
    }
    return true
  }

  /// Whether packets with some ends are judged in no other way than the live and the planned table do.
  ///
  /// - Parameters:
  ///   - before: what the live table's maps find.
  ///   - after: what the planned table's do.
  private mutating func isRight(
    _ outcome: Diagram, _ base: String, _ before: [String: Verdict?], _ after: [String: Verdict?], _ source: Class,
    _ destination: Class, _ family: IPFamily
  ) throws(DiagramBudgetExceeded) -> Bool {
    let a = try live.baseChain(base, [before], &store)
    let b = try final.baseChain(base, [after], &store)
    let right = try store.combine(a, b) { $0 | $1 }
    let wrong = try store.combine(outcome, right) { $0 & ~$1 == 0 ? 0 : 1 }
    let box = PacketBox().narrowed(.source, toAddresses: source.values, of: family)
      .narrowed(.destination, toAddresses: destination.values, of: family)
    return try store.overlay(box, wrong, on: .leaf(0)) == .leaf(0)
  }

  /// Whether a stage holds for the packets of one base chain.
  ///
  /// - Parameter switched: the chains whose rules are all that makes the planned table of the one before, beside the stages; nil not
  ///   to make use of that.
  /// - Returns: nil where that can't be said with them, and may be without.
  private mutating func holds(
    _ stage: [ElementChange], _ old: Ruleset, _ new: Ruleset, _ possible: inout PossibleOutcomes, _ base: String,
    _ switched: SwitchedChains?
  ) throws(DiagramBudgetExceeded) -> Bool? {
    var pairs = 0
    for family in IPFamily.allCases {
      let changed = stage.filter { $0.isOf(family) }
      if changed.isEmpty { continue }
      // also what other stages change has elements that count
      let edited = edited(family)
      let tables = [before, old, new, planned]
      // where some chains only look the other end up in a changed set, addresses that lead to others need no class of their own
      let matters = switched.map { switched in
        { [reach] (verdict: Verdict, axis: PacketAxis) in reach.leads(verdict, by: axis) || switched.areBehind(verdict) }
      }
      let sources = ElementProof.classes(tables, base, .source, family, changed, edited, matters)
      let destinations = ElementProof.classes(tables, base, .destination, family, changed, edited, matters)
      for source in sources {
        for destination in destinations where source.isChanged || destination.isChanged {
          // nobody sends to their own address by way of a gateway, and the language leaves such flows aside, too
          if source.isOneAddress && source.values == destination.values { continue }
          pairs += 1
          if pairs > ElementProof.mostPairs { return false }
          let found = (0..<tables.count).map { source.found[$0].merging(destination.found[$0]) { a, _ in a } }
          // where one lookup at most can find two things, and what it may lead to is the same in all tables, a packet is judged by
          // the live table or by the planned one
          if let switched, found[1] == found[0] || found[1] == found[3], found[2] == found[0] || found[2] == found[3] {
            let differing = found[1].keys.filter { found[1][$0]! != found[2][$0] }
            let targets = found.flatMap { $0.values.compactMap { $0 } }
            let meetsSets = [(source, PacketAxis.source), (destination, .destination)].contains { end, axis in
              end.isEdited && (reach.leads(base, by: axis) || targets.contains { reach.leads($0, by: axis) })
            }
            let isSwitched =
              switched.decideOtherwise(source.values, destination.values, family)
              && (targets + [.jump(base)]).contains { switched.areBehind($0) }
            if differing.count <= 1, !meetsSets, !isSwitched { continue }
          }
          if switched != nil, source.isRest || destination.isRest { return nil }
          let outcome = try possible.baseChain(base, [found[1], found[2]], &store)
          if try !isRight(outcome, base, found[0], found[3], source, destination, family) { return false }
        }
      }
    }
    return true
  }

  // MARK: - Classes of addresses

  /// Addresses that all lookups of the base chain treat alike, in each of the tables.
  private struct Class {
    var values: IntervalSet
    /// Whether an element with them changes.
    var isChanged: Bool
    /// Whether one changes here or in another stage.
    var isEdited: Bool
    /// Whether no element is known of them: what doesn't matter was left out. Of several maps for one end no two have one address,
    /// so that of all others everything is known.
    var isRest: Bool
    /// For each table what its maps find.
    var found: [[String: Verdict?]]

    var isOneAddress: Bool { values.intervals.count == 1 && values.intervals[0].isSingle }
  }

  private static func classes(
    _ tables: [Ruleset], _ base: String, _ axis: PacketAxis, _ family: IPFamily, _ changes: [ElementChange],
    _ edited: IntervalSet, _ matters: ((Verdict, PacketAxis) -> Bool)?
  ) -> [Class] {
    let other = axis == .source ? PacketAxis.destination : .source
    var labelled: [(interval: Interval, label: Int32)] = changes.flatMap { $0.changedKeys.intervals.map { ($0, 0) } }
    labelled += edited.intervals.map { ($0, 1) }
    // what a label stands for; the first two are changes
    var meanings: [(table: Int, map: String, verdict: Verdict)?] = [nil, nil]
    var nothing = tables.map { _ in [String: Verdict?]() }
    // of each map as it is in one table and then in the next: the elements that matter
    var chosen: [String: (elements: VerdictElements, places: [Int])] = [:]
    for (number, table) in tables.enumerated() {
      for map in table.addressMaps(of: base, axis) {
        nothing[number][map.name] = .some(nil)
        if map.types != [family == .ipv4 ? .ipv4Address : .ipv6Address] { continue }
        let keys = map.elements.keys.intervals
        if chosen[map.name]?.elements != map.elements {
          var last: (verdict: Verdict, matters: Bool)?
          let places = map.elements.verdicts.indices.filter { place in
            guard let matters else { return true }
            // neighbours mostly have one verdict
            let verdict = map.elements.verdicts[place]
            if last?.verdict != verdict { last = (verdict, matters(verdict, other)) }
            return last!.matters || edited.overlaps(keys[place])
          }
          chosen[map.name] = (map.elements, places)
        }
        var labels: [Verdict: Int32] = [:]
        for place in chosen[map.name]!.places {
          let verdict = map.elements.verdicts[place]
          if labels[verdict] == nil {
            labels[verdict] = Int32(meanings.count)
            meanings.append((number, map.name, verdict))
          }
          labelled.append((keys[place], labels[verdict]!))
        }
      }
    }
    return IntervalPartition.classes(labelled, of: Interval(0, family.maximum)).map { labels, values in
      var result = Class(
        values: values, isChanged: labels.contains(0), isEdited: labels.contains(1), isRest: labels.isEmpty, found: nothing)
      for label in labels {
        if let (table, map, verdict) = meanings[Int(label)] { result.found[table][map] = .some(verdict) }
      }
      return result
    }
  }
}

extension Ruleset {
  /// The maps that the rules of a base chain look up an end's address in.
  fileprivate func addressMaps(of base: String, _ axis: PacketAxis) -> [VerdictMap] {
    guard let chain = chains.first(where: { $0.name == base }) else { return [] }
    let names = chain.rules.compactMap { rule -> String? in
      guard case .lookup(let lookup) = rule.expressions.last, case .named(let name) = lookup.source,
        case .field(let field) = lookup.key, field.addressAxis?.0 == axis
      else { return nil }
      return name
    }
    return Set(names).sorted().compactMap { name in maps.first { $0.name == name } }
  }
}

extension Chain {
  /// Whether no named map is looked up twice here: what it finds is then one thing for a packet.
  fileprivate var looksUpMapsOnce: Bool {
    var names: Set<String> = []
    for case .lookup(let lookup) in rules.lazy.flatMap(\.expressions) {
      if case .named(let name) = lookup.source, !names.insert(name).inserted { return false }
    }
    return true
  }
}

/// Chains whose rules a plan switches, behind the edits or in front of them.
private struct SwitchedChains {
  /// What leads to them; nil for none.
  private let reach: ChainReach?
  /// The packets for which each of them decides otherwise then have these ends.
  private var ends: [(family: IPFamily, sources: IntervalSet, destinations: IntervalSet)] = []

  /// - Parameter names: of chains of both tables.
  init(_ names: [String], from before: Ruleset, to planned: Ruleset) throws(DiagramBudgetExceeded) {
    if names.isEmpty {
      reach = nil
      return
    }
    reach = ChainReach(to: [], or: Set(names), in: before)
    var (old, new) = (RulesetDiagrams(before), RulesetDiagrams(planned))
    var store = DiagramStore(budget: 1_000_000)
    let unknown = RulesetDiagrams.Outcome.unknown.rawValue
    for name in names {
      let parts = try store.combine(old.chain(name, in: &store), new.chain(name, in: &store)) {
        $0 == $1 && $0 != unknown ? 0 : 1
      }
      for family in IPFamily.allCases {
        let box = PacketBox().narrowed(.family, to: Interval(UInt128(family.rawValue)))
        let here = try store.overlay(box, parts, on: .leaf(0))
        if here == .leaf(0) { continue }
        ends.append((family, store.values(.source, in: here) { $0 != 0 }, store.values(.destination, in: here) { $0 != 0 }))
      }
    }
  }

  /// Whether a verdict leads to one of them.
  func areBehind(_ verdict: Verdict) -> Bool { reach?.leads(verdict, by: .source) ?? false }

  /// The addresses at one end for which they may decide otherwise; where these are all or nearly all, they don't tell any from
  /// others.
  func ends(_ axis: PacketAxis, _ family: IPFamily) -> IntervalSet {
    let sets = ends.lazy.filter { $0.family == family }.map { axis == .source ? $0.sources : $0.destinations }
    return IntervalSet(sets.filter { !$0.contains(0) || !$0.contains(family.maximum) }.flatMap(\.intervals))
  }

  /// Whether some of them may decide otherwise for packets with such ends.
  func decideOtherwise(_ sources: IntervalSet, _ destinations: IntervalSet, _ family: IPFamily) -> Bool {
    ends.contains {
      $0.family == family && !$0.sources.isDisjoint(with: sources) && !$0.destinations.isDisjoint(with: destinations)
    }
  }
}

/// What may come of packets, where each lookup may find what any of several tables has. The tables differ in elements only.
private struct PossibleOutcomes {
  /// Decisions of the diagrams are sums of these.
  static let drop = 1
  static let accept = 2
  static let returns = 4
  static let unknown = 8

  let tables: [RulesetIndex]
  private var known: [String: Diagram] = [:]

  init(_ tables: [RulesetIndex]) { self.tables = tables }

  /// - Parameter found: what the base chain's own maps find, in each way that they may.
  mutating func baseChain(
    _ name: String, _ found: [[String: Verdict?]], _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    guard let chain = tables[0].chain(name) else { return .leaf(PossibleOutcomes.unknown) }
    var result = Diagram.leaf(PossibleOutcomes.returns)
    for rule in chain.rules.reversed() { result = try self.rule(rule, then: result, found, &store) }
    let policy = chain.base?.policy == .drop ? PossibleOutcomes.drop : PossibleOutcomes.accept
    return try called(result, then: .leaf(policy), &store)
  }

  private mutating func chain(_ name: String, _ store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Diagram {
    if let diagram = known[name] { return diagram }
    // a loop, which no kernel takes, ends here
    known[name] = .leaf(PossibleOutcomes.unknown)
    guard let chain = tables[0].chain(name) else { return .leaf(PossibleOutcomes.unknown) }
    var result = Diagram.leaf(PossibleOutcomes.returns)
    for rule in chain.rules.reversed() { result = try self.rule(rule, then: result, [], &store) }
    known[name] = result
    return result
  }

  /// A chain's outcomes, with `rest` for the packets that come back from it.
  private func called(
    _ chain: Diagram, then rest: Diagram, _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    let returns = PossibleOutcomes.returns
    return try store.combine(chain, rest) { $0 & returns == 0 ? $0 : $0 & ~returns | $1 }
  }

  private mutating func target(
    _ verdict: Verdict, then rest: Diagram, _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    switch verdict {
    case .accept: .leaf(PossibleOutcomes.accept)
    case .drop: .leaf(PossibleOutcomes.drop)
    case .return: .leaf(PossibleOutcomes.returns)
    case .continue: rest
    case .goto(let name): try chain(name, &store)
    case .jump(let name): try called(chain(name, &store), then: rest, &store)
    }
  }

  /// A rule in all ways that its lookups may go, and `rest` for the packets that go on behind it.
  private mutating func rule(
    _ rule: Rule, then rest: Diagram, _ found: [[String: Verdict?]], _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    // the ways so far: each the packets that come through the expressions in front
    var ways: [[PacketBox]] = [[PacketBox()]]
    var isLimited = false
    for expression in rule.expressions {
      switch expression {
      case .log, .counter: break
      case .limit, .namedLimit: isLimited = true
      case .unknown: return .leaf(PossibleOutcomes.unknown)
      case .match(let match):
        let boxes = alternatives(match).map { PacketBox.matching(match.key, $0, isNegated: match.isNegated) }
        ways = ways.flatMap { way in boxes.map { PacketBox.intersect(way, $0) } }
      case .verdict(let verdict):
        let target = try target(verdict, then: rest, &store)
        return try union(isLimited, rest, ways.map { [($0, target)] }, &store)
      case .lookup(let lookup):
        if case .named(let name) = lookup.source, found.contains(where: { $0[name] != nil }) {
          var targets: [Diagram] = []
          for way in found {
            var target = rest
            if case .some(.some(let verdict)) = way[name] { target = try self.target(verdict, then: rest, &store) }
            if !targets.contains(target) { targets.append(target) }
          }
          return try union(isLimited, rest, ways.flatMap { way in targets.map { [(way, $0)] } }, &store)
        }
        var all: [[([PacketBox], Diagram)]] = []
        for elements in alternatives(lookup) {
          var targets: [(verdict: Verdict, target: Diagram, keys: Elements)] = []
          for (index, verdict) in elements.verdicts.enumerated() {
            if let place = targets.firstIndex(where: { $0.verdict == verdict }) {
              targets[place].keys.append(contentsOf: elements.keys[index])
            } else {
              let keys = Elements(stride: elements.keys.stride, Array(elements.keys[index]))
              targets.append((verdict, try target(verdict, then: rest, &store), keys))
            }
          }
          for way in ways {
            all.append(
              targets.map { (PacketBox.intersect(way, PacketBox.matching(lookup.key, $0.keys, isNegated: false)), $0.target) })
          }
        }
        return try union(isLimited, rest, all, &store)
      }
    }
    return rest
  }

  /// What comes of a rule whose ways each lead the packets of some boxes to a target, and all others to `rest`.
  private func union(
    _ isLimited: Bool, _ rest: Diagram, _ ways: [[(boxes: [PacketBox], target: Diagram)]], _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var result = isLimited ? rest : nil
    for way in ways {
      var one = rest
      for (boxes, target) in way {
        for box in boxes { one = try store.overlay(box, target, on: one) }
      }
      result = if let other = result { try store.combine(other, one) { $0 | $1 } } else { one }
    }
    return result ?? rest
  }

  private func alternatives(_ match: Match) -> [Elements] {
    switch match.operand {
    case .value(let value): return [Elements([value])]
    case .anonymous(let elements): return [elements]
    case .named(let name): return distinct(tables.map { $0.sets[name]?.elements ?? Elements(stride: match.key.fields.count) })
    }
  }

  private func alternatives(_ lookup: VerdictLookup) -> [VerdictElements] {
    switch lookup.source {
    case .anonymous(let elements): return [elements]
    case .named(let name):
      return distinct(tables.map { $0.maps[name]?.elements ?? VerdictElements(stride: lookup.key.fields.count) })
    }
  }

  private func distinct<Item: Equatable>(_ items: [Item]) -> [Item] {
    items.count == 2 && items[0] == items[1] ? [items[0]] : items
  }
}
