import Nftables
import PacketSpace
import PolicyLanguage

/// The way of a forwarded packet to the chains of its ends.
///
///     chain forward {
///       type filter hook forward priority filter; policy accept;
///       ct state { established, related } accept
///       ip saddr vmap @egress-ipv4        10.0.0.1 : jump egress/web
///       ip daddr vmap @ingress-ipv4       10.0.0.1 : jump ingress/web
///       ip6 saddr vmap @egress-ipv6
///       ip6 daddr vmap @ingress-ipv6
///     }
///
/// One lookup finds the profile of an end, however many there are. Egress chains come back here where they allow; ingress chains
/// don't come back. What reaches the end was denied by neither: allowed by a protected source, or of two ends without a group.
/// For `unmanaged: drop` these two are told apart by the source.
struct GatewayChains {
  private let policy: Policy
  private let profiles: Profiles
  private let observes: Bool
  private let lookups: [(direction: Direction, family: IPFamily, map: VerdictMap)]

  init(_ policy: Policy, _ profiles: Profiles, _ elements: AddressElements, observes: Bool) {
    self.policy = policy
    self.profiles = profiles
    self.observes = observes
    // what is decided in one family's chains needn't come by the other's lookups
    lookups = IPFamily.allCases.flatMap { family in
      [Direction.egress, .ingress].flatMap { direction in
        GatewayChains.maps(direction, family, profiles, elements).map { (direction, family, $0) }
      }
    }
  }

  func chains(bindings: Bool, _ sets: inout AddressSets) -> [Chain] {
    var rules: [Nftables.Rule] = []
    if bindings { rules.append(Nftables.Rule([.verdict(.jump(Names.links))], comment: "link bindings")) }
    rules.append(Nftables.Rule([.state(.established, .related), .verdict(.accept)], comment: "sessions"))
    for (direction, family, map) in lookups {
      let own = direction == .egress ? End.source : .destination
      let lookup = VerdictLookup(.field(own.field(family)), .named(map.name))
      rules.append(Nftables.Rule([.lookup(lookup)], comment: direction.rawValue))
    }
    var logged: [Chain] = []
    if policy.options.unmanaged == .drop {
      for family in IPFamily.allCases {
        let protected = IntervalSet(profiles[family].map(\.interval))
        if let set = sets.other(Names.protected(family), family, protected, annotation: "addresses that have a group") {
          rules.append(
            Nftables.Rule(
              [.match(End.source.field(family), set), .verdict(.accept)], comment: "allowed by the source's egress"))
        }
      }
      var deny = Verdict.drop
      if observes || policy.options.log == .denied {
        let chain = Chain.denied(
          Names.deniedUnmanaged, Names.logPrefix("unmanaged"), policy.options, instead: observes ? .accept : nil)
        deny = .goto(chain.name)
        logged.append(chain)
      }
      rules.append(Nftables.Rule([.verdict(deny)], comment: "unmanaged"))
    }
    let base = BaseChain(hook: .forward, policy: .accept)
    return [Chain(Names.forward, base: base, rules: rules)] + logged
  }

  var maps: [VerdictMap] { lookups.map(\.map) }

  /// Single addresses in an exact map; prefixes and ranges, where there are any, in a second one. The two hold no address
  /// twice.
  private static func maps(
    _ direction: Direction, _ family: IPFamily, _ profiles: Profiles, _ elements: AddressElements
  ) -> [VerdictMap] {
    let chains = profiles.profiles.map { Verdict.jump(Names.chain(direction, $0.name)) }
    var exact = VerdictElements()
    var wide = VerdictElements()
    exact.reserveCapacity(profiles[family].count)
    for entry in profiles[family] {
      elements.cut(entry.interval, family) { piece in
        if piece.isSingle {
          exact.append(piece, verdict: chains[entry.profile])
        } else {
          wide.append(piece, verdict: chains[entry.profile])
        }
      }
    }
    return [(exact, false), (wide, true)].filter { !$0.0.isEmpty }.map { elements, isInterval in
      VerdictMap(
        Names.dispatch(direction, family, prefixes: isInterval), types: [family == .ipv4 ? .ipv4Address : .ipv6Address],
        isInterval: isInterval, size: SetSize.of(elements.keys), elements: elements)
    }
  }
}
