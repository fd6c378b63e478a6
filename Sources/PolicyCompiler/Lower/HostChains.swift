import Nftables
import PacketSpace
import PolicyLanguage

/// A machine that is itself an instance: input is its ingress, output its egress.
///
///     chain input {
///       type filter hook input priority filter; policy drop;
///       iifname "lo" accept
///       icmpv6 type { 133-136 } accept            neighbour and router discovery
///       …                                         multicast listeners, IGMP, DHCP as a client
///       ct state { established, related } accept
///       goto ingress/web
///     }
///
/// What a cloud delivers below a guest's rules is let through first. Discovery and listener messages are `untracked`, so no rule
/// on connection state would catch them.
enum HostChains {
  static func chains(_ profile: Profile, observes: Bool) -> [Chain] {
    [
      chain(Names.input, .input, .ingress, profile, observes), chain(Names.output, .output, .egress, profile, observes),
    ]
  }

  private static func chain(_ name: String, _ hook: Hook, _ direction: Direction, _ profile: Profile, _ observes: Bool) -> Chain
  {
    let isInput = direction == .ingress
    let link: Field = isInput ? .inputInterface : .outputInterface
    let listeners: [UInt128] = isInput ? [130] : [131, 132, 143]
    var rules = [
      accept("loopback", .match(link, Field.encode(interface: "lo"))),
      accept("neighbour and router discovery", .match(.icmpv6Type, .value(Interval(133, 136)))),
      accept("multicast listeners", .match(.icmpv6Type, operand(listeners))),
      accept("IGMP", .match(.ipProtocol, UInt128(IPProtocol.igmp.rawValue))),
      dhcp("DHCP", .ipv4, server: 67, client: 68, isInput),
      dhcp("DHCPv6", .ipv6, server: 547, client: 546, isInput),
    ]
    rules.append(Nftables.Rule([.state(.established, .related), .verdict(.accept)], comment: "sessions"))
    rules.append(Nftables.Rule([.verdict(.goto(Names.chain(direction, profile.name)))], comment: direction.rawValue))
    return Chain(name, base: BaseChain(hook: hook, policy: observes ? .accept : .drop), rules: rules)
  }

  private static func operand(_ values: [UInt128]) -> Operand {
    values.count == 1 ? .value(Interval(values[0])) : .anonymous(Elements(values.map { Interval($0) }))
  }

  private static func dhcp(_ comment: String, _ family: IPFamily, server: UInt128, client: UInt128, _ isInput: Bool)
    -> Nftables.Rule
  {
    let (from, to) = isInput ? (server, client) : (client, server)
    return accept(comment, .family(family), .ipProtocol(.udp), .match(.sourcePort, from), .match(.destinationPort, to))
  }

  private static func accept(_ comment: String, _ matches: Expression...) -> Nftables.Rule {
    Nftables.Rule(matches + [.verdict(.accept)], comment: comment)
  }
}
