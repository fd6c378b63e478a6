/// The chains that speak of some sets, themselves or by a chain that they lead to.
struct ChainReach {
  private let chains: Set<String>
  private var leading: Set<String> = []

  /// A base chain's own maps of addresses are left aside: which way they send a packet is for the caller to say. Any other map, which
  /// is none that Cordon makes, counts as speaking of the sets.
  init(to sets: Set<ObjectName>, in ruleset: Ruleset) {
    chains = Set(ruleset.chains.map(\.name))
    let maps = Set(ruleset.maps.map { ObjectName.set($0.name) })
    let addressMaps = Set(
      ruleset.maps.filter { $0.types == [.ipv4Address] || $0.types == [.ipv6Address] }.map { ObjectName.set($0.name) })
    var callers: [String: [String]] = [:]
    var open: [String] = []
    for chain in ruleset.chains {
      var speaks = false
      for rule in chain.rules {
        rule.forEachReference { name in
          if case .chain(let called) = name { callers[called, default: []].append(chain.name) }
          speaks =
            speaks || sets.contains(name)
            || (maps.contains(name) && (chain.base == nil || !addressMaps.contains(name)))
        }
      }
      if speaks { open.append(chain.name) }
    }
    while let name = open.popLast() {
      if leading.insert(name).inserted { open += callers[name] ?? [] }
    }
  }

  /// Whether a packet that comes to the chain may meet one of the sets; of a chain that isn't there anything is said.
  func leads(_ chain: String) -> Bool { leading.contains(chain) || !chains.contains(chain) }

  func leads(_ verdict: Verdict) -> Bool {
    switch verdict {
    case .jump(let name), .goto(let name): leads(name)
    case .accept, .drop, .return, .continue: false
    }
  }
}
