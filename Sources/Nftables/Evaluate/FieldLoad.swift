public import PacketSpace

extension Packet {
  /// What an expression that names `field` loads from this packet, or nil where there is nothing to load: the rule ends then.
  ///
  /// What nft puts in front of a field by itself counts as part of it: `ip saddr` is of IPv4 packets, `icmp type` of IPv4 packets
  /// that are ICMP, `icmpv6 type` of IPv6 packets that are ICMPv6. The ports have no such condition here; a rule with
  /// `tcp dport` has `meta l4proto tcp` as a match of its own. A link that the hook doesn't know is the empty name, zero.
  /// - Source: nft_meta.c, nft_payload.c, nft_ct.c; `nft --debug=netlink` of 1.0.6 for what it adds.
  public func value(of field: Field) -> UInt128? {
    switch field {
    case .nfproto: family == .ipv4 ? 2 : 10
    case .l4proto: UInt128(ipProtocol.rawValue)
    case .ipProtocol: family == .ipv4 ? UInt128(ipProtocol.rawValue) : nil
    case .ipSource: family == .ipv4 ? source.value : nil
    case .ipDestination: family == .ipv4 ? destination.value : nil
    case .ip6Source: family == .ipv6 ? source.value : nil
    case .ip6Destination: family == .ipv6 ? destination.value : nil
    case .sourcePort: transport.sourcePort.map { UInt128($0) }
    case .destinationPort: transport.destinationPort.map { UInt128($0) }
    case .icmpType: family == .ipv4 && ipProtocol == .icmp ? transport.type.map { UInt128($0) } : nil
    case .icmpCode: family == .ipv4 && ipProtocol == .icmp ? transport.code.map { UInt128($0) } : nil
    case .icmpv6Type: family == .ipv6 && ipProtocol == .icmpv6 ? transport.type.map { UInt128($0) } : nil
    case .icmpv6Code: family == .ipv6 && ipProtocol == .icmpv6 ? transport.code.map { UInt128($0) } : nil
    case .inputInterface: LinkName.number(inputInterface)
    case .outputInterface: LinkName.number(outputInterface)
    case .connectionState: state.bit
    }
  }
}
