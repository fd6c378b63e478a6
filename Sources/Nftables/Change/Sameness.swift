import PacketSpace

/// Which parts of two rulesets are written alike, down to all that they lead to.
struct Sameness {
  private let live: RulesetIndex
  private let planned: RulesetIndex
  private var known: [String: Bool] = [:]
  private var knownSets: [String: Bool] = [:]

  init(_ live: RulesetIndex, _ planned: RulesetIndex) {
    self.live = live
    self.planned = planned
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
    guard let a = live.chain(name), let b = planned.chain(name), a.rules.count == b.rules.count else { return false }
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

  /// Whether a verdict leads to the same on both sides.
  mutating func target(_ verdict: Verdict) -> Bool {
    switch verdict {
    case .accept, .drop, .return, .continue: true
    case .jump(let name), .goto(let name): chain(name, name)
    }
  }
}

extension Elements {
  /// The elements in an order that doesn't depend on where they came from.
  var sorted: [[Interval]] {
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
