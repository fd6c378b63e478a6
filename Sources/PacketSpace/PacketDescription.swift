extension Packet: CustomStringConvertible {
  /// The packet in a line for a person: `tcp 192.0.2.1:40000 -> 10.0.0.1:443`, `icmp 192.0.2.1 -> 10.0.0.1 type 8 code 0`. Its state
  /// stands behind where it isn't `new`, and its links where it has any.
  public var description: String {
    func end(_ address: IPAddress, _ port: UInt16?) -> String {
      guard let port, ipProtocol.hasPorts else { return "\(address)" }
      return address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
    var result = "\(ipProtocol) \(end(source, transport.sourcePort)) -> \(end(destination, transport.destinationPort))"
    if ipProtocol == .icmp || ipProtocol == .icmpv6, let type = transport.type {
      result += " type \(type)" + (transport.code.map { " code \($0)" } ?? "")
    }
    if transport.count == 0 {
      result += ", nothing behind the IP header"
    } else if transport.count < 4 {
      result += ", \(transport.count) bytes behind the IP header"
    }
    if state != .new { result += ", \(state.rawValue)" }
    if !inputInterface.isEmpty { result += ", in by \(inputInterface)" }
    if !outputInterface.isEmpty { result += ", out by \(outputInterface)" }
    return result
  }
}

extension IPProtocol: CustomStringConvertible {
  /// The common name, or `protocol N`.
  public var description: String {
    switch self {
    case .icmp: "icmp"
    case .igmp: "igmp"
    case .tcp: "tcp"
    case .udp: "udp"
    case .gre: "gre"
    case .esp: "esp"
    case .ah: "ah"
    case .icmpv6: "icmpv6"
    case .sctp: "sctp"
    default: "protocol \(rawValue)"
    }
  }
}
