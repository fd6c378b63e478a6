/// A variable of packets, in the order in which diagrams ask about it.
///
/// Addresses of both families share an axis, below the family. What may be missing behind the IP header has a value of its own for
/// "not there", so that a match on it is false for such a packet, and its negation too where the asker says so.
public enum PacketAxis: UInt8, CaseIterable, Comparable, Sendable {
  /// `ct state` as nft's bits: 1 invalid, 2 established, 4 related, 8 new, 64 untracked.
  case connectionState
  /// Names of links as 16 bytes, the first one highest; 0 is none.
  case inputLink
  case outputLink
  /// 4 or 6.
  case family
  /// The IP protocol's number.
  case ipProtocol
  /// Bytes 2 and 3 behind the IP header, the destination port of protocols with ports: 0 to 65535, or `absent`.
  case secondWord
  /// Bytes 0 and 1, the source port, or the type and code of an ICMP: 0 to 65535; where there is one byte only, `oneByte` plus
  /// that byte; where there is none, `noByte`.
  case firstWord
  case source
  case destination

  public static func < (a: PacketAxis, b: PacketAxis) -> Bool { a.rawValue < b.rawValue }

  /// The value of `secondWord` for a packet that is too short for it.
  public static let absent: UInt128 = 0x10000
  /// The values of `firstWord` for a packet of one byte begin here.
  public static let oneByte: UInt128 = 0x10000
  /// The value of `firstWord` for a packet of none.
  public static let noByte: UInt128 = 0x10100

  /// The highest value; the lowest is 0.
  public var maximum: UInt128 {
    switch self {
    case .connectionState, .ipProtocol: 0xFF
    case .family: 7
    case .inputLink, .outputLink, .source, .destination: UInt128.max
    case .secondWord: PacketAxis.absent
    case .firstWord: PacketAxis.noByte
    }
  }
}

extension PacketAxis {
  /// The values of `firstWord` whose first byte is in `types`: of packets of one byte too.
  public static func types(_ types: Interval) -> [Interval] {
    [Interval(types.lower << 8, types.upper << 8 | 0xFF), Interval(oneByte + types.lower, oneByte + types.upper)]
  }

  /// The value of `firstWord` for a type and a code.
  public static func typeAndCode(_ type: UInt8, _ code: UInt8) -> Interval { Interval(UInt128(type) << 8 | UInt128(code)) }
}

extension Packet {
  /// The packet's value on an axis.
  public subscript(axis: PacketAxis) -> UInt128 {
    switch axis {
    case .connectionState: state.bit
    case .inputLink: LinkName.number(inputInterface)
    case .outputLink: LinkName.number(outputInterface)
    case .family: UInt128(family.rawValue)
    case .ipProtocol: UInt128(ipProtocol.rawValue)
    case .secondWord: transport.destinationPort.map { UInt128($0) } ?? PacketAxis.absent
    case .firstWord:
      transport.sourcePort.map { UInt128($0) } ?? transport.type.map { PacketAxis.oneByte + UInt128($0) } ?? PacketAxis.noByte
    case .source: source.value
    case .destination: destination.value
    }
  }
}
