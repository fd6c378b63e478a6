/// A protocol of the IP header's protocol field (IPv6: of the last next-header field), by its IANA number.
public struct IPProtocol: RawRepresentable, Hashable, Sendable, Comparable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let icmp = IPProtocol(rawValue: 1)
  public static let igmp = IPProtocol(rawValue: 2)
  public static let tcp = IPProtocol(rawValue: 6)
  public static let udp = IPProtocol(rawValue: 17)
  public static let gre = IPProtocol(rawValue: 47)
  public static let esp = IPProtocol(rawValue: 50)
  public static let ah = IPProtocol(rawValue: 51)
  public static let icmpv6 = IPProtocol(rawValue: 58)
  public static let sctp = IPProtocol(rawValue: 132)

  /// Whether the policy language gives it ports: tcp, udp and sctp.
  public var hasPorts: Bool { self == .tcp || self == .udp || self == .sctp }

  /// The only family that it is of, for the two ICMPs; nil for every other.
  public var family: IPFamily? {
    switch self {
    case .icmp: .ipv4
    case .icmpv6: .ipv6
    default: nil
    }
  }

  public static func < (a: IPProtocol, b: IPProtocol) -> Bool { a.rawValue < b.rawValue }
}

/// An inclusive range of ports.
public struct PortRange: Hashable, Sendable, Comparable {
  public let lower: UInt16
  /// `lower <= upper`.
  public let upper: UInt16

  public init(_ lower: UInt16, _ upper: UInt16) {
    precondition(lower <= upper, "a port range must not be empty")
    self.lower = lower
    self.upper = upper
  }

  public init(_ port: UInt16) { self.init(port, port) }

  public static let all = PortRange(0, UInt16.max)
  public func contains(_ port: UInt16) -> Bool { lower <= port && port <= upper }
  public static func < (a: PortRange, b: PortRange) -> Bool { (a.lower, a.upper) < (b.lower, b.upper) }
}

extension PortRange: CustomStringConvertible {
  public var description: String { lower == upper ? "\(lower)" : "\(lower)-\(upper)" }
}
