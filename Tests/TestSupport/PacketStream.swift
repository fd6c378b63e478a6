import CLinux
import Glibc
import NftablesKernel
import PacketSpace
import Synchronization

/// A steady stream of first packets through a gateway, as fast as one thread sends, while its ruleset changes.
///
/// The packets bear what both rulesets make of them, and the kernel counts them before the first rule and behind the last one.
/// Connection tracking is off for them, so that each is judged by the rules.
public struct PacketStream: ~Copyable {
  /// What became of the packets of one stretch.
  public struct Count: Sendable {
    public var allowed = 0
    public var allowedButDropped = 0
    public var denied = 0
    public var deniedButPassed = 0

    public init() {}

    public static func += (a: inout Count, b: Count) {
      a.allowed += b.allowed
      a.allowedButDropped += b.allowedButDropped
      a.denied += b.denied
      a.deniedButPassed += b.deniedButPassed
    }
  }

  private let namespaces: TestNamespace
  /// It only sends: what arrives is counted by the kernel.
  private let socket: Socket
  private let link: UInt32
  private var before: [String: Int] = [:]

  private static let table = "packet-stream"

  /// Makes the namespaces, with no ruleset but the one that counts.
  public static func start() throws -> PacketStream {
    var stream = try PacketStream(try TestNamespace(links: [], addresses: []))
    try stream.inside {
      var kernel = try Kernel()
      try kernel.apply(Array(PacketStream.counting.utf8))
    }
    stream.before = try stream.counters()
    return stream
  }

  private init(_ namespaces: consuming TestNamespace) throws {
    let socket = try namespaces.far.run { try Socket(AF_PACKET, SOCK_DGRAM, 0) }
    link = namespaces.far.run { if_nametoindex(ProbeFlow.left) }
    self.socket = socket
    self.namespaces = namespaces
  }

  /// Calls `body` in the gateway's namespace.
  public borrowing func inside<T>(_ body: () throws -> T) throws -> T { try namespaces.gateway.run(body) }

  /// Sends these flows' first packets over and over while `body` runs, in the gateway's namespace, and counts.
  ///
  /// - Parameters:
  ///   - allowed: flows that the rulesets before and behind `body` both let through.
  ///   - denied: flows that both drop.
  public mutating func run(allowed: [ProbeFlow], denied: [ProbeFlow], _ body: () throws -> Void) throws -> Count {
    var packets: [[UInt8]] = []
    for (number, flow) in allowed.enumerated() {
      packets.append(PacketStream.mark(ProbePacket(first: flow, tag: UInt16(number + 1)), 1))
    }
    for (number, flow) in denied.enumerated() {
      packets.append(PacketStream.mark(ProbePacket(first: flow, tag: UInt16(number + 1)), 2))
    }
    let sender = Sender(packets.shuffled(), socket: socket.file, link: link)
    sender.start()
    defer { sender.stop() }
    try inside(body)
    sender.stop()
    // until all have come to the first rule, or those that haven't are lost on the link
    let sent = sender.sent
    var now = try counters()
    for _ in 0..<50 where now["allowed-in"]! + now["denied-in"]! - before["allowed-in"]! - before["denied-in"]! < sent {
      usleep(10_000)
      now = try counters()
    }
    usleep(1000)
    now = try counters()
    func grown(_ name: String) -> Int { now[name]! - before[name]! }
    var count = Count()
    count.allowed = grown("allowed-in")
    count.allowedButDropped = grown("allowed-in") - grown("allowed-out")
    count.denied = grown("denied-in")
    count.deniedButPassed = grown("denied-out")
    before = now
    return count
  }

  private borrowing func counters() throws -> [String: Int] {
    let listing = try inside {
      var kernel = try Kernel()
      return String(decoding: try kernel.list(table: PacketStream.table)!, as: UTF8.self)
    }
    var result: [String: Int] = [:]
    for name in ["allowed-in", "allowed-out", "denied-in", "denied-out"] {
      guard let object = listing.firstRange(of: "{\"counter\": {\"family\": \"inet\", \"name\": \"\(name)\""),
        let packets = listing[object.upperBound...].firstRange(of: "\"packets\": ")
      else { throw Shell.Failure(description: "no counter \(name) in \(listing)") }
      result[name] = Int(listing[packets.upperBound...].prefix { $0.isNumber })!
    }
    return result
  }

  /// The packet with a DSCP.
  private static func mark(_ packet: ProbePacket, _ dscp: UInt8) -> [UInt8] {
    var bytes = packet.bytes
    switch packet.family {
    case .ipv4:
      bytes[1] = dscp << 2
      bytes.set(UInt16(0), at: 10)
      bytes.set(internetChecksum(Array(bytes[..<20])), at: 10)
    case .ipv6:
      bytes[0] = 0x60 | dscp >> 2
      bytes[1] = dscp << 6 | bytes[1] & 0x0F
    }
    return bytes
  }

  private static let counting = """
    table inet \(table) {
      counter allowed-in { packets 0 bytes 0
      }
      counter allowed-out { packets 0 bytes 0
      }
      counter denied-in { packets 0 bytes 0
      }
      counter denied-out { packets 0 bytes 0
      }
      chain untracked {
        type filter hook prerouting priority raw; policy accept
        notrack
      }
      chain before {
        type filter hook forward priority -2147483000; policy accept
        ip dscp 1 counter name "allowed-in"
        ip6 dscp 1 counter name "allowed-in"
        ip dscp 2 counter name "denied-in"
        ip6 dscp 2 counter name "denied-in"
      }
      chain behind {
        type filter hook forward priority 2147483000; policy accept
        ip dscp 1 counter name "allowed-out"
        ip6 dscp 1 counter name "allowed-out"
        ip dscp 2 counter name "denied-out"
        ip6 dscp 2 counter name "denied-out"
      }
    }

    """
}

/// A thread that sends packets in turn until it is told to stop.
private final class Sender: Sendable {
  private let packets: [[UInt8]]
  private let socket: Int32
  private let link: UInt32
  private let isStopping = Atomic(false)
  private let count = Atomic(0)
  private let thread = Mutex<pthread_t?>(nil)

  init(_ packets: [[UInt8]], socket: Int32, link: UInt32) {
    self.packets = packets
    self.socket = socket
    self.link = link
  }

  /// How many packets the link took.
  var sent: Int { count.load(ordering: .sequentiallyConsistent) }

  func start() {
    if packets.isEmpty { return }
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Sender>.fromOpaque(argument!).takeRetainedValue().send()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(error == 0, "a thread can be had")
    self.thread.withLock { $0 = thread }
  }

  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    let thread = self.thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    if let thread { pthread_join(thread, nil) }
  }

  private func send() {
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_ifindex = Int32(link)
    address.sll_halen = 6
    withUnsafeMutableBytes(of: &address.sll_addr) { $0.copyBytes(from: TestNamespace.address(ofLink: 0)) }
    var sent = 0
    while !isStopping.load(ordering: .relaxed) {
      for packet in packets {
        address.sll_protocol = UInt16(packet[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6).bigEndian
        let result = withUnsafeBytes(of: &address) {
          sendto(
            socket, packet, packet.count, 0, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        if result == packet.count { sent += 1 }
      }
    }
    count.store(sent, ordering: .sequentiallyConsistent)
  }
}
