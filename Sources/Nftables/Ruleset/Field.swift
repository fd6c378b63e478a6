import PacketSpace

/// What an expression loads from a packet: nft's own words.
///
/// nft puts what a field needs in front of it, and so a field means that too: `ip saddr` that the packet is IPv4, `icmp type` that it
/// is IPv4 and ICMP. `Packet.value(of:)` says when there is nothing to load.
public enum Field: Hashable, Sendable, CaseIterable {
  /// `meta nfproto`: 2 is IPv4, 10 is IPv6.
  case nfproto
  /// `meta l4proto`.
  case l4proto
  /// `ip protocol`; on an IPv6 packet there is nothing to load.
  case ipProtocol
  case ipSource
  case ipDestination
  case ip6Source
  case ip6Destination
  /// `th sport`: bytes 0 and 1 behind the IP header, whatever the protocol.
  case sourcePort
  /// `th dport`: bytes 2 and 3.
  case destinationPort
  /// `icmp type`, `icmp code`: of IPv4 packets whose protocol is ICMP.
  case icmpType
  case icmpCode
  /// `icmpv6 type`, `icmpv6 code`: of IPv6 packets whose protocol is ICMPv6.
  case icmpv6Type
  case icmpv6Code
  /// `iifname`, `oifname`: the name as 16 bytes, zero-filled, the first byte highest (`Field.encode(interface:)`).
  case inputInterface
  case outputInterface
  /// `ct state`: 1 invalid, 2 established, 4 related, 8 new, 64 untracked.
  case connectionState
  /// `fib daddr type` and `pkttype` aren't loaded by Cordon; a rule that has them is `Expression.unknown`.
}

extension Field {
  /// The highest value that the field can hold.
  public var maximum: UInt128 {
    switch self {
    case .nfproto, .l4proto, .ipProtocol, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code: 0xFF
    case .ipSource, .ipDestination: UInt128(UInt32.max)
    case .ip6Source, .ip6Destination, .inputInterface, .outputInterface: UInt128.max
    case .sourcePort, .destinationPort: 0xFFFF
    case .connectionState: 0xFFFF_FFFF
    }
  }

  /// The data type that a set's declaration names.
  public var dataType: DataType {
    switch self {
    case .nfproto: .nfproto
    case .l4proto, .ipProtocol: .inetProto
    case .ipSource, .ipDestination: .ipv4Address
    case .ip6Source, .ip6Destination: .ipv6Address
    case .sourcePort, .destinationPort: .inetService
    case .icmpType: .icmpType
    case .icmpCode: .icmpCode
    case .icmpv6Type: .icmpv6Type
    case .icmpv6Code: .icmpv6Code
    case .inputInterface, .outputInterface: .interfaceName
    case .connectionState: .connectionState
    }
  }

  /// A link's name as the number that `iifname` compares: 1 to 15 bytes. A prefix wildcard `tap*` is an interval of these.
  public static func encode(interface name: String) -> UInt128 {
    precondition((1...15).contains(name.utf8.count), "a link's name has 1 to 15 bytes")
    return LinkName.number(name)
  }

  /// The name that `encode(interface:)` made `value` from.
  public static func interfaceName(_ value: UInt128) -> String { LinkName.text(value) }
}

/// nft's name of a type of set keys.
public enum DataType: String, Hashable, Sendable {
  case nfproto = "nf_proto"
  case inetProto = "inet_proto"
  case ipv4Address = "ipv4_addr"
  case ipv6Address = "ipv6_addr"
  case inetService = "inet_service"
  case icmpType = "icmp_type"
  case icmpCode = "icmp_code"
  case icmpv6Type = "icmpv6_type"
  case icmpv6Code = "icmpv6_code"
  case interfaceName = "ifname"
  case connectionState = "ct_state"
}
