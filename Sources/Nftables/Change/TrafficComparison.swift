public import PacketSpace

/// Compares two rulesets by what they do with packets, at each hook, and not by how they are written.
///
/// Addresses that every lookup of the base chains treats alike are one class; for each pair of a source's class and a
/// destination's, the two ways through the base chain are diagrams, whose parting is what changes. A pair whose way leads through
/// nothing but what is the same on both sides isn't walked.
public struct TrafficComparison: Sendable {
  private let live: Ruleset
  private let planned: Ruleset
  private let sides: Sides
  private var store: DiagramStore
  private var sameness: Sameness

  private init(live: Ruleset, planned: Ruleset) {
    self.live = live
    self.planned = planned
    let (old, new) = (RulesetIndex(live), RulesetIndex(planned))
    sides = Sides(live: RulesetDiagrams(old), planned: RulesetDiagrams(new))
    store = DiagramStore()
    sameness = Sameness(old, new)
  }

  /// - Parameter limit: how many boxes of a kind are looked for at a hook before the rest of them is left: what opens is found
  ///   however much closes.
  public static func compare(
    live: Ruleset, planned: Ruleset, limit: Int = 500
  ) throws(DiagramBudgetExceeded) -> TrafficDifference {
    var comparison = TrafficComparison(live: live, planned: planned)
    var result = TrafficDifference()
    for hook in Hook.allCases { try comparison.compare(hook, limit, &result) }
    return result
  }

  private mutating func compare(
    _ hook: Hook, _ limit: Int, _ result: inout TrafficDifference
  ) throws(DiagramBudgetExceeded) {
    let before = TrafficComparison.baseChains(live, hook)
    let after = TrafficComparison.baseChains(planned, hook)
    if before.isEmpty && after.isEmpty { return }
    let isSameBase =
      before.count == after.count
      && zip(before, after).allSatisfy { sameness.chain($0.name, $1.name) && $0.base == $1.base && $0.name == $1.name }
    var findings = Findings(limit: limit)
    if !live.hasUnknownExpressions && !planned.hasUnknownExpressions { findings.open.remove(.unknown) }
    if before.isEmpty { findings.open.remove(.opens) }
    if after.isEmpty { findings.open.remove(.closes) }
    if isSameBase {
      try walkChanged(before, after, &findings)
    } else {
      let sources = classes(before, after, .source)
      let destinations = classes(before, after, .destination)
      var sides = self.sides
      try walk(before, after, sources.map { ($0, nil) }, destinations.map { ($0, nil) }, &sides, &findings)
    }
    if !findings.isComplete { result.isComplete = false }
    for kind in TrafficDifference.Kind.allCases {
      result.changes += PacketBox.merged(findings.boxes[kind] ?? []).compactMap { packets in
        packets.example().map { .init(hook: hook, kind: kind, packets: packets, witness: $0) }
      }
    }
  }

  /// Compares what becomes of packets of which an end, or both, leads to something else than before: each end on a core.
  private func walkChanged(
    _ before: [Chain], _ after: [Chain], _ findings: inout Findings
  ) throws(DiagramBudgetExceeded) {
    let empty = findings
    @Sendable func end(_ axis: PacketAxis) -> Result<(comparison: TrafficComparison, end: End), DiagramBudgetExceeded> {
      Result { () throws(DiagramBudgetExceeded) in
        var comparison = self
        let end = try comparison.end(comparison.classes(before, after, axis), axis)
        return (comparison, end)
      }
    }
    let found = concurrently({ end(.source) }, { end(.destination) })
    let (source, destination) = (try found.0.get(), try found.1.get())
    @Sendable func walk(
      _ own: (comparison: TrafficComparison, end: End), _ other: End, _ axis: PacketAxis
    ) -> Result<Findings, DiagramBudgetExceeded> {
      Result { () throws(DiagramBudgetExceeded) in
        var (comparison, sides, findings) = (own.comparison, own.end.sides, empty)
        let same = try comparison.unchanged(other, own.end, &sides)
        let changed = own.end.changed.map { ($0, Optional($1)) }
        if axis == .source {
          try comparison.walk(before, after, changed, same, &sides, &findings)
        } else {
          // where both ends lead to something else, they are walked here
          let others = other.changed.map { ($0, Optional($1)) } + same
          try comparison.walk(before, after, others, changed, &sides, &findings)
        }
        return findings
      }
    }
    let walked = concurrently(
      { walk(destination, source.end, .destination) }, { walk(source, destination.end, .source) })
    findings = try walked.0.get()
    findings.append(try walked.1.get())
  }

  /// What was found at a hook so far.
  private struct Findings {
    let limit: Int
    /// What is still looked for.
    var open = Set(TrafficDifference.Kind.allCases)
    var boxes: [TrafficDifference.Kind: [PacketBox]] = [:]
    var pairs = 0
    var isComplete = true
    /// How many pairs of classes are walked at a hook: where nearly all chains are others than before there are a million in a
    /// large table, and what differs is told by far fewer.
    static let mostPairs = 100_000

    init(limit: Int) { self.limit = limit }

    var isOver: Bool { open.isEmpty || pairs > Findings.mostPairs }

    /// Takes what was found of other packets.
    mutating func append(_ other: Findings) {
      isComplete = isComplete && other.isComplete
      for (kind, boxes) in other.boxes {
        let own = self.boxes[kind] ?? []
        self.boxes[kind] = own + boxes.prefix(limit - own.count)
        if own.count + boxes.count > limit { isComplete = false }
      }
    }

    /// Takes a box; false where no more of its kind are wanted.
    mutating func take(_ packets: PacketBox, _ kind: TrafficDifference.Kind) -> Bool {
      // what no packet can be is no change
      if packets.example() == nil { return true }
      if boxes[kind]?.count == limit {
        isComplete = false
        return false
      }
      boxes[kind, default: []].append(packets)
      return true
    }
  }

  /// Compares what becomes of packets from some classes of sources to some classes of destinations, which `sides` are asked about.
  private mutating func walk(
    _ before: [Chain], _ after: [Chain], _ sources: [(Class, Effect?)], _ destinations: [(Class, Effect?)],
    _ sides: inout Sides, _ findings: inout Findings
  ) throws(DiagramBudgetExceeded) {
    for (source, first) in sources {
      for (destination, second) in destinations {
        if destination.family != source.family { continue }
        let effects = [first, second].compactMap { $0 }
        // one chain is another than before: nothing changes but where it decides otherwise
        if effects.count == 1, effects[0].values.isDisjoint(with: source.isSame ? source.values : destination.values) {
          continue
        }
        let kinds =
          effects.isEmpty
          ? Set(TrafficDifference.Kind.allCases)
          : effects.reduce(into: Set<TrafficDifference.Kind>()) { $0.formUnion($1.kinds) }
        if kinds.isDisjoint(with: findings.open) {
          // chains that are written otherwise and do the same leave nothing to be told
          if !kinds.isEmpty { findings.isComplete = false }
          continue
        }
        findings.pairs += 1
        if !findings.isOver { try compare(before, after, source, destination, kinds, &sides, &findings) }
        if findings.isOver {
          findings.isComplete = false
          return
        }
      }
    }
  }

  /// The same for one pair of classes.
  ///
  /// - Parameter kinds: what may come of it.
  private mutating func compare(
    _ before: [Chain], _ after: [Chain], _ source: Class, _ destination: Class, _ kinds: Set<TrafficDifference.Kind>,
    _ sides: inout Sides, _ findings: inout Findings
  ) throws(DiagramBudgetExceeded) {
    for case .jump(let name)? in source.live.lazy.map(\.verdict) + destination.live.lazy.map(\.verdict) {
      try sides.share(name, &sameness, &store)
    }
    // what is given of all packets that `sides` are asked about needn't be asked of a packet
    let box = [(PacketAxis.source, source.values), (.destination, destination.values)].reduce(PacketBox()) { box, end in
      end.0 == sides.given ? box : box.narrowed(end.0, toAddresses: end.1, of: source.family)
    }
    let old = try TrafficComparison.outcome(
      before, &sides.live, &store, TrafficComparison.found(source.live + destination.live), of: box)
    let new = try TrafficComparison.outcome(
      after, &sides.planned, &store, TrafficComparison.found(source.planned + destination.planned), of: box)
    if old == new { return }
    let pair = PacketBox().narrowed(.source, toAddresses: source.values, of: source.family)
      .narrowed(.destination, toAddresses: destination.values, of: source.family)
    let here = try store.overlay(pair, store.combine(old, new, TrafficComparison.kind), on: .leaf(0))
    for kind in TrafficDifference.Kind.allCases where kinds.contains(kind) {
      store.forEachBox(here, kind.rawValue) { findings.take($0, kind) }
      if findings.boxes[kind]?.count == findings.limit { findings.open.remove(kind) }
    }
  }

  // MARK: - Ends that decide otherwise

  /// The addresses of the other end for which the chains of a class decide otherwise than before, and what may come of it.
  private typealias Effect = (values: IntervalSet, kinds: Set<TrafficDifference.Kind>)

  /// One end's classes of addresses at a hook.
  private struct End {
    /// Those that lead to the same as before, and those that don't.
    var same: [Class] = []
    var changed: [(Class, Effect)] = []
    /// Asked about packets with an address of one of these.
    var sides: Sides
  }

  private mutating func end(_ classes: [Class], _ axis: PacketAxis) throws(DiagramBudgetExceeded) -> End {
    var end = End(sides: sides)
    end.same = classes.filter(\.isSame)
    let changed = classes.filter { !$0.isSame }
    var addresses: [IPFamily: IntervalSet] = [:]
    for family in IPFamily.allCases {
      let values = changed.filter { $0.family == family }.flatMap(\.values.intervals)
      if !values.isEmpty { addresses[family] = IntervalSet(values) }
    }
    // many pieces cost each rule more than they spare it
    if addresses.values.allSatisfy({ $0.intervals.count <= 16 }) { end.sides = sides.asked(about: addresses, at: axis) }
    let other = axis == .source ? PacketAxis.destination : .source
    for own in changed {
      let changes = try differing(own, axis, &end.sides)
      let found = store.decisions(of: changes).reduce(0) { $0 | $1 }
      let kinds = Set(TrafficDifference.Kind.allCases.filter { found & TrafficComparison.bit($0) != 0 })
      end.changed.append((own, (store.values(other, in: changes) { $0 != 0 }, kinds)))
    }
    return end
  }

  /// What the chains of a class do with the packets that `sides` are asked about.
  private enum Lead: Hashable {
    case nothing
    case chain(Diagram)
    case verdict(Verdict)
  }

  /// The classes of an end that lead to the same as before, as far as a change at the other end concerns them. Those that do the
  /// same with all packets that `sides` are asked about, which are few kinds in a table of many chains, are one class.
  private mutating func unchanged(
    _ end: End, _ other: End, _ sides: inout Sides
  ) throws(DiagramBudgetExceeded) -> [(Class, Effect?)] {
    struct Behaviour: Hashable {
      var family: IPFamily
      var leads: [Lead]
    }
    var known: [Behaviour: Int] = [:]
    var result: [(class: Class, values: [Interval])] = []
    for own in end.same {
      let isConcerned = other.changed.contains { changed, effect in
        changed.family == own.family && !effect.values.isDisjoint(with: own.values)
      }
      if !isConcerned { continue }
      var behaviour = Behaviour(family: own.family, leads: [])
      for finding in own.live {
        switch finding.verdict {
        case nil: behaviour.leads.append(.nothing)
        case .jump(let name): behaviour.leads.append(.chain(try sides.share(name, &store)))
        case .some(let verdict): behaviour.leads.append(.verdict(verdict))
        }
      }
      if let place = known[behaviour] {
        result[place].values += own.values.intervals
      } else {
        known[behaviour] = result.count
        result.append((own, own.values.intervals))
      }
    }
    return result.map { own, values in
      var whole = own
      whole.values = IntervalSet(values)
      return (whole, nil)
    }
  }

  /// For the packets for which the chains that a class of addresses is sent to do something else than before, the bits of what may
  /// come of it; 0 for all others.
  private mutating func differing(
    _ own: Class, _ axis: PacketAxis, _ sides: inout Sides
  ) throws(DiagramBudgetExceeded) -> Diagram {
    let anything = TrafficDifference.Kind.allCases.reduce(0) { $0 | TrafficComparison.bit($1) }
    var result = Diagram.leaf(0)
    if own.planned.map(\.map) != own.live.map(\.map) { return .leaf(anything) }
    for (old, new) in zip(own.live.map(\.verdict), own.planned.map(\.verdict)) {
      guard let before = try TrafficComparison.called(old, &sides.live, &store),
        let after = try TrafficComparison.called(new, &sides.planned, &store)
      else {
        if old == new { continue }
        return .leaf(anything)
      }
      let parts = try store.combine(before, after) { TrafficComparison.bits($0, $1, anything) }
      result = try store.combine(result, parts) { $0 | $1 }
    }
    let box = PacketBox().narrowed(axis, toAddresses: own.values, of: own.family)
    return try store.overlay(box, result, on: .leaf(0))
  }

  /// What comes of packets for which a lookup finds this; nil where that isn't a chain's affair.
  private static func called(
    _ verdict: Verdict?, _ side: inout RulesetDiagrams, _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram? {
    switch verdict {
    case nil: .leaf(RulesetDiagrams.Outcome.returns.rawValue)
    case .jump(let name): try side.chain(name, in: &store)
    case .accept, .drop, .return, .continue, .goto: nil
    }
  }

  private static func bit(_ kind: TrafficDifference.Kind) -> Int { 1 << (kind.rawValue - 1) }

  /// What may come of it that a chain that was called comes to `after` in the place of `before`. What returns may be dropped later, or
  /// pass.
  private static func bits(_ before: Int, _ after: Int, _ anything: Int) -> Int {
    if before == after { return 0 }
    switch (RulesetDiagrams.Outcome(rawValue: before), RulesetDiagrams.Outcome(rawValue: after)) {
    case (.drop, .accept), (.drop, .returns), (.returns, .accept): return bit(.opens)
    case (.accept, .drop), (.returns, .drop), (.accept, .returns): return bit(.closes)
    case (.drop, _), (.accept, _), (.returns, _), (.unknown, _), (.other, _), (nil, _): return anything
    }
  }

  private static func kind(_ before: Int, _ after: Int) -> Int {
    let unknown = RulesetDiagrams.Outcome.unknown.rawValue
    if before == after { return 0 }
    if before == unknown || after == unknown { return TrafficDifference.Kind.unknown.rawValue }
    let drop = RulesetDiagrams.Outcome.drop.rawValue
    return (before == drop ? TrafficDifference.Kind.opens : .closes).rawValue
  }

  /// What a hook's base chains, one after the other, make of a packet; a table with flags is taken to enforce nothing, as
  /// `dormant` says.
  private static func outcome(
    _ chains: [Chain], _ side: inout RulesetDiagrams, _ store: inout DiagramStore, _ found: [String: Verdict?],
    of box: PacketBox
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var result = Diagram.leaf(RulesetDiagrams.Outcome.accept.rawValue)
    for chain in chains.reversed() {
      let own = try side.baseChain(chain.name, found: found, of: box, in: &store)
      // an accept ends this chain only
      result = try store.replace(RulesetDiagrams.Outcome.accept.rawValue, in: own, by: result)
    }
    return result
  }

  private static func baseChains(_ ruleset: Ruleset, _ hook: Hook) -> [Chain] {
    if ruleset.hasTableFlags { return [] }
    return ruleset.chains.filter { $0.base?.hook == hook && $0.base?.type == "filter" }
      .sorted { ($0.base!.priority, $0.name) < ($1.base!.priority, $1.name) }
  }

  // MARK: - Classes of addresses

  /// The addresses that the base chains' lookups treat alike.
  private struct Class {
    var family: IPFamily
    var values: IntervalSet
    /// What each map finds for them.
    var live: [Finding]
    var planned: [Finding]
    var isSame: Bool
  }

  private struct Finding: Equatable {
    var map: String
    var verdict: Verdict?
  }

  private static func found(_ findings: [Finding]) -> [String: Verdict?] {
    var result: [String: Verdict?] = [:]
    for finding in findings { result.updateValue(finding.verdict, forKey: finding.map) }
    return result
  }

  private mutating func classes(_ before: [Chain], _ after: [Chain], _ axis: PacketAxis) -> [Class] {
    var result: [Class] = []
    for family in IPFamily.allCases {
      let old = TrafficComparison.maps(live, before, axis)
      let new = TrafficComparison.maps(planned, after, axis)
      // every element of every map is a label; pieces with equal verdicts, map by map, are one class
      var labelled: [(interval: Interval, label: Int32)] = []
      var verdicts: [(map: Int, verdict: Verdict)] = []
      for (place, map) in (old + new).enumerated() where map.family == family {
        var numbers: [Verdict: Int32] = [:]
        var last: (verdict: Verdict, number: Int32)?
        for (index, verdict) in map.map.elements.verdicts.enumerated() {
          // neighbours mostly have one verdict, and then no name is hashed
          if last?.verdict != verdict {
            let number = numbers[verdict] ?? Int32(verdicts.count)
            if number == verdicts.count {
              numbers[verdict] = number
              verdicts.append((place, verdict))
            }
            last = (verdict, number)
          }
          labelled.append((map.map.elements.keys[index].first!, last!.number))
        }
      }
      for (labels, values) in IntervalPartition.classes(labelled, of: Interval(0, family.maximum)) {
        let findings = (old + new).enumerated().map { place, map in
          Finding(map: map.map.name, verdict: labels.lazy.map { verdicts[Int($0)] }.first { $0.map == place }?.verdict)
        }
        let (live, planned) = (Array(findings[..<old.count]), Array(findings[old.count...]))
        // whether what the maps find leads to the same on both sides
        let isSame = live == planned && live.allSatisfy { $0.verdict.map { sameness.target($0) } ?? true }
        result.append(Class(family: family, values: values, live: live, planned: planned, isSame: isSame))
      }
    }
    return result
  }

  /// The named maps that the chains' own rules look an address up in, whole: without flags that aren't known here.
  private static func maps(_ ruleset: Ruleset, _ chains: [Chain], _ axis: PacketAxis) -> [(map: VerdictMap, family: IPFamily)] {
    var result: [(map: VerdictMap, family: IPFamily)] = []
    var names: Set<String> = []
    for rule in chains.lazy.flatMap(\.rules) {
      guard case .lookup(let lookup) = rule.expressions.last, case .named(let name) = lookup.source,
        case .field(let field) = lookup.key, let (own, family) = field.addressAxis, own == axis,
        names.insert(name).inserted, let map = ruleset.maps.first(where: { $0.name == name }), map.unknown.isEmpty
      else { continue }
      result.append((map, family))
    }
    return result
  }
}

/// Both rulesets' diagrams.
private struct Sides {
  var live: RulesetDiagrams
  var planned: RulesetDiagrams
  /// The end of which that is given, if any.
  private(set) var given: PacketAxis?
  /// Chains that were looked at by `share`.
  private var shared: Set<String> = []

  init(live: RulesetDiagrams, planned: RulesetDiagrams) {
    self.live = live
    self.planned = planned
  }

  /// The same rulesets, asked about packets with some addresses at one end.
  func asked(about addresses: [IPFamily: IntervalSet], at axis: PacketAxis) -> Sides {
    var result = Sides(live: live.asked(about: addresses, at: axis), planned: planned.asked(about: addresses, at: axis))
    result.given = axis
    return result
  }

  /// A chain that is the same on both sides is walked once.
  mutating func share(
    _ name: String, _ sameness: inout Sameness, _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) {
    if !shared.contains(name), sameness.chain(name, name) { _ = try share(name, &store) }
  }

  /// The diagram of a chain that is known to be the same on both sides.
  mutating func share(_ name: String, _ store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Diagram {
    let diagram = try live.chain(name, in: &store)
    if shared.insert(name).inserted { planned.assume(name, diagram) }
    return diagram
  }
}

extension Ruleset {
  /// Whether some rule has an expression whose effect isn't known, or asks for a rate, which isn't one for a packet alone.
  fileprivate var hasUnknownExpressions: Bool {
    // by spans, which count no references: of all expressions of a table that would take longer than to look at them
    for chain in chains {
      let rules = chain.rules.span
      for rule in rules.indices {
        let expressions = rules[rule].expressions.span
        for place in expressions.indices {
          switch expressions[place] {
          case .unknown, .limit, .namedLimit: return true
          case .match, .lookup, .verdict, .log, .counter: break
          }
        }
      }
    }
    return false
  }
}
