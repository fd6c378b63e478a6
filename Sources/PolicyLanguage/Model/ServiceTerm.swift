public import PacketSpace

/// One alternative of a service, resolved to what a packet must be. `tcp/22`, `icmp/8`, `all`.
public enum ServiceTerm: Hashable, Sendable {
  /// Every protocol of either family.
  case all
  /// A whole protocol. The two ICMPs are of one family only.
  case ipProtocol(IPProtocol)
  /// Destination ports of tcp, udp or sctp. A packet too short to have ports matches no such term.
  case ports(IPProtocol, PortRange)
  /// A type, and a code where one is given, of `.icmp` or `.icmpv6`.
  case icmp(IPProtocol, type: UInt8, code: UInt8?)
}

extension ServiceTerm {
  /// The protocol, or nil for `all`.
  public var ipProtocol: IPProtocol? {
    switch self {
    case .all: nil
    case .ipProtocol(let p), .ports(let p, _), .icmp(let p, _, _): p
    }
  }

  /// The only family whose packets can match, or nil for both.
  public var family: IPFamily? { ipProtocol?.family }

  /// Whether source ports may narrow it: tcp, udp and sctp, with or without ports.
  public var hasPorts: Bool { ipProtocol?.hasPorts ?? false }
}

extension ServiceTerm: CustomStringConvertible {
  /// The term as the language writes it, such as `tcp/8000-8100` or `icmp/3/4`.
  public var description: String {
    switch self {
    case .all: "all"
    case .ipProtocol(let p): p.policyName
    case .ports(let p, let ports): "\(p.policyName)/\(ports)"
    case .icmp(let p, let type, let code): "\(p.policyName)/\(type)" + (code.map { "/\($0)" } ?? "")
    }
  }
}

extension IPProtocol {
  /// The language's protocols that have a name.
  public static let policyNames: [(name: String, value: IPProtocol)] = [
    ("tcp", .tcp), ("udp", .udp), ("sctp", .sctp), ("icmp", .icmp), ("icmpv6", .icmpv6), ("gre", .gre), ("esp", .esp),
    ("ah", .ah),
  ]

  /// The name in the language, or `protocol/N`.
  public var policyName: String {
    IPProtocol.policyNames.first { $0.value == self }?.name ?? "protocol/\(rawValue)"
  }
}
