import PacketSpace

/// The chains that look up one end's address in some sets, themselves or by a chain that they lead to.
struct ChainReach {
  private let chains: Set<String>
  private var leading: Set<String> = []

  /// A base chain's own maps of addresses are left aside: which way they send a packet is for the caller to say. Any other map, which
  /// is none that Cordon makes, counts as such a set, and so does a concatenation.
  ///
  /// - Parameter axis: the source or the destination.
  init(to sets: Set<String>, by axis: PacketAxis, in ruleset: Ruleset) {
    chains = Set(ruleset.chains.map(\.name))
    let addressMaps = Set(ruleset.maps.filter { $0.types == [.ipv4Address] || $0.types == [.ipv6Address] }.map(\.name))
    var callers: [String: [String]] = [:]
    var open: [String] = []
    for chain in ruleset.chains {
      var speaks = false
      for rule in chain.rules {
        for expression in rule.expressions {
          switch expression {
          case .match(let match):
            if case .named(let name) = match.operand, sets.contains(name) {
              if case .field(let field) = match.key, let end = field.addressAxis {
                speaks = speaks || end.0 == axis
              } else {
                speaks = true
              }
            }
          case .lookup(let lookup):
            if case .named(let name) = lookup.source { speaks = speaks || chain.base == nil || !addressMaps.contains(name) }
          case .verdict, .namedLimit, .limit, .log, .counter, .unknown: break
          }
        }
        rule.forEachReference { if case .chain(let called) = $0 { callers[called, default: []].append(chain.name) } }
      }
      if speaks { open.append(chain.name) }
    }
    while let name = open.popLast() {
      if leading.insert(name).inserted { open += callers[name] ?? [] }
    }
  }

  /// Whether a packet that comes to the chain may meet such a lookup; of a chain that isn't there anything is said.
  func leads(_ chain: String) -> Bool { leading.contains(chain) || !chains.contains(chain) }

  func leads(_ verdict: Verdict) -> Bool {
    switch verdict {
    case .jump(let name), .goto(let name): leads(name)
    case .accept, .drop, .return, .continue: false
    }
  }
}
