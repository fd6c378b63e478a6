/// Which chains lead to which: by jump or goto, in a rule or in an element of a map.
struct ChainGraph {
  /// The deepest way down.
  struct Paths {
    /// A chain that leads back to itself.
    var loop: Int?
    /// The chain from which the longest way leads, and how many chains lie on that way below it.
    var deepest: Int?
    var depth = 0
  }

  /// For each chain, and behind the chains for each map, the chains and maps that it leads to. Maps are places of their own, so
  /// that one that many chains look up is gone through once.
  private var edges: [[Int]]
  private let chainCount: Int

  init(_ ruleset: Ruleset, _ chains: [String: Int], _ maps: [String: Int]) {
    chainCount = ruleset.chains.count
    edges = []
    edges.reserveCapacity(chainCount + ruleset.maps.count)
    for chain in ruleset.chains {
      var targets: [Int] = []
      for rule in chain.rules {
        // what leads on stands at a rule's end
        guard let last = rule.expressions.last else { continue }
        switch last {
        case .verdict(let verdict): ChainGraph.add(verdict, chains, &targets)
        case .match, .lookup, .namedLimit, .limit, .log, .counter, .unknown: break
        }
        for case .lookup(let lookup) in rule.expressions {
          switch lookup.source {
          case .named(let name): if let map = maps[name] { targets.append(chainCount + map) }
          case .anonymous(let elements): for verdict in elements.verdicts { ChainGraph.add(verdict, chains, &targets) }
          }
        }
      }
      edges.append(targets)
    }
    for map in ruleset.maps {
      var targets: [Int] = []
      for verdict in map.elements.verdicts { ChainGraph.add(verdict, chains, &targets) }
      edges.append(targets)
    }
  }

  private static func add(_ verdict: Verdict, _ chains: [String: Int], _ targets: inout [Int]) {
    switch verdict {
    case .accept, .drop, .return, .continue: break
    case .jump(let name), .goto(let name): if let chain = chains[name] { targets.append(chain) }
    }
  }

  /// Walks every edge once, with a stack of its own: chains may lie deeper than this process's stack.
  func paths() -> Paths {
    var result = Paths()
    // for each place how many chains lie below it, itself aside; -1 where that isn't known yet, -2 on the way that is being walked
    var below = [Int](repeating: -1, count: edges.count)
    var way: [(place: Int, next: Int, deepest: Int)] = []
    for start in 0..<chainCount where below[start] == -1 {
      way.append((start, 0, 0))
      below[start] = -2
      while let (place, next, deepest) = way.last {
        if next == edges[place].count {
          below[place] = deepest
          if place < chainCount, deepest > result.depth { (result.deepest, result.depth) = (place, deepest) }
          way.removeLast()
          if let above = way.last {
            way[way.count - 1].deepest = max(above.deepest, deepest + (place < chainCount ? 1 : 0))
          }
          continue
        }
        way[way.count - 1].next += 1
        let target = edges[place][next]
        switch below[target] {
        case -1:
          below[target] = -2
          way.append((target, 0, 0))
        case -2:
          result.loop = result.loop ?? (target < chainCount ? target : place)
        default:
          way[way.count - 1].deepest = max(deepest, below[target] + (target < chainCount ? 1 : 0))
        }
      }
    }
    return result
  }
}
