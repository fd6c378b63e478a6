import PacketSpace

/// What a rule has said of a packet's family and protocol so far.
///
/// nft puts `meta nfproto ipv4` in front of `ip saddr`, and both that and `meta l4proto icmp` in front of `icmp type`, unless the
/// rule says so already. What it takes for having been said is more than it should be, and then a field means less than the
/// model's: behind `meta l4proto icmp`, or behind `meta nfproto ipv6`, `icmp type` is of any family. And where families
/// or protocols can't meet it mostly refuses. So each such rule is a problem.
/// - Source: nft 1.0.6 with `--debug=netlink`; src/payload.c (`payload_gen_dependency`), src/evaluate.c (`resolve_protocol_conflict`).
struct SaidProtocols {
  /// 2 or 10, or another number for what no field goes with.
  private var family: UInt128?
  private var transport: UInt128?

  /// What no field goes with: a set of several.
  private static let several = UInt128.max

  /// Takes the next key of a rule, with its match if it is one.
  ///
  /// - Returns: whether all fields of the key go with what was said.
  mutating func enter(_ key: Key, _ match: Match?) -> Bool {
    switch key {
    case .field(let field): return enter(field) && says(field, match)
    case .concatenation(let fields):
      for field in fields where !enter(field) { return false }
      return true
    }
  }

  private mutating func enter(_ field: Field) -> Bool {
    switch field {
    case .ipSource, .ipDestination, .ipProtocol: return needs(family: 2)
    case .ip6Source, .ip6Destination: return needs(family: 10)
    case .icmpType, .icmpCode: return needs(family: 2, transport: 1)
    case .icmpv6Type, .icmpv6Code: return needs(family: 10, transport: 58)
    case .nfproto, .l4proto, .sourcePort, .destinationPort, .inputInterface, .outputInterface, .connectionState: return true
    }
  }

  private mutating func needs(family needed: UInt128) -> Bool {
    defer { family = needed }
    return family == nil || family == needed
  }

  private mutating func needs(family: UInt128, transport: UInt128) -> Bool {
    // with the protocol said and the family not, nft adds nothing
    if self.transport != nil, self.family == nil { return false }
    defer { self.transport = transport }
    return needs(family: family) && (self.transport == nil || self.transport == transport)
  }

  /// What a match of the family or the protocol itself says.
  private mutating func says(_ field: Field, _ match: Match?) -> Bool {
    guard let match, !match.isNegated else { return true }
    let value: UInt128
    switch match.operand {
    case .named: return true
    case .value(let interval):
      guard interval.isSingle else { return true }
      value = interval.lower
    case .anonymous(let elements):
      value = elements.count == 1 && elements.intervals[0].isSingle ? elements.intervals[0].lower : SaidProtocols.several
    }
    switch field {
    case .nfproto:
      if value == SaidProtocols.several, family != nil { return true }
      return needs(family: value)
    case .l4proto, .ipProtocol:
      if value == SaidProtocols.several, transport != nil { return true }
      defer { transport = value }
      return transport == nil || transport == value
    case .ipSource, .ipDestination, .ip6Source, .ip6Destination, .sourcePort, .destinationPort, .icmpType, .icmpCode,
      .icmpv6Type, .icmpv6Code, .inputInterface, .outputInterface, .connectionState:
      return true
    }
  }
}
