import PacketSpace

/// What of a packet decides how far into a rule it comes: its family and its protocol.
struct PacketShape {
  /// 2 or 10, as `meta nfproto` has it.
  let family: UInt128
  /// A protocol that has a shape of its own, or nil for all others.
  let transport: UInt128?

  private static let named: Set<UInt128> = [1, 6, 17, 58, 132]

  /// TCP, UDP, SCTP, the family's ICMP and all other protocols, of both families.
  static let all: [PacketShape] = [UInt128(2), 10].flatMap { family in
    [6, 17, 132, family == 2 ? 1 : 58, nil].map { PacketShape(family: family, transport: $0) }
  }

  /// Whether a packet of the shape passes a test: nil where some do and others don't.
  func passes(_ test: Instruction.Test) -> Bool? {
    switch test {
    case .none: return true
    case .open: return nil
    case .family(let values, let isNegated): return values.contains(family) != isNegated
    case .transport(let values, let isNegated):
      if let transport { return values.contains(transport) != isNegated }
      // the others have no number of a named one
      if values.isSingle, PacketShape.named.contains(values.lower) { return isNegated }
      return values.lower == 0 && values.upper >= 255 ? !isNegated : nil
    }
  }

  /// Whether some packet of the shape may have these values.
  func mayHave(_ element: ArraySlice<Interval>, _ fields: [Field]) -> Bool {
    zip(element, fields).allSatisfy { values, field in
      switch field {
      case .nfproto: passes(.family(values, isNegated: false)) != false
      case .l4proto, .ipProtocol: passes(.transport(values, isNegated: false)) != false
      case .ipSource, .ipDestination, .ip6Source, .ip6Destination, .sourcePort, .destinationPort, .icmpType, .icmpCode,
        .icmpv6Type, .icmpv6Code, .inputInterface, .outputInterface, .connectionState:
        true
      }
    }
  }
}
