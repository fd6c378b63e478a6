import PacketSpace

/// The two ends of a TCP connection, told apart by who began it.
struct ConnectionEnds: Hashable, CustomStringConvertible {
  struct End: Hashable, CustomStringConvertible {
    var address: IPAddress
    var port: UInt16

    var description: String { address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
  }

  var client: End
  var server: End

  var description: String { "\(client) -> \(server)" }
}

extension ConnectionEnds {
  /// What sshd sets in SSH_CONNECTION: `198.51.100.7 50022 172.16.1.10 22`, the client first. Nil for anything else, as the
  /// `UNKNOWN` that stands there where sshd serves no socket.
  init?(sshConnection text: some StringProtocol) {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 4, let client = End(words[0], words[1]), let server = End(words[2], words[3]),
      client.address.family == server.address.family
    else { return nil }
    self.init(client: client, server: server)
  }
}

extension ConnectionEnds.End {
  /// An address, perhaps with a zone (`fe80::1%eth0`), and a port that isn't 0.
  init?(_ address: some StringProtocol, _ port: some StringProtocol) {
    guard let address = IPAddress(address.prefix { $0 != "%" }), port.allSatisfy({ $0.isASCII && $0.isNumber }),
      let port = UInt16(port), port > 0
    else { return nil }
    self.init(address: address.unmapped, port: port)
  }
}

extension IPAddress {
  /// An IPv4 address that a socket of IPv6 shows as `::ffff:198.51.100.7` is what the packets bear.
  var unmapped: IPAddress {
    family == .ipv6 && value >> 32 == 0xFFFF ? IPAddress(v4: UInt32(truncatingIfNeeded: value)) : self
  }
}
