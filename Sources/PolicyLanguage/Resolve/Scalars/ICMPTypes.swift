import PacketSpace

/// The types of both ICMPs that have a name.
enum ICMPTypes {
  /// nft's own names. Source: `nft describe icmp type` and `nft describe icmpv6 type`, nftables 1.0.6.
  static func names(of icmp: IPProtocol) -> [(name: StaticString, type: UInt8)] { icmp == .icmp ? v4 : v6 }

  static func type(_ bytes: ScalarBytes, of icmp: IPProtocol) -> UInt8? {
    names(of: icmp).first { bytes.equals($0.name) }?.type
  }

  /// Whether a packet of the type can be the first of a flow. Every other type passes as related to one, or not at all.
  ///
  /// Source: `valid_new` in Linux's nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c.
  static func canBeginFlow(_ type: UInt8, of icmp: IPProtocol) -> Bool {
    icmp == .icmp ? [8, 13, 15, 17].contains(type) : [128, 139].contains(type)
  }

  private static let v4: [(name: StaticString, type: UInt8)] = [
    ("echo-reply", 0), ("destination-unreachable", 3), ("source-quench", 4), ("redirect", 5), ("echo-request", 8),
    ("router-advertisement", 9), ("router-solicitation", 10), ("time-exceeded", 11), ("parameter-problem", 12),
    ("timestamp-request", 13), ("timestamp-reply", 14), ("info-request", 15), ("info-reply", 16),
    ("address-mask-request", 17), ("address-mask-reply", 18),
  ]

  private static let v6: [(name: StaticString, type: UInt8)] = [
    ("destination-unreachable", 1), ("packet-too-big", 2), ("time-exceeded", 3), ("parameter-problem", 4),
    ("echo-request", 128), ("echo-reply", 129), ("mld-listener-query", 130), ("mld-listener-report", 131),
    ("mld-listener-done", 132), ("mld-listener-reduction", 132), ("nd-router-solicit", 133), ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135), ("nd-neighbor-advert", 136), ("nd-redirect", 137), ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141), ("ind-neighbor-advert", 142), ("mld2-listener-report", 143),
  ]
}
