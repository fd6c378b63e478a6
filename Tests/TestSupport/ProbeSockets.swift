import CLinux
import Glibc
import PacketSpace

/// An open socket of the namespace in which it was made.
struct Socket: ~Copyable {
  let file: Int32

  init(_ domain: Int32, _ type: __socket_type, _ ipProtocol: Int32) throws {
    file = socket(domain, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), ipProtocol)
    if file < 0 { throw Shell.Failure(description: "socket: \(Shell.errorText(errno))") }
  }

  deinit { close(file) }

  borrowing func set(_ level: Int32, _ option: Int32, _ value: Int32) throws {
    var value = value
    guard setsockopt(file, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw Shell.Failure(description: "setsockopt \(option): \(Shell.errorText(errno))")
    }
  }

  /// Room for packets that nobody has read yet, beyond the limit for users.
  borrowing func makeRoom() throws { try set(SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20) }

  /// Calls `body` with each message that is there already.
  borrowing func drain(into buffer: inout [UInt8], _ body: (ArraySlice<UInt8>) throws -> Void) throws {
    while true {
      let count = recv(file, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count >= 0 {
        try body(buffer[..<count])
      } else if errno == EAGAIN {
        return
      } else if errno != EINTR {
        throw Shell.Failure(description: "recv: \(Shell.errorText(errno))")
      }
    }
  }

  /// Whether there is something to read before the time is over.
  borrowing func wait(milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
  }
}

/// Packets on the links of a namespace, without their link header.
struct LinkSocket: ~Copyable {
  let socket: Socket

  init() throws {
    let socket = try Socket(AF_PACKET, SOCK_DGRAM, Int32(UInt16(ETH_P_ALL).bigEndian))
    try socket.makeRoom()
    try socket.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    self.socket = socket
  }

  /// Puts a packet on the link of this number, addressed to the other end.
  borrowing func send(_ packet: ProbePacket, link: UInt32, to hardware: [UInt8]) throws {
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_protocol = UInt16(packet.family == .ipv4 ? ETH_P_IP : ETH_P_IPV6).bigEndian
    address.sll_ifindex = Int32(link)
    address.sll_halen = UInt8(hardware.count)
    withUnsafeMutableBytes(of: &address.sll_addr) { $0.copyBytes(from: hardware) }
    let sent = sendTo(socket, packet.bytes, &address)
    guard sent == packet.bytes.count else { throw Shell.Failure(description: "send: \(Shell.errorText(errno))") }
  }
}

/// Packets that a machine sends itself, whole from the IP header.
struct OwnSocket: ~Copyable {
  private let v4: Socket
  private let v6: Socket
  /// What tells them from the kernel's own answers.
  static let mark: Int32 = 0x0C0D

  init() throws {
    let v4 = try Socket(AF_INET, SOCK_RAW, Int32(IPPROTO_RAW))
    let v6 = try Socket(AF_INET6, SOCK_RAW, Int32(IPPROTO_RAW))
    try v4.set(SOL_SOCKET, SO_MARK, OwnSocket.mark)
    try v6.set(SOL_SOCKET, SO_MARK, OwnSocket.mark)
    self.v4 = v4
    self.v6 = v6
  }

  /// Sends a packet; that the output hook dropped it (EPERM) or there is no route is no error.
  borrowing func send(_ packet: ProbePacket) {
    switch packet.family {
    case .ipv4:
      var address = sockaddr_in()
      address.sin_family = UInt16(AF_INET)
      withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: packet.bytes[16..<20]) }
      _ = sendTo(v4, packet.bytes, &address)
    case .ipv6:
      var address = sockaddr_in6()
      address.sin6_family = UInt16(AF_INET6)
      withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: packet.bytes[24..<40]) }
      _ = sendTo(v6, packet.bytes, &address)
    }
  }
}

private func sendTo<Address>(_ socket: borrowing Socket, _ bytes: [UInt8], _ address: inout Address) -> Int {
  let file = socket.file
  return withUnsafeBytes(of: &address) {
    sendto(file, bytes, bytes.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
  }
}

/// What rules with `log group N` in a namespace see (NFNETLINK_LOG).
struct LogSocket: ~Copyable {
  let socket: Socket

  init(group: UInt16) throws {
    let socket = try Socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)
    try socket.makeRoom()
    try LogSocket.configure(socket, group, 1, [1])  // NFULA_CFG_CMD: bind
    try LogSocket.configure(socket, group, 2, [0, 0, 0xFF, 0xFF, 2, 0])  // NFULA_CFG_MODE: copy packets whole
    try LogSocket.configure(socket, group, 5, [0, 0, 0, 1])  // NFULA_CFG_QTHRESH: a message a packet, at once
    self.socket = socket
  }

  private static func configure(_ socket: borrowing Socket, _ group: UInt16, _ type: UInt16, _ value: [UInt8]) throws {
    var body: [UInt8] = [0, 0]  // nfgenmsg: no family, version 0, and the group
    body.append(bigEndian: group)
    appendNative(UInt16(4 + value.count), to: &body)
    appendNative(type, to: &body)
    body += value
    while body.count % 4 != 0 { body.append(0) }
    var message: [UInt8] = []
    appendNative(UInt32(16 + body.count), to: &message)
    appendNative(UInt16(4 << 8 | 1), to: &message)  // NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG
    appendNative(UInt16(1 | 4), to: &message)  // NLM_F_REQUEST, NLM_F_ACK
    message += [0, 0, 0, 0, 0, 0, 0, 0] + body
    var answer = [UInt8](repeating: 0, count: 4096)
    guard Glibc.send(socket.file, message, message.count, 0) == message.count, recv(socket.file, &answer, answer.count, 0) >= 20
    else { throw Shell.Failure(description: "nflog: \(Shell.errorText(errno))") }
    let error = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
    guard error == 0 else { throw Shell.Failure(description: "nflog: \(Shell.errorText(-error))") }
  }

  private static func appendNative<T: FixedWidthInteger>(_ number: T, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number) { bytes += $0 }
  }

  /// The rule's prefix and the packet, of each message in a datagram.
  static func entries(_ datagram: ArraySlice<UInt8>) -> [(prefix: String, packet: ArraySlice<UInt8>)] {
    func number<T: FixedWidthInteger>(at offset: Int, as type: T.Type) -> T {
      datagram.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
    var entries: [(String, ArraySlice<UInt8>)] = []
    var message = 0
    while message + 20 <= datagram.count {
      let end = min(message + max(20, Int(number(at: message, as: UInt32.self))), datagram.count)
      var prefix = ""
      var packet: ArraySlice<UInt8> = []
      var at = message + 20
      while at + 4 <= end {
        let length = max(4, Int(number(at: at, as: UInt16.self)))
        let value = datagram[datagram.startIndex + at + 4..<datagram.startIndex + min(at + length, end)]
        switch number(at: at + 2, as: UInt16.self) {
        case 9: packet = value  // NFULA_PAYLOAD
        case 10: prefix = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)  // NFULA_PREFIX
        default: break
        }
        at += (length + 3) & ~3
      }
      entries.append((prefix, packet))
      message = (end + 3) & ~3
    }
    return entries
  }
}
