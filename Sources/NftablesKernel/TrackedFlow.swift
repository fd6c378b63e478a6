public import PacketSpace

/// A flow that connection tracking holds.
public struct TrackedFlow: Hashable, Sendable {
  /// The packets of one direction as they come to the machine, before anything is translated.
  public struct Tuple: Hashable, Sendable {
    public var source: IPAddress
    /// Of the same family.
    public var destination: IPAddress
    /// Both 0 for a protocol without ports. GRE's keys stand here, too.
    public var sourcePort, destinationPort: UInt16

    public init(_ source: IPAddress, _ destination: IPAddress, sourcePort: UInt16 = 0, destinationPort: UInt16 = 0) {
      self.source = source
      self.destination = destination
      self.sourcePort = sourcePort
      self.destinationPort = destinationPort
    }
  }

  public var ipProtocol: IPProtocol
  /// The direction of the packet by which connection tracking learned of the flow.
  public var original: Tuple
  /// The direction of the answers: from where the first packet was sent on to, to what it seemed to come from.
  public var reply: Tuple
  /// Of the first packet, for the two ICMPs; else 0.
  public var icmpType, icmpCode: UInt8
  /// Whether a helper expected it of another flow: its first packet was `related`, not `new`.
  public var isExpected: Bool

  public init(
    _ ipProtocol: IPProtocol, original: Tuple, reply: Tuple, icmpType: UInt8 = 0, icmpCode: UInt8 = 0, isExpected: Bool = false
  ) {
    self.ipProtocol = ipProtocol
    self.original = original
    self.reply = reply
    self.icmpType = icmpType
    self.icmpCode = icmpCode
    self.isExpected = isExpected
  }

  /// The first packet as the hooks input, forward and output see it: its destination is translated by then, and its source
  /// isn't yet. Links and bytes that only other protocols have aren't known.
  ///
  /// - Source: the priorities of netfilter's hooks; destinations are translated in prerouting and in front of output's filter,
  ///   sources in postrouting and behind input's.
  public var firstPacket: Packet {
    let transport: TransportHeader =
      switch ipProtocol {
      case .icmp, .icmpv6: .icmp(type: icmpType, code: icmpCode)
      default: .ports(source: original.sourcePort, destination: reply.sourcePort)
      }
    return Packet(
      source: original.source, destination: reply.source, ipProtocol: ipProtocol, transport: transport, state: .new)
  }
}
