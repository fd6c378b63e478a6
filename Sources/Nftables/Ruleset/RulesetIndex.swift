/// A ruleset's chains, sets and maps by their names. Of several with one name, which no kernel has, the first counts.
struct RulesetIndex: Sendable {
  let chains: [Chain]
  private let places: [String: Int]
  let sets: [String: NamedSet]
  let maps: [String: VerdictMap]

  /// - Parameter other: the index of a ruleset with the same chains.
  init(_ ruleset: Ruleset, chainsOf other: RulesetIndex? = nil) {
    chains = other?.chains ?? ruleset.chains
    places = other?.places ?? Dictionary(ruleset.chains.enumerated().map { ($1.name, $0) }) { first, _ in first }
    sets = Dictionary(ruleset.sets.map { ($0.name, $0) }) { first, _ in first }
    maps = Dictionary(ruleset.maps.map { ($0.name, $0) }) { first, _ in first }
  }

  /// Where a chain stands among `chains`.
  func place(ofChain name: String) -> Int? { places[name] }

  func chain(_ name: String) -> Chain? { places[name].map { chains[$0] } }
}
