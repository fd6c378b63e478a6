public import PacketSpace

/// What changes for packets between two rulesets: what would newly pass, and what would newly be dropped.
public struct TrafficDifference: Sendable {
  public enum Kind: Int, Sendable, CaseIterable {
    /// Dropped before, passes now.
    case opens = 1
    /// Passed before, is dropped now.
    case closes = 2
    /// One of the two has rules on the way whose effect isn't known.
    case unknown = 3
  }

  /// Packets of one kind, and one of them.
  public struct Change: Sendable {
    public var hook: Hook
    public var kind: Kind
    public var packets: PacketBox
    public var witness: Packet
  }

  /// The packets that change, as boxes that don't overlap within one hook.
  public var changes: [Change] = []
  /// False where there was more to say than the limit allowed: what is there is right, and there is more.
  public var isComplete = true

  /// Nothing changes.
  public init() {}

  /// Whether no packet is treated otherwise.
  public var isEmpty: Bool { changes.isEmpty && isComplete }
}

/// Compares two rulesets by what they do with packets, at each hook, and not by how they are written.
///
/// Addresses that every lookup of the base chains treats alike are one class; for each pair of a source's class and a
/// destination's, the two ways through the base chain are diagrams, whose parting is what changes. A pair whose way leads through
/// nothing but what is the same on both sides isn't walked.
public struct TrafficComparison {
  private let live: Ruleset
  private let planned: Ruleset
  private var sides: (live: RulesetDiagrams, planned: RulesetDiagrams)
  private var store: DiagramStore
  private var sameness: Sameness
  /// How many pairs of classes are walked at a hook: where nearly all chains are others than before there are a million in a large
  /// table, and what differs is told by far fewer.
  private static let mostPairs = 100_000
  /// Chains that were looked at by `share`.
  private var shared: Set<String> = []

  public init(live: Ruleset, planned: Ruleset) {
    self.live = live
    self.planned = planned
    sides = (RulesetDiagrams(live), RulesetDiagrams(planned))
    store = DiagramStore()
    sameness = Sameness(live, planned)
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
    let sources = classes(before, after, .source)
    let destinations = classes(before, after, .destination)
    // of a class whose chains decide otherwise than before: the addresses of the other end for which they do, and what may
    // come of it
    var touched: [[Int: (values: IntervalSet, kinds: Set<TrafficDifference.Kind>)]] = [[:], [:]]
    if isSameBase {
      for (axis, classes) in [sources, destinations].enumerated() {
        let other = axis == 0 ? PacketAxis.destination : .source
        for (place, own) in classes.enumerated() where !own.isSame {
          let changes = try differing(own)
          let found = store.decisions(of: changes).reduce(0) { $0 | $1 }
          touched[axis][place] = (
            store.values(other, in: changes) { $0 != 0 },
            Set(TrafficDifference.Kind.allCases.filter { found & TrafficComparison.bit($0) != 0 })
          )
        }
      }
    }
    let changedDestinations = destinations.indices.filter { !isSameBase || !destinations[$0].isSame }
    // what may come of it at all, and what is still looked for
    var open = Set(TrafficDifference.Kind.allCases)
    if !live.hasUnknownExpressions && !planned.hasUnknownExpressions { open.remove(.unknown) }
    if before.isEmpty { open.remove(.opens) }
    if after.isEmpty { open.remove(.closes) }
    var pairs = 0
    var boxes: [TrafficDifference.Kind: [PacketBox]] = [:]
    defer {
      for kind in TrafficDifference.Kind.allCases {
        result.changes += PacketBox.merged(boxes[kind] ?? []).compactMap { packets in
          packets.example().map { .init(hook: hook, kind: kind, packets: packets, witness: $0) }
        }
      }
    }
    for family in IPFamily.allCases {
      for (first, source) in sources.enumerated() where source.family == family {
        let isSameSource = isSameBase && source.isSame
        for second in isSameSource ? changedDestinations : Array(destinations.indices) {
          let destination = destinations[second]
          if destination.family != family { continue }
          if isSameBase {
            let changed = [touched[0][first], touched[1][second]].compactMap { $0 }
            // one chain is another than before: nothing changes but where it decides otherwise
            if changed.count == 1, changed[0].values.isDisjoint(with: source.isSame ? source.values : destination.values) {
              continue
            }
            let kinds = changed.reduce(into: Set<TrafficDifference.Kind>()) { $0.formUnion($1.kinds) }
            if kinds.isDisjoint(with: open) {
              // chains that are written otherwise and do the same leave nothing to be told
              if !kinds.isEmpty { result.isComplete = false }
              continue
            }
          }
          pairs += 1
          if pairs > TrafficComparison.mostPairs {
            result.isComplete = false
            return
          }
          let box = PacketBox().narrowed(.source, toAddresses: source.values, of: family)
            .narrowed(.destination, toAddresses: destination.values, of: family)
          for case .jump(let name)? in source.live.values.lazy.map({ $0 }) + destination.live.values.lazy.map({ $0 }) {
            try share(name)
          }
          let old = try TrafficComparison.outcome(
            before, &sides.live, &store, source.live.merging(destination.live) { a, _ in a })
          let new = try TrafficComparison.outcome(
            after, &sides.planned, &store, source.planned.merging(destination.planned) { a, _ in a })
          if old == new { continue }
          let parts = try store.combine(old, new, TrafficComparison.kind)
          let here = try store.overlay(box, parts, on: .leaf(0))
          for kind in TrafficDifference.Kind.allCases {
            store.forEachBox(here, kind.rawValue) { packets in
              // what no packet can be is no change
              if packets.example() == nil { return true }
              if boxes[kind]?.count == limit {
                result.isComplete = false
                return false
              }
              boxes[kind, default: []].append(packets)
              return true
            }
            if boxes[kind]?.count == limit { open.remove(kind) }
          }
          if open.isEmpty {
            result.isComplete = false
            return
          }
        }
      }
    }
  }

  /// For the packets for which the chains that a class of addresses is sent to do something else than before, the bits of what may
  /// come of it; 0 for all others.
  private mutating func differing(_ own: Class) throws(DiagramBudgetExceeded) -> Diagram {
    let anything = TrafficDifference.Kind.allCases.reduce(0) { $0 | TrafficComparison.bit($1) }
    var result = Diagram.leaf(0)
    if own.planned.count != own.live.count { return .leaf(anything) }
    for (map, old) in own.live.sorted(by: { $0.key < $1.key }) {
      let new = own.planned[map] ?? nil
      guard let before = try TrafficComparison.called(old, &sides.live, &store),
        let after = try TrafficComparison.called(new, &sides.planned, &store)
      else {
        if old == new { continue }
        return .leaf(anything)
      }
      let parts = try store.combine(before, after) { TrafficComparison.bits($0, $1, anything) }
      result = try store.combine(result, parts) { $0 | $1 }
    }
    return result
  }

  /// A chain that is the same on both sides is walked once.
  private mutating func share(_ name: String) throws(DiagramBudgetExceeded) {
    if shared.insert(name).inserted, sameness.chain(name, name) {
      sides.planned.assume(name, try sides.live.chain(name, in: &store))
    }
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
    _ chains: [Chain], _ side: inout RulesetDiagrams, _ store: inout DiagramStore, _ found: [String: Verdict?]
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var result = Diagram.leaf(RulesetDiagrams.Outcome.accept.rawValue)
    for chain in chains.reversed() {
      let own = try side.baseChain(chain.name, found: found, in: &store)
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
    var live: [String: Verdict?]
    var planned: [String: Verdict?]
    var isSame: Bool
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
        for (index, verdict) in map.map.elements.verdicts.enumerated() {
          let number: Int32
          if let known = numbers[verdict] {
            number = known
          } else {
            number = Int32(verdicts.count)
            numbers[verdict] = number
            verdicts.append((place, verdict))
          }
          labelled.append((map.map.elements.keys[index].first!, number))
        }
      }
      for (labels, values) in IntervalPartition.classes(labelled, of: Interval(0, family.maximum)) {
        var known = (live: [String: Verdict?](), planned: [String: Verdict?]())
        for (place, map) in (old + new).enumerated() {
          let verdict = labels.lazy.map { verdicts[Int($0)] }.first { $0.map == place }?.verdict
          if place < old.count {
            known.live[map.map.name] = .some(verdict)
          } else {
            known.planned[map.map.name] = .some(verdict)
          }
        }
        result.append(
          Class(
            family: family, values: values, live: known.live, planned: known.planned,
            isSame: sameness.targets(known.live, known.planned)))
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

/// Which parts of two rulesets are written alike, down to all that they lead to.
struct Sameness {
  private let live: RulesetIndex
  private let planned: RulesetIndex
  private var known: [String: Bool] = [:]
  private var knownSets: [String: Bool] = [:]

  init(_ live: Ruleset, _ planned: Ruleset) {
    self.live = RulesetIndex(live)
    self.planned = RulesetIndex(planned)
  }

  /// Whether two chains of one name do the same, whatever the base chains' maps hold.
  mutating func chain(_ name: String, _ other: String) -> Bool {
    if name != other { return false }
    if let known = known[name] { return known }
    // a loop, which no kernel takes, says nothing against it
    known[name] = true
    let result = compare(name)
    known[name] = result
    return result
  }

  private mutating func compare(_ name: String) -> Bool {
    guard let a = live.chains[name], let b = planned.chains[name], a.rules.count == b.rules.count else { return false }
    for (x, y) in zip(a.rules, b.rules) {
      if x.expressions != y.expressions { return false }
      for expression in x.expressions {
        switch expression {
        case .match(let match):
          if case .named(let set) = match.operand, !isSameSet(set) { return false }
        case .verdict(let verdict):
          if !target(verdict) { return false }
        case .lookup(let lookup):
          switch lookup.source {
          case .anonymous(let elements):
            if !elements.verdicts.allSatisfy({ target($0) }) { return false }
          case .named(let map):
            // an address map of a base chain is compared class by class
            let isByClass = a.base != nil && lookup.key.fields.count == 1 && lookup.key.fields[0].addressAxis != nil
            if !isByClass {
              guard let old = live.maps[map], let new = planned.maps[map], old.elements.keys.count == new.elements.keys.count,
                old.elements.sorted == new.elements.sorted, old.elements.verdicts.allSatisfy({ target($0) })
              else { return false }
            }
          }
        case .namedLimit, .limit, .log, .counter: break
        case .unknown: return false
        }
      }
    }
    return true
  }

  private mutating func isSameSet(_ name: String) -> Bool {
    if let known = knownSets[name] { return known }
    var result = false
    if let a = live.sets[name], let b = planned.sets[name], a.unknown == b.unknown {
      result = a.elements == b.elements || a.elements.sorted == b.elements.sorted
    }
    knownSets[name] = result
    return result
  }

  private mutating func target(_ verdict: Verdict) -> Bool {
    switch verdict {
    case .accept, .drop, .return, .continue: true
    case .jump(let name), .goto(let name): chain(name, name)
    }
  }

  /// Whether what the maps find leads to the same on both sides.
  mutating func targets(_ a: [String: Verdict?], _ b: [String: Verdict?]) -> Bool {
    if a != b { return false }
    for case let verdict? in a.values where !target(verdict) { return false }
    return true
  }
}

extension Elements {
  /// The elements in an order that doesn't depend on where they came from.
  fileprivate var sorted: [[Interval]] {
    (0..<count).map { Array(self[$0]) }.sorted { $0.lexicographicallyPrecedes($1) }
  }
}

extension VerdictElements {
  fileprivate var sorted: [VerdictElement] {
    (0..<count).map { VerdictElement(key: Array(keys[$0]), verdict: verdicts[$0]) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }
}

private struct VerdictElement: Equatable {
  var key: [Interval]
  var verdict: Verdict
}

/// A ruleset's objects by name.
private struct RulesetIndex {
  let chains: [String: Chain]
  let sets: [String: NamedSet]
  let maps: [String: VerdictMap]

  init(_ ruleset: Ruleset) {
    chains = Dictionary(ruleset.chains.map { ($0.name, $0) }) { first, _ in first }
    sets = Dictionary(ruleset.sets.map { ($0.name, $0) }) { first, _ in first }
    maps = Dictionary(ruleset.maps.map { ($0.name, $0) }) { first, _ in first }
  }
}

extension Ruleset {
  /// Whether some rule has an expression whose effect isn't known, or asks for a rate, which isn't one for a packet alone.
  fileprivate var hasUnknownExpressions: Bool {
    chains.contains { chain in
      chain.rules.contains { rule in
        rule.expressions.contains { expression in
          switch expression {
          case .unknown, .limit, .namedLimit: true
          case .match, .lookup, .verdict, .log, .counter: false
          }
        }
      }
    }
  }
}
