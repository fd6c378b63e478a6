import PacketSpace

/// What packets pay in a ruleset, chain by chain, and what the table costs.
///
/// Family and protocol of a packet decide which rules it is through with after two expressions; all else that a rule asks it
/// may meet or not. So for each family and protocol every chain is walked once, from its end, with all that it leads to.
///
/// *Worst* is the dearest way to a decision: of each rule that doesn't match the last condition that can fail is the one that
/// does, and of each lookup the dearest target is found. It is a bound: no packet need go that way.
///
/// *Usual* is the mean over the ways to a decision, each as likely as the other: a rule that decides, an element of a lookup,
/// and what stands at the end, for each family and protocol that can come to it. A rule that doesn't match is left at the first
/// condition that family and protocol don't answer. No traffic is known here, so this is a measure to compare rulesets by and
/// not a forecast.
public struct RulesetCost: Sendable {
  public struct ChainCost: Sendable {
    public var name: String
    public var base: BaseChain?
    public var worst: PacketCost
    public var usual: PacketCost
    /// Of a base chain that accepts what belongs to a flow that it let begin: what all packets of a flow but the first pay, at
    /// worst.
    public var established: PacketCost?
  }

  /// The base chains, each with all that it leads to, and behind them the chains that they lead to directly, in the ruleset's
  /// order.
  public let chains: [ChainCost]
  public let table: TableCost

  /// Takes time for each rule and element once, and for the chains that are left out nothing.
  ///
  /// - Precondition: `RulesetValidator` finds nothing in `ruleset`: no chain leads back to itself.
  public init(_ ruleset: Ruleset) {
    var walk = CostWalk(ruleset)
    var shown: Set<String> = []
    var bases: [ChainCost] = []
    for chain in ruleset.chains {
      guard let base = chain.base else { continue }
      let costs = walk.chain(chain.name)
      bases.append(
        ChainCost(
          name: chain.name, base: base, worst: costs.worst, usual: costs.usual, established: walk.established(chain)))
      shown.formUnion(walk.targets(chain))
    }
    var others: [ChainCost] = []
    for chain in ruleset.chains where chain.base == nil && shown.contains(chain.name) {
      let costs = walk.chain(chain.name)
      others.append(ChainCost(name: chain.name, worst: costs.worst, usual: costs.usual))
    }
    chains = bases + others
    table = TableCost(ruleset)
  }
}

/// What a chain costs packets of one shape.
private struct WayCosts {
  /// The dearest way that ends in the chain or in one that it leads to, and the dearest that returns; nil where there is none.
  var ends: PacketCost?
  var returns: PacketCost? = PacketCost()
  /// The mean over the chain's own ways, how many they are, and which part of the packets returns.
  var mean = PacketCost()
  var ways = 1.0
  var returning = 1.0

  var worst: PacketCost { PacketCost.dearer(ends, returns) ?? PacketCost() }
}

extension [WayCosts] {
  var worst: PacketCost { map(\.worst).reduce(nil) { PacketCost.dearer($0, $1) } ?? PacketCost() }

  /// Every way as likely as the other.
  var usual: PacketCost {
    let ways = reduce(0) { $0 + $1.ways }
    return reduce(PacketCost()) { $0 + ($1.ways / ways) * $1.mean }
  }
}

/// Walks the chains of a ruleset, each once.
private struct CostWalk {
  private let translator: RuleTranslator
  private let index: RulesetIndex
  /// For each map and shape what its elements lead to, and how many to each.
  private let maps: [String: [[(Verdict, Int)]]]
  private var known: [String: [WayCosts]] = [:]

  init(_ ruleset: Ruleset) {
    translator = RuleTranslator(ruleset)
    index = RulesetIndex(ruleset)
    var keys: [String: Key] = [:]
    for chain in ruleset.chains {
      for rule in chain.rules {
        for case .lookup(let lookup) in rule.expressions {
          if case .named(let name) = lookup.source { keys[name] = lookup.key }
        }
      }
    }
    var maps: [String: [[(Verdict, Int)]]] = [:]
    for map in ruleset.maps {
      if let key = keys[map.name] { maps[map.name] = CostWalk.counts(map.elements, key) }
    }
    self.maps = maps
  }

  private static func counts(_ elements: VerdictElements, _ key: Key) -> [[(Verdict, Int)]] {
    func counts(_ shape: PacketShape?) -> [(Verdict, Int)] {
      var places: [Verdict: Int] = [:]
      var result: [(Verdict, Int)] = []
      for (index, verdict) in elements.verdicts.enumerated() {
        if let shape, !shape.mayHave(elements.keys[index], key.fields) { continue }
        if let place = places[verdict] {
          result[place].1 += 1
        } else {
          places[verdict] = result.count
          result.append((verdict, 1))
        }
      }
      return result
    }
    let dependsOnShape = key.fields.contains { $0 == .nfproto || $0 == .l4proto || $0 == .ipProtocol }
    if dependsOnShape { return PacketShape.all.map { counts($0) } }
    return Array(repeating: counts(nil), count: PacketShape.all.count)
  }

  /// The chains that a chain's own rules lead to.
  func targets(_ chain: Chain) -> Set<String> {
    var result: Set<String> = []
    func add(_ verdict: Verdict) {
      switch verdict {
      case .jump(let name), .goto(let name): result.insert(name)
      case .accept, .drop, .return, .continue: break
      }
    }
    for rule in chain.rules {
      for expression in rule.expressions {
        switch expression {
        case .verdict(let verdict): add(verdict)
        case .lookup(let lookup):
          switch lookup.source {
          case .anonymous(let elements): elements.verdicts.forEach(add)
          case .named(let name): index.maps[name]?.elements.verdicts.forEach(add)
          }
        case .match, .namedLimit, .limit, .log, .counter, .unknown: break
        }
      }
    }
    return result
  }

  /// What the chain costs, shape by shape.
  mutating func chain(_ name: String) -> [WayCosts] {
    if let costs = known[name] { return costs }
    var result = [WayCosts](repeating: WayCosts(), count: PacketShape.all.count)
    // a chain that isn't there, or one that is being walked: neither loads
    known[name] = result
    guard let chain = index.chain(name) else { return result }
    for rule in chain.rules.reversed() {
      let instructions = translator.instructions(rule)
      let outcomes = self.outcomes(rule)
      for (index, shape) in PacketShape.all.enumerated() {
        result[index] = add(instructions, outcomes[index], shape, index, before: result[index])
      }
    }
    known[name] = result
    return result
  }

  /// What a packet pays up to the rule that accepts what belongs to an established flow.
  mutating func established(_ chain: Chain) -> PacketCost? {
    var worst: PacketCost?
    for (index, shape) in PacketShape.all.enumerated() {
      var sum = PacketCost()
      for rule in chain.rules {
        let way = RuleWay(translator.instructions(rule), shape)
        if rule.acceptsEstablished {
          worst = PacketCost.dearer(worst, sum + way.matched)
          break
        }
        if way.isLeft {
          sum = sum + way.left
          continue
        }
        // what decides has not decided this packet; what was jumped to has let it return
        var onward = way.failed
        for (verdict, _) in outcomes(rule)[index] {
          switch verdict {
          case .jump(let name):
            if let returns = self.chain(name)[index].returns { onward = PacketCost.dearer(onward, way.matched + returns) }
          case .continue: onward = PacketCost.dearer(onward, way.matched)
          case .accept, .drop, .return, .goto: break
          }
        }
        sum = sum + (onward ?? PacketCost())
      }
    }
    return worst
  }

  /// What a rule leads to, shape by shape; several for a lookup.
  private func outcomes(_ rule: Rule) -> [[(Verdict, Int)]] {
    let nothing: [(Verdict, Int)] = []
    switch rule.expressions.last {
    case .verdict(let verdict): return Array(repeating: [(verdict, 1)], count: PacketShape.all.count)
    case .lookup(let lookup):
      switch lookup.source {
      case .anonymous(let elements): return CostWalk.counts(elements, lookup.key)
      case .named(let name): return maps[name] ?? Array(repeating: nothing, count: PacketShape.all.count)
      }
    case .match, .namedLimit, .limit, .log, .counter, .unknown, nil:
      return Array(repeating: [(.continue, 1)], count: PacketShape.all.count)
    }
  }

  /// A rule in front of what is known of those behind it.
  private mutating func add(
    _ instructions: [Instruction], _ outcomes: [(Verdict, Int)], _ shape: PacketShape, _ index: Int, before next: WayCosts
  ) -> WayCosts {
    let way = RuleWay(instructions, shape)
    var result = WayCosts(ends: nil, returns: nil, mean: PacketCost(), ways: 0, returning: 0)
    var ways = 0.0
    func take(_ ends: PacketCost?, _ returns: PacketCost?, after cost: PacketCost) {
      if let ends { result.ends = PacketCost.dearer(result.ends, cost + ends) }
      if let returns { result.returns = PacketCost.dearer(result.returns, cost + returns) }
    }
    var isWay = false
    if !way.isLeft {
      for (verdict, count) in outcomes {
        let part = Double(count)
        switch verdict {
        case .accept, .drop:
          isWay = true
          take(PacketCost(), nil, after: way.matched)
          result.mean = result.mean + part * way.meanMatched
        case .return:
          isWay = true
          take(nil, PacketCost(), after: way.matched)
          result.mean = result.mean + part * way.meanMatched
          result.returning += part
        case .goto(let name):
          isWay = true
          let target = chain(name)[index]
          take(target.ends, target.returns, after: way.matched)
          result.mean = result.mean + part * (way.meanMatched + target.mean)
          result.returning += part * target.returning
        case .jump(let name):
          isWay = true
          let target = chain(name)[index]
          take(target.ends, nil, after: way.matched)
          if let returns = target.returns { take(next.ends, next.returns, after: way.matched + returns) }
          result.mean = result.mean + part * (way.meanMatched + target.mean + target.returning * next.mean)
          result.returning += part * target.returning * next.returning
        case .continue:
          take(next.ends, next.returns, after: way.matched)
          result.mean = result.mean + part * (way.meanMatched + next.mean)
          result.returning += part * next.returning
        }
        ways += part
      }
    }
    // where it can't fail, what lies behind it is reached through it or not at all
    if let failed = way.failed {
      take(next.ends, next.returns, after: failed)
      let rest = isWay || ways == 0 ? next.ways : 0
      result.mean = result.mean + rest * (way.left + next.mean)
      result.returning += rest * next.returning
      ways += rest
    }
    if ways > 0 {
      result.mean = (1 / ways) * result.mean
      result.returning /= ways
    }
    let isPassed = outcomes.allSatisfy { outcome in
      switch outcome.0 {
      case .jump, .continue: true
      case .accept, .drop, .return, .goto: false
      }
    }
    result.ways = way.failed == nil ? (isPassed ? next.ways : 1) : isWay ? ways : next.ways
    return result
  }
}

/// A rule for packets of one shape.
private struct RuleWay {
  /// Whether no packet of the shape matches.
  var isLeft = false
  /// What a packet pays that matches, at worst and as a mean.
  var matched = PacketCost()
  var meanMatched = PacketCost()
  /// What one pays that doesn't match, at worst; nil where all match.
  var failed: PacketCost?
  /// What one pays that doesn't match, at the first condition that it can fail.
  var left = PacketCost()

  init(_ instructions: [Instruction], _ shape: PacketShape) {
    matched.rules = 1
    matched.nanoseconds = CostModel.rule
    meanMatched = matched
    for instruction in instructions {
      matched = matched + instruction.worst
      meanMatched = meanMatched + instruction.usual
      switch shape.passes(instruction.test) {
      case true: continue
      case false:
        if failed == nil { left = meanMatched }
        // a condition before it may have failed, at less cost
        failed = matched
        isLeft = true
        return
      case nil:
        if failed == nil { left = meanMatched }
        failed = matched
      }
    }
  }
}

extension Rule {
  /// Whether it accepts packets of established flows, and asks for nothing besides.
  fileprivate var acceptsEstablished: Bool {
    guard case .verdict(.accept) = expressions.last else { return false }
    return expressions.dropLast().allSatisfy { expression in
      guard case .match(let match) = expression, match.key == .field(.connectionState), !match.isNegated else { return false }
      switch match.operand {
      case .value(let value): return value.contains(ConnectionState.established.bit)
      case .anonymous(let elements): return elements.intervals.contains { $0.contains(ConnectionState.established.bit) }
      case .named: return false
      }
    }
  }
}
