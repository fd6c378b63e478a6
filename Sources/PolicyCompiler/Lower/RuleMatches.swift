import Nftables
import PacketSpace
import PolicyLanguage

/// What a rule of the policy asks of a packet, as matches of nft: a list of alternatives, of which one must hold.
///
///     allow: ssh                            tcp dport 22 ip saddr { 203.0.113.0/24, 203.0.113.200 }
///     from: [office, 203.0.113.200]         tcp dport 22 ip6 saddr 2001:db8:12::/48
///     to: 10.0.0.1  (an own end)            … ip daddr 10.0.0.1 …: then IPv4 only
///
/// The service stands in front where it costs no more than the addresses: most packets are of another service, and so no set is
/// looked up for them.
///
/// Services, peers and own addresses are alternatives each, so the rule's alternatives are their combinations, family by
/// family. Where one of the three has nothing of a family, there is no combination of that family: nothing that came out empty
/// is left out of a match. A rule that asks for no address at all is written once, for both families.
struct RuleMatches {
  /// Which end of a packet is the peer's: its source in ingress, its destination in egress.
  let peer: End

  init(_ direction: Direction) { peer = direction.peer }

  /// The alternatives of `rule`, with `services` in the place of its own.
  func alternatives(_ rule: PolicyLanguage.Rule, _ services: [ServiceMatches], _ sets: inout AddressSets) -> [[Expression]] {
    var result: [[Expression]] = []
    let own = peer == .source ? End.destination : End.source
    var families: [(family: IPFamily, peers: [Operand]?, own: [Operand]?)] = []
    for family in IPFamily.allCases where services.contains(where: { $0.family == nil || $0.family == family }) {
      var ownOperands: [Operand]?
      if let narrowed = rule.own {
        ownOperands = sets.operands(narrowed[family], family)
        if ownOperands?.isEmpty == true { continue }
      }
      families.append((family, sets.operands(rule.peers, family), ownOperands))
    }
    let asksNoAddress = families.count == 2 && families.allSatisfy { $0.peers == nil && $0.own == nil } && rule.own == nil
    for service in services {
      if asksNoAddress && service.family == nil {
        result.append(service.expressions)
        continue
      }
      for (family, peers, ownOperands) in families where service.family == nil || service.family == family {
        for peerMatch in matches(peers, peer.field(family)) {
          for ownMatch in matches(ownOperands, own.field(family)) {
            var addresses = peer == .source ? peerMatch + ownMatch : ownMatch + peerMatch
            if addresses.isEmpty && !service.impliesFamily {
              // behind the protocol of ICMPv6: nft leaves it out of its listing when it stands in front
              if service.family == .ipv6 {
                result.append(service.expressions + [.family(family)])
                continue
              }
              addresses = [.family(family)]
            }
            result.append(RuleMatches.cheapestFirst(addresses, service))
          }
        }
      }
    }
    return result
  }

  /// Both halves of an alternative, the one in front that a packet passes by at less cost. A family that the service implies is nft's
  /// to put in its place, so such a service stays behind.
  private static func cheapestFirst(_ addresses: [Expression], _ service: ServiceMatches) -> [Expression] {
    let isServiceFirst =
      service.family == nil && CostModel.passing(service.expressions) <= CostModel.passing(addresses)
    return isServiceFirst ? service.expressions + addresses : addresses + service.expressions
  }

  /// A match for each operand; one empty match where there is no condition.
  private func matches(_ operands: [Operand]?, _ field: Field) -> [[Expression]] {
    guard let operands else { return [[]] }
    return operands.map { [.match(Match(.field(field), $0))] }
  }
}
