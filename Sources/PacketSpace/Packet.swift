/// The first bytes behind the IP header, as far as a firewall looks at them: none, some or all of four.
///
/// A ruleset that loads bytes which aren't there breaks off its rule, so how many there are matters.
public struct TransportHeader: Hashable, Sendable {
  /// The bytes in the order of the wire, the first one highest; those beyond `count` are zero.
  public let bytes: UInt32
  /// 0 to 4.
  public let count: Int

  public init(bytes: UInt32, count: Int) {
    precondition((0...4).contains(count))
    self.bytes = count == 0 ? 0 : bytes & ~(count == 4 ? 0 : UInt32.max >> UInt32(8 * count))
    self.count = count
  }

  /// Nothing behind the IP header.
  public static let empty = TransportHeader(bytes: 0, count: 0)
  /// TCP, UDP and SCTP begin with the two ports.
  public static func ports(source: UInt16, destination: UInt16) -> TransportHeader {
    TransportHeader(bytes: UInt32(source) << 16 | UInt32(destination), count: 4)
  }
  /// Both ICMPs begin with type and code.
  public static func icmp(type: UInt8, code: UInt8) -> TransportHeader {
    TransportHeader(bytes: UInt32(type) << 24 | UInt32(code) << 16, count: 4)
  }

  public var sourcePort: UInt16? { count >= 2 ? UInt16(bytes >> 16) : nil }
  public var destinationPort: UInt16? { count >= 4 ? UInt16(truncatingIfNeeded: bytes) : nil }
  public var type: UInt8? { count >= 1 ? UInt8(bytes >> 24) : nil }
  public var code: UInt8? { count >= 2 ? UInt8(truncatingIfNeeded: bytes >> 16) : nil }
}

/// The state that connection tracking gives a packet (nft: `ct state`).
public enum ConnectionState: String, Hashable, Sendable, CaseIterable {
  case new, established, related, invalid, untracked

  /// The bit that nft and the kernel give it: `ct state` is compared by these. Source: nf_conntrack_common.h
  /// (`NF_CT_STATE_BIT`).
  public var bit: UInt128 {
    switch self {
    case .invalid: 1
    case .established: 2
    case .related: 4
    case .new: 8
    case .untracked: 64
    }
  }
}

/// One packet as the rules see it.
public struct Packet: Hashable, Sendable {
  public var source: IPAddress
  /// Of the same family as `source`.
  public var destination: IPAddress
  public var ipProtocol: IPProtocol
  public var transport: TransportHeader
  public var state: ConnectionState
  /// The link it came in by and the one it leaves by; empty where the hook knows none.
  public var inputInterface: String
  public var outputInterface: String

  public init(
    source: IPAddress, destination: IPAddress, ipProtocol: IPProtocol, transport: TransportHeader,
    state: ConnectionState, inputInterface: String = "", outputInterface: String = ""
  ) {
    precondition(source.family == destination.family, "a packet is of one family")
    self.source = source
    self.destination = destination
    self.ipProtocol = ipProtocol
    self.transport = transport
    self.state = state
    self.inputInterface = inputInterface
    self.outputInterface = outputInterface
  }

  public var family: IPFamily { source.family }
}

extension ConnectionState {
  /// What connection tracking calls a packet that belongs to no flow it knows and is related to none.
  ///
  /// - Parameter isSynAck: whether a TCP packet is the second of a handshake.
  /// - Source: nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c (`valid_new`, `noct_valid_new`),
  ///   nf_conntrack_proto_tcp.c (`tcp_conntracks`, original SYN-ACK from NONE is invalid).
  public static func unsolicited(_ ipProtocol: IPProtocol, _ transport: TransportHeader, isSynAck: Bool = false)
    -> ConnectionState
  {
    switch ipProtocol {
    case .icmp:
      guard let type = transport.type else { return .invalid }
      return [8, 13, 15, 17].contains(type) ? .new : .invalid
    case .icmpv6:
      guard let type = transport.type else { return .invalid }
      if (130...136).contains(type) || type == 143 { return .untracked }
      return type == 128 || type == 139 ? .new : .invalid
    case .tcp:
      return isSynAck || transport.count < 4 ? .invalid : .new
    case .udp, .sctp:
      return transport.count < 4 ? .invalid : .new
    default:
      return .new
    }
  }
}
