import Nftables
import PacketSpace

/// A rule on its way into a chain: what it does, and whose it is.
struct LoweredRule {
  var expressions: [Expression]
  /// The number of the policy's rule, as `Provenance` counts; nil for what the language itself puts there.
  var origin: UInt32?
  /// Further rules of the policy that it stands for as well.
  var otherOrigins: [UInt32] = []
  /// The kernel's comment where there is no origin: `default`, `intra-group web`.
  var note: String?

  init(_ expressions: [Expression], origin: UInt32) {
    self.expressions = expressions
    self.origin = origin
  }

  init(_ expressions: [Expression], note: String) {
    self.expressions = expressions
    self.note = note
  }
}

/// The two ends of a packet, as fields: whose address is the peer's depends on the direction.
enum End {
  case source, destination

  func field(_ family: IPFamily) -> Field {
    switch (self, family) {
    case (.source, .ipv4): .ipSource
    case (.source, .ipv6): .ip6Source
    case (.destination, .ipv4): .ipDestination
    case (.destination, .ipv6): .ip6Destination
    }
  }
}

extension Expression {
  static func match(_ field: Field, _ value: UInt128) -> Expression { .match(Match(field, Interval(value))) }
  static func match(_ field: Field, in set: String) -> Expression { .match(Match(.field(field), .named(set))) }
  static func state(_ states: CTState...) -> Expression {
    let values = states.map { Interval($0.rawValue) }
    return .match(Match(.field(.connectionState), values.count == 1 ? .value(values[0]) : .anonymous(Elements(values))))
  }

  static func family(_ family: IPFamily) -> Expression { .match(.nfproto, family == .ipv4 ? 2 : 10) }
  static func ipProtocol(_ value: IPProtocol) -> Expression { .match(.l4proto, UInt128(value.rawValue)) }

  /// Whether it matches an address, and with it a family.
  var matchesAddress: Bool {
    guard case .match(let match) = self, case .field(let field) = match.key else { return false }
    switch field {
    case .ipSource, .ipDestination, .ip6Source, .ip6Destination: return true
    case .nfproto, .l4proto, .ipProtocol, .sourcePort, .destinationPort, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code,
      .inputInterface, .outputInterface, .connectionState:
      return false
    }
  }
}

/// The bits of nft's `ct state`.
enum CTState: UInt128 {
  case invalid = 1
  case established = 2
  case related = 4
  case new = 8
  case untracked = 64
}
