import Nftables
import PacketSpace
import PolicyLanguage

/// How the services of a rule are matched, in as few alternatives as can be.
///
///     [http, https]     tcp dport { 80, 443 }
///     [dns, ping]       tcp dport 53 · udp dport 53 · icmp type echo-request · icmpv6 type echo-request
///     gre               meta l4proto gre
///     [all, ssh]        (nothing: every packet)
///
/// A protocol without ports is judged by `meta l4proto` alone, since `th dport` needs bytes that such a packet may not have.
/// ICMP is IPv4's and ICMPv6 IPv6's only: `ip protocol icmp` says the family itself, and `meta nfproto ipv6` stands behind the
/// protocol, because nft leaves it out of its listing when it stands in front.
struct ServiceMatches {
  var expressions: [Expression]
  /// The family whose packets alone can match, or nil.
  var family: IPFamily?
  /// Whether `expressions` say the family by themselves.
  var impliesFamily: Bool

  static let everything = ServiceMatches(expressions: [], family: nil, impliesFamily: false)

  /// - Parameter setFrom: how many values make an anonymous set; fewer become a rule each.
  static func of(_ terms: [ServiceTerm], sourcePorts: [PortRange]?, setFrom: Int) -> [ServiceMatches] {
    if terms.count == 1 { return ofProtocol(terms, sourcePorts, setFrom) }
    if terms.contains(.all) { return [.everything] }
    var protocols: [IPProtocol] = []
    for term in terms where !protocols.contains(term.ipProtocol!) { protocols.append(term.ipProtocol!) }
    return protocols.flatMap { p in ofProtocol(terms.filter { $0.ipProtocol == p }, sourcePorts, setFrom) }
  }

  /// The alternatives for terms of one protocol.
  private static func ofProtocol(_ terms: [ServiceTerm], _ sourcePorts: [PortRange]?, _ setFrom: Int) -> [ServiceMatches] {
    guard let p = terms[0].ipProtocol else { return [.everything] }
    if p == .icmp || p == .icmpv6 { return ofICMP(p, terms) }
    let source = ServiceMatches.sourcePorts(sourcePorts)
    var ports: [Interval] = []
    for case .ports(_, let range) in terms { ports.append(Interval(UInt128(range.lower), UInt128(range.upper))) }
    if ports.count < terms.count {
      return [ServiceMatches(expressions: [.ipProtocol(p)] + source, family: nil, impliesFamily: false)]
    }
    return operands(IntervalSet(ports).intervals, setFrom: setFrom).map {
      ServiceMatches(
        expressions: [.ipProtocol(p), .match(.destinationPort, $0)] + source, family: nil, impliesFamily: false)
    }
  }

  /// The match for source ports; none where there is no such condition. The protocol must be known to have ports.
  static func sourcePorts(_ ports: [PortRange]?) -> [Expression] {
    guard let ports else { return [] }
    let intervals = ports.map { Interval(UInt128($0.lower), UInt128($0.upper)) }
    return [.match(.sourcePort, intervals.count == 1 ? .value(intervals[0]) : .anonymous(Elements(intervals)))]
  }

  private static func ofICMP(_ p: IPProtocol, _ terms: [ServiceTerm]) -> [ServiceMatches] {
    let isV4 = p == .icmp
    if terms.contains(.ipProtocol(p)) {
      let whole: [Expression] = isV4 ? [.match(.ipProtocol, 1)] : [.ipProtocol(.icmpv6)]
      return [ServiceMatches(expressions: whole, family: p.family, impliesFamily: isV4)]
    }
    var types: [Interval] = []
    for case .icmp(_, let type, nil) in terms { types.append(Interval(UInt128(type))) }
    let typeField: Field = isV4 ? .icmpType : .icmpv6Type
    let codeField: Field = isV4 ? .icmpCode : .icmpv6Code
    let whole = IntervalSet(types)
    var result = operands(whole.intervals.flatMap { i in (i.lower...i.upper).map { Interval($0) } }, setFrom: 2).map {
      ServiceMatches(expressions: [.match(typeField, $0)], family: p.family, impliesFamily: true)
    }
    for case .icmp(_, let type, let code?) in terms where !whole.contains(UInt128(type)) {
      let expressions: [Expression] = [.match(typeField, UInt128(type)), .match(codeField, UInt128(code))]
      result.append(ServiceMatches(expressions: expressions, family: p.family, impliesFamily: true))
    }
    return result
  }
}
