import CLinux
import Glibc
public import Nftables
public import PacketSpace

/// The addresses of the machine itself, to tell which way a packet goes through it.
///
/// They are taken from the kernel's routes, since it is these that decide whether a packet is the machine's own: they also hold
/// what no interface has (`ip route add local …`), broadcast addresses, and addresses that belong to a link alone.
/// Whatever stands in the table `local` counts, and of other tables single addresses: a VRF's own are there, and `local` prefixes
/// in other tables are those of a transparent proxy, which take in what isn't the machine's.
public struct OwnAddresses: Sendable {
  public private(set) var own: AddressSet
  /// Those that many machines listen to: broadcast, multicast and anycast.
  private var shared: AddressSet

  public init(own: AddressSet, shared: AddressSet = AddressSet()) {
    self.own = own
    self.shared = shared
    self.shared.v4 = self.shared.v4.union(IntervalSet([Interval(0xE000_0000, 0xEFFF_FFFF), Interval(0xFFFF_FFFF)]))
    self.shared.v6 = self.shared.v6.union(IntervalSet([Interval(UInt128(0xFF) << 120, UInt128.max)]))
  }

  /// Those of the network namespace of the calling thread.
  public init() throws(KernelError) {
    let routes = try RouteSocket()
    var own: [AddressRange] = []
    var shared: [AddressRange] = []
    for family in IPFamily.allCases {
      try routes.list(family, .local) { own.append($0) }
      for type in [RouteSocket.RouteType.broadcast, .anycast] { try routes.list(family, type) { shared.append($0) } }
    }
    self.init(own: AddressSet(own), shared: AddressSet(shared))
  }

  /// The hook that decides about a packet; nil for one from the machine to itself, which comes by input and output, or from
  /// somebody who has no address yet.
  public func hook(of packet: Packet) -> Hook? {
    if packet.source.value == 0 { return nil }
    if own.contains(packet.source) { return own.contains(packet.destination) ? nil : .output }
    return own.contains(packet.destination) || shared.contains(packet.destination) ? .input : .forward
  }
}

/// A socket to the kernel's routes.
private struct RouteSocket: ~Copyable {
  /// Source: linux/rtnetlink.h (RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST).
  enum RouteType: UInt8 {
    case local = 2
    case broadcast = 3
    case anycast = 4
  }

  private static let operation = "read the machine's own addresses"
  private static let localTable: UInt8 = 255
  private let file: Int32

  init() throws(KernelError) {
    file = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
    if file < 0 { throw KernelError(RouteSocket.operation, errno: errno) }
    // the kernel then gives routes of the type alone; one that can't gives all, which is as good
    var one: Int32 = 1
    _ = setsockopt(file, 270, 12, &one, socklen_t(MemoryLayout<Int32>.size))  // SOL_NETLINK, NETLINK_GET_STRICT_CHK
  }

  deinit { close(file) }

  /// Calls `body` with the destinations of all routes of a type that say what is the machine's own.
  borrowing func list(_ family: IPFamily, _ type: RouteType, _ body: (AddressRange) -> Void) throws(KernelError) {
    let kernelFamily = UInt8(family == .ipv4 ? AF_INET : AF_INET6)
    var request: [UInt8] = []
    func append<T: FixedWidthInteger>(_ number: T) { withUnsafeBytes(of: number) { request += $0 } }
    append(UInt32(28))
    append(UInt16(26))  // RTM_GETROUTE
    append(UInt16(0x301))  // NLM_F_REQUEST, NLM_F_DUMP
    append(UInt32(1))  // sequence number
    append(UInt32(0))  // port: the socket's own
    request += [kernelFamily, 0, 0, 0, 0, 0, 0, type.rawValue, 0, 0, 0, 0]  // rtmsg
    guard send(file, request, request.count, 0) == request.count else {
      throw KernelError(RouteSocket.operation, errno: errno)
    }
    var answer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(file, &answer, answer.count, 0)
      guard count > 0 else { throw KernelError(RouteSocket.operation, errno: count < 0 ? errno : EPROTO) }
      if let end = answer[..<count].withUnsafeBytes({ RouteSocket.read($0, family, kernelFamily, type, body) }) {
        if end != 0 { throw KernelError(RouteSocket.operation, errno: end) }
        return
      }
    }
  }

  /// Reads the messages of a datagram.
  ///
  /// - Returns: nil where there are more to come, else 0 or the error's number.
  private static func read(
    _ bytes: UnsafeRawBufferPointer, _ family: IPFamily, _ kernelFamily: UInt8, _ type: RouteType,
    _ body: (AddressRange) -> Void
  ) -> Int32? {
    var message = 0
    while message + 16 <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: message, as: UInt32.self))
      guard length >= 16, message + length <= bytes.count else { break }
      switch bytes.loadUnaligned(fromByteOffset: message + 4, as: UInt16.self) {
      case 3: return 0  // NLMSG_DONE
      case 2:  // NLMSG_ERROR
        return -bytes.loadUnaligned(fromByteOffset: message + 16, as: Int32.self)
      case 24 where length >= 28:  // RTM_NEWROUTE
        let prefix = Int(bytes[message + 17])
        guard bytes[message + 16] == kernelFamily, bytes[message + 23] == type.rawValue,
          bytes[message + 20] == localTable || prefix == family.width
        else { break }
        if let address = destination(bytes[(message + 28)..<(message + length)], family) {
          body(AddressRange(prefix: address, length: min(prefix, family.width)))
        }
      default: break
      }
      message += (length + 3) & ~3
    }
    return nil
  }

  /// The destination among a route's attributes; nil for a route of everything.
  private static func destination(_ attributes: Slice<UnsafeRawBufferPointer>, _ family: IPFamily) -> IPAddress? {
    let bytes = UnsafeRawBufferPointer(rebasing: attributes)
    var at = 0
    while at + 4 <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
      guard length >= 4, at + length <= bytes.count else { return nil }
      if bytes.loadUnaligned(fromByteOffset: at + 2, as: UInt16.self) == 1, length == 4 + family.width / 8 {  // RTA_DST
        return IPAddress(family, bytes[at + 4..<at + length].reduce(0) { $0 << 8 | UInt128($1) })
      }
      at += (length + 3) & ~3
    }
    return nil
  }
}
