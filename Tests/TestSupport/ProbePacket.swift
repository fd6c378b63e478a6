import PacketSpace

/// An IP packet, byte by byte. Its tag, in IPv4's identification or IPv6's flow label, makes it differ from all others.
struct ProbePacket {
  let bytes: [UInt8]

  var family: IPFamily { bytes[0] >> 4 == 4 ? .ipv4 : .ipv6 }

  private init(_ ipProtocol: IPProtocol, _ source: IPAddress, _ destination: IPAddress, tag: UInt16, body: [UInt8]) {
    var header: [UInt8] = []
    switch source.family {
    case .ipv4:
      header.append(bigEndian: 0x4500, as: UInt16.self)
      header.append(bigEndian: UInt16(20 + body.count))
      header.append(bigEndian: tag)
      header.append(bigEndian: 0x4000, as: UInt16.self)  // don't fragment
      header += [64, ipProtocol.rawValue, 0, 0]
      header += source.bytes + destination.bytes
      header.set(internetChecksum(header), at: 10)
    case .ipv6:
      header.append(bigEndian: 6 << 28 | UInt32(tag))
      header.append(bigEndian: UInt16(body.count))
      header += [ipProtocol.rawValue, 64]
      header += source.bytes + destination.bytes
    }
    bytes = header + body
  }

  /// The first packet of a flow.
  init(first flow: ProbeFlow, tag: UInt16) {
    let body = ProbePacket.body(flow, flow.transport, from: flow.source, to: flow.destination, id: tag, isReply: false)
    self.init(flow.ipProtocol, flow.source, flow.destination, tag: tag, body: body)
  }

  /// The answer to a flow's first packet, which had the tag `firstTag`.
  init(reply flow: ProbeFlow, tag: UInt16, firstTag: UInt16) {
    let transport: ProbeFlow.Transport =
      switch flow.transport {
      case .ports(let source, let destination): .ports(source: destination, destination: source)
      case .icmp(let type, let code): .icmp(type: ProbePacket.answers[type] ?? type, code: code)
      case .other: .other
      case .empty: .empty
      }
    let body = ProbePacket.body(flow, transport, from: flow.destination, to: flow.source, id: firstTag, isReply: true)
    self.init(flow.ipProtocol, flow.destination, flow.source, tag: tag, body: body)
  }

  /// The destination's word that nobody is at that port, quoting a packet.
  init(error flow: ProbeFlow, tag: UInt16, quoting first: ProbePacket) {
    let ipProtocol = flow.source.family == .ipv4 ? IPProtocol.icmp : .icmpv6
    var body: [UInt8] = flow.source.family == .ipv4 ? [3, 3] : [1, 4]
    body += [0, 0, 0, 0, 0, 0] + first.bytes
    ProbePacket.setChecksum(&body, ipProtocol, from: flow.destination, to: flow.source)
    self.init(ipProtocol, flow.destination, flow.source, tag: tag, body: body)
  }

  /// A packet of a protocol for experiments (RFC 3692).
  init(experiment source: IPAddress, _ destination: IPAddress, tag: UInt16) {
    self.init(IPProtocol(rawValue: 253), source, destination, tag: tag, body: [])
  }

  /// The packet without what forwarding changes: its time to live and the checksum over that.
  static func identity(_ bytes: some Collection<UInt8>) -> [UInt8] {
    var bytes = Array(bytes)
    if bytes.count >= 20, bytes[0] >> 4 == 4 {
      bytes[8] = 0
      bytes.set(UInt16(0), at: 10)
    } else if bytes.count >= 40, bytes[0] >> 4 == 6 {
      bytes[7] = 0
    }
    return bytes
  }

  // MARK: - Behind the IP header

  /// The ICMP types that answer another.
  private static let answers: [UInt8: UInt8] = [8: 0, 13: 14, 15: 16, 17: 18, 128: 129, 139: 140]

  private static func body(
    _ flow: ProbeFlow, _ transport: ProbeFlow.Transport, from source: IPAddress, to destination: IPAddress, id: UInt16,
    isReply: Bool
  ) -> [UInt8] {
    var body: [UInt8] = []
    switch transport {
    case .empty:
      return []
    case .other:
      return flow.ipProtocol == .gre ? [0, 0, 8, 0] : [0, 53, 1, 187, 0, 0, 0, 0]
    case .icmp(let type, let code):
      body += [type, code, 0, 0]
      body.append(bigEndian: id)
      body += [0, 1, 0, 0, 0, 0, 0, 0]
    case .ports(let sourcePort, let destinationPort):
      body.append(bigEndian: sourcePort)
      body.append(bigEndian: destinationPort)
      switch flow.ipProtocol {
      case .tcp: appendTCP(to: &body, isReply || flow.opening == .synack ? .synack : flow.opening)
      case .udp: body += [0, 12, 0, 0, 0, 0, 0, 0]
      case .sctp: appendSCTP(to: &body, isReply: isReply)
      default: break
      }
    }
    setChecksum(&body, flow.ipProtocol, from: source, to: destination)
    return body
  }

  private static func appendTCP(to body: inout [UInt8], _ kind: ProbeFlow.Opening) {
    let flags: UInt8 =
      switch kind {
      case .syn: 0x02
      case .synack: 0x12
      case .ack: 0x10
      }
    body.append(bigEndian: 1000, as: UInt32.self)
    body.append(bigEndian: kind == .syn ? 0 : 1001, as: UInt32.self)
    body += [5 << 4, flags, 0xFA, 0xF0, 0, 0, 0, 0]
  }

  /// An INIT, or INIT ACK, with the verification tag that the flow's INIT asked for.
  private static func appendSCTP(to body: inout [UInt8], isReply: Bool) {
    let initiateTag: UInt32 = 7
    body.append(bigEndian: isReply ? initiateTag : 0)
    body.append(bigEndian: 0, as: UInt32.self)  // CRC, later
    body += [isReply ? 2 : 1, 0, 0, 20]
    body.append(bigEndian: initiateTag)
    body += [0, 1, 0, 0, 0, 1, 0, 1]
    body.append(bigEndian: 9, as: UInt32.self)
  }

  /// Connection tracking calls a packet with a wrong checksum invalid.
  private static func setChecksum(
    _ body: inout [UInt8], _ ipProtocol: IPProtocol, from source: IPAddress, to destination: IPAddress
  ) {
    var pseudo = source.bytes + destination.bytes
    pseudo.append(bigEndian: UInt32(body.count))
    pseudo.append(bigEndian: UInt32(ipProtocol.rawValue))
    switch ipProtocol {
    case .tcp: body.set(internetChecksum(pseudo + body), at: 16)
    case .udp:
      let sum = internetChecksum(pseudo + body)
      body.set(sum == 0 ? 0xFFFF : sum, at: 6)  // 0 would say that there is none
    case .icmp: body.set(internetChecksum(body), at: 2)
    case .icmpv6: body.set(internetChecksum(pseudo + body), at: 2)
    case .sctp: body.set(crc32c(body).byteSwapped, at: 8)
    default: break
    }
  }
}

/// RFC 1071, over an even or odd number of bytes.
func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
  var sum: UInt32 = 0
  for at in stride(from: 0, to: bytes.count, by: 2) {
    sum += UInt32(bytes[at]) << 8 | (at + 1 < bytes.count ? UInt32(bytes[at + 1]) : 0)
  }
  while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
  return ~UInt16(sum)
}

/// RFC 9260, appendix A.
func crc32c(_ bytes: [UInt8]) -> UInt32 {
  var crc = UInt32.max
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
  }
  return ~crc
}

extension IPAddress {
  /// The 4 or 16 bytes of the wire.
  var bytes: [UInt8] {
    (0..<family.width / 8).reversed().map { UInt8(truncatingIfNeeded: value >> UInt128(8 * $0)) }
  }
}

extension [UInt8] {
  mutating func append<T: FixedWidthInteger>(bigEndian number: T, as type: T.Type = T.self) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }

  mutating func set<T: FixedWidthInteger>(_ number: T, at offset: Int) {
    Swift.withUnsafeBytes(of: number.bigEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
  }
}
