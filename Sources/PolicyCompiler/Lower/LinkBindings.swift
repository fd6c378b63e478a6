import Nftables
import PacketSpace
import PolicyLanguage

/// Instances that are bound to a link: their addresses come from there, and nobody else's do.
///
///     instances: { vm-1: { addresses: 10.0.0.1, groups: web, interface: tap1 } }
///
///     chain links {
///       ip saddr . iifname @bindings-ipv4 return      { 10.0.0.1 . "tap1" }
///       iifname @bound-links drop                     { "tap1" }
///       ip saddr @bound-ipv4 drop                     { 10.0.0.1 }
///     }
///
/// A packet that has the right pair comes back; of all others those are dropped that bear one half of a pair. It is the first
/// thing that a forwarded packet meets, before the connection's state, so that a forged address can't ride on a session.
///
/// The address stands first because among intervals the kernel carries every pair whose first field is the packet's on to the
/// second by itself: with the link first that is every address of the link, 9 ns each for every packet
/// (`CostModel.concatenatedRest`).
struct LinkBindings {
  private let policy: Policy
  private let bound: [Instance]
  private let observes: Bool

  init(_ policy: Policy, observes: Bool) {
    self.policy = policy
    self.observes = observes
    bound = policy.instances.filter { $0.interface != nil }
  }

  var isEmpty: Bool { bound.isEmpty }

  private func addresses(_ family: IPFamily) -> IntervalSet { IntervalSet(bound.flatMap { $0.addresses[family].intervals }) }

  func chains(_ sets: inout AddressSets) -> [Chain] {
    if isEmpty { return [] }
    var rules: [Nftables.Rule] = []
    let families = IPFamily.allCases.filter { !addresses($0).isEmpty }
    for family in families {
      let pair = Match(.concatenation([End.source.field(family), .inputInterface]), .named(Names.bindings(family)))
      rules.append(Nftables.Rule([.match(pair), .verdict(.return)], comment: "bound here"))
    }
    var deny = Verdict.drop
    var logged: [Chain] = []
    if observes || policy.options.log == .denied {
      let chain = Chain.denied(
        Names.deniedLinks, Names.logPrefix("links"), policy.options, instead: observes ? .return : nil)
      deny = .goto(chain.name)
      logged.append(chain)
    }
    rules.append(
      Nftables.Rule(
        [.match(.inputInterface, .named(Names.boundLinks)), .verdict(deny)], comment: "not an address of this link"))
    for family in families {
      if let set = sets.other(Names.bound(family), family, addresses(family), annotation: "addresses bound to a link") {
        rules.append(Nftables.Rule([.match(End.source.field(family), set), .verdict(deny)], comment: "bound to another link"))
      }
    }
    return [Chain(Names.links, rules: rules, annotations: ["instances and the links they are bound to"])] + logged
  }

  func sets() -> [NamedSet] {
    if isEmpty { return [] }
    var links = Elements()
    for name in Set(bound.map { $0.interface! }).sorted() { links.append(Interval(Field.encode(interface: name))) }
    var result = [
      NamedSet(
        Names.boundLinks, types: [.interfaceName], isInterval: false, elements: links,
        annotations: ["links that instances are bound to"])
    ]
    for family in IPFamily.allCases {
      var pairs: [(link: UInt128, address: Interval)] = []
      for instance in bound {
        let link = Field.encode(interface: instance.interface!)
        pairs += instance.addresses[family].intervals.map { (link, $0) }
      }
      if pairs.isEmpty { continue }
      pairs.sort { ($0.link, $0.address) < ($1.link, $1.address) }
      var elements = Elements(stride: 2)
      for pair in pairs { elements.append(pair.address, Interval(pair.link)) }
      result.append(
        NamedSet(
          Names.bindings(family), types: [family == .ipv4 ? .ipv4Address : .ipv6Address, .interfaceName],
          isInterval: elements.hasIntervals, elements: elements, annotations: ["which address belongs to which link"]))
    }
    return result
  }
}
