import CSockets
import Glibc

/// Flows to be begun, from a file of lines: source, destination, UDP port.
struct Flows {
  private struct Flow {
    var isIPv6: Bool
    var source: [UInt8]
    var destination: [UInt8]
    var port: UInt16
  }

  private let flows: [Flow]
  /// How many were begun, each from a source port of its own: what is begun again is a new flow, and so is one that stands twice
  /// in the file.
  private var begun = 0

  init(lines: String) {
    flows = lines.split(separator: "\n").map { line in
      let words = line.split(separator: " ")
      return Flow(
        isIPv6: words[0].contains(":"), source: Self.bytes(words[0]), destination: Self.bytes(words[1]), port: UInt16(words[2])!
      )
    }
    require(!flows.isEmpty, "there are no flows in the file")
  }

  private static func bytes(_ address: Substring) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: address.contains(":") ? 16 : 4)
    let isRead = inet_pton(bytes.count == 16 ? AF_INET6 : AF_INET, String(address), &bytes) == 1
    require(isRead, "not an address: \(address)")
    return bytes
  }

  /// The next flow's first packet, as an Ethernet frame.
  mutating func nextFrame(to router: [UInt8], from sender: [UInt8]) -> [UInt8] {
    let flow = flows[begun % flows.count]
    let sourcePort = 1024 + UInt16(begun % 59_999)
    begun += 1
    let payload: [UInt8] = [0, 0, 0, 0]
    var udp = Self.big(sourcePort) + Self.big(flow.port) + Self.big(UInt16(8 + payload.count)) + [0, 0] + payload
    let ethernet = router + sender + Self.big(flow.isIPv6 ? 0x86dd : 0x0800)
    if flow.isIPv6 {
      let pseudo = flow.source + flow.destination + [0, 0] + Self.big(UInt16(udp.count)) + [0, 0, 0, 17]
      udp.replaceSubrange(6..<8, with: Self.big(Self.checksum(pseudo + udp)))
      return ethernet + [0x60, 0, 0, 0] + Self.big(UInt16(udp.count)) + [17, 64] + flow.source + flow.destination + udp
    }
    // IPv4 lets UDP go without a checksum
    var ip: [UInt8] =
      [0x45, 0] + Self.big(UInt16(20 + udp.count)) + [0, 0, 0x40, 0, 64, 17, 0, 0] + flow.source + flow.destination
    ip.replaceSubrange(10..<12, with: Self.big(Self.checksum(ip)))
    return ethernet + ip + udp
  }

  private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

  /// The internet's checksum (RFC 1071) of an even number of bytes.
  private static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum = stride(from: 0, to: bytes.count, by: 2).reduce(UInt32(0)) { $0 + UInt32(bytes[$1]) << 8 + UInt32(bytes[$1 + 1]) }
    while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
    return ~UInt16(sum)
  }
}
