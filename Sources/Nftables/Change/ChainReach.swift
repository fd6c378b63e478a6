import PacketSpace

/// The chains that look up an end's address in some sets or are some chains, themselves or by a chain that they lead to.
struct ChainReach {
  private let chains: Set<String>
  private var leading: (source: Set<String>, destination: Set<String>) = ([], [])

  /// A base chain's own maps of addresses are left aside: which way they send a packet is for the caller to say. Any other map, which
  /// is none that Cordon makes, counts as such a set, and so does a concatenation.
  init(to sets: Set<String>, or named: Set<String> = [], in ruleset: Ruleset) {
    chains = Set(ruleset.chains.map(\.name))
    let addressMaps = Set(ruleset.maps.filter { $0.types == [.ipv4Address] || $0.types == [.ipv6Address] }.map(\.name))
    var callers: [String: [String]] = [:]
    var open: (source: [String], destination: [String]) = ([], [])
    for chain in ruleset.chains {
      var speaks = (source: named.contains(chain.name), destination: named.contains(chain.name))
      for rule in chain.rules {
        for expression in rule.expressions {
          var end: PacketAxis?
          switch expression {
          case .match(let match):
            guard case .named(let name) = match.operand, sets.contains(name) else { continue }
            if case .field(let field) = match.key { end = field.addressAxis?.0 }
          case .lookup(let lookup):
            guard case .named(let name) = lookup.source, chain.base == nil || !addressMaps.contains(name) else { continue }
          case .verdict, .namedLimit, .limit, .log, .counter, .unknown: continue
          }
          speaks.source = speaks.source || end != .destination
          speaks.destination = speaks.destination || end != .source
        }
        rule.forEachReference { if case .chain(let called) = $0 { callers[called, default: []].append(chain.name) } }
      }
      if speaks.source { open.source.append(chain.name) }
      if speaks.destination { open.destination.append(chain.name) }
    }
    leading.source = ChainReach.callers(open.source, callers)
    leading.destination = ChainReach.callers(open.destination, callers)
  }

  /// These chains, and all from which a packet can come there.
  private static func callers(_ chains: [String], _ callers: [String: [String]]) -> Set<String> {
    var result: Set<String> = []
    var open = chains
    while let name = open.popLast() {
      if result.insert(name).inserted { open += callers[name] ?? [] }
    }
    return result
  }

  /// Whether a packet that comes to the chain may meet such a lookup of the source or the destination; of a chain that isn't there
  /// anything is said.
  func leads(_ chain: String, by axis: PacketAxis) -> Bool {
    (axis == .source ? leading.source : leading.destination).contains(chain) || !chains.contains(chain)
  }

  func leads(_ verdict: Verdict, by axis: PacketAxis) -> Bool {
    switch verdict {
    case .jump(let name), .goto(let name): leads(name, by: axis)
    case .accept, .drop, .return, .continue: false
    }
  }
}
