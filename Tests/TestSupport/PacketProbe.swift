import CLinux
import Glibc
import NftablesKernel
public import PacketSpace

/// Asks a real kernel what a ruleset does with packets, in namespaces of its own.
///
/// In gateway mode, the default, packets come in by one link and are looked for on the others. A host has addresses: a packet for
/// one of them must get behind the input hook, and one from there must leave; what concerns none of them is forwarded.
///
/// All flows of a probe share the kernel's connection tracking, those of one call to `verdicts` too: two flows between the same
/// ends and ports are one connection, and a flow that is the answer to another is established.
public struct PacketProbe: ~Copyable {
  private let namespaces: TestNamespace
  private let addresses: Set<IPAddress>
  private let links: LinkSocket
  private let own: OwnSocket
  private let log: LogSocket
  /// The far ends' numbers, in the order of `TestNamespace.links`.
  private let linkNumbers: [UInt32]
  private var lastTag: UInt16

  private static let logGroup: UInt16 = 64_001
  /// Who sends what only the probe's own table sees.
  private static let fence = IPAddress("198.18.255.8")!

  /// Makes the namespaces, with no ruleset.
  ///
  /// - Parameters:
  ///   - addresses: those of the machine itself; none for a gateway.
  ///   - links: what flows name behind `on` and `back`; `left` and `right` are always there.
  public static func start(addresses: [IPAddress] = [], links: [String] = []) throws -> PacketProbe {
    var probe = try PacketProbe(addresses, links)
    try probe.load(Array(watch.utf8))
    try probe.settle()
    return probe
  }

  private init(_ addresses: [IPAddress], _ names: [String]) throws {
    let namespaces = try TestNamespace(
      links: names, addresses: addresses.map { "\($0)/\($0.family.width)" + ($0.family == .ipv6 ? " nodad" : "") })
    let names = namespaces.links
    let linkNumbers = namespaces.far.run { names.map { if_nametoindex($0) } }
    let links = try namespaces.far.run { try LinkSocket() }
    let own = try namespaces.gateway.run { try OwnSocket() }
    let log = try namespaces.gateway.run { try LogSocket(group: PacketProbe.logGroup) }
    self.namespaces = namespaces
    self.addresses = Set(addresses)
    self.links = links
    self.own = own
    self.log = log
    self.linkNumbers = linkNumbers
    lastTag = 0
  }

  /// Loads a ruleset, `nft -f`, beside those that are loaded.
  public borrowing func load(_ ruleset: [UInt8]) throws {
    try namespaces.gateway.run {
      var kernel = try Kernel()
      try kernel.apply(ruleset)
    }
  }

  /// Calls `body` in the ruleset's namespace, where commands may look at it and change it.
  public borrowing func inside<T>(_ body: () throws -> T) throws -> T {
    try namespaces.gateway.run(body)
  }

  /// What a fresh kernel with this ruleset does with the flows, in their order.
  public static func verdicts(
    of flows: [ProbeFlow], under ruleset: [UInt8], addresses: [IPAddress] = []
  ) throws -> [ProbeVerdict] {
    let named = Set(flows.flatMap { [$0.link, $0.backLink] })
    var probe = try start(addresses: addresses, links: named.sorted())
    try probe.load(ruleset)
    return try probe.verdicts(of: flows)
  }

  /// Sends all flows' first packets, then the replies and errors, and says what became of the packets in question.
  public mutating func verdicts(of flows: [ProbeFlow]) throws -> [ProbeVerdict] {
    var verdicts: [ProbeVerdict] = []
    for start in stride(from: 0, to: flows.count, by: 10_000) {  // there are 65,536 tags
      verdicts += try judge(flows[start..<min(start + 10_000, flows.count)])
    }
    return verdicts
  }

  // MARK: - Sending and looking

  /// A packet to send, and from where.
  private struct Shot {
    var packet: ProbePacket
    /// nil where the machine itself sends it.
    var link: String?
  }

  /// What was seen of packets, by their identity.
  private struct Seen {
    /// Before the first rule of a hook.
    var entered: Set<[UInt8]> = []
    /// Behind the last rule of the input hook.
    var exited: Set<[UInt8]> = []
    /// On the far end of a link.
    var arrived: Set<[UInt8]> = []

    func verdict(_ packet: ProbePacket) -> ProbeVerdict {
      let identity = ProbePacket.identity(packet.bytes)
      if arrived.contains(identity) || exited.contains(identity) { return .pass }
      return entered.contains(identity) ? .drop : .lost
    }
  }

  private mutating func judge(_ flows: ArraySlice<ProbeFlow>) throws -> [ProbeVerdict] {
    var first: [Shot] = []
    var second: [Shot] = []
    var judged: [ProbePacket] = []
    for flow in flows {
      let tag = nextTag()
      let opening = ProbePacket(first: flow, tag: tag)
      first.append(Shot(packet: opening, link: addresses.contains(flow.source) ? nil : flow.link))
      let answer: ProbePacket? =
        switch flow.judged {
        case .first: nil
        case .reply: ProbePacket(reply: flow, tag: nextTag(), firstTag: tag)
        case .error: ProbePacket(error: flow, tag: nextTag(), quoting: opening)
        }
      if let answer { second.append(Shot(packet: answer, link: addresses.contains(flow.destination) ? nil : flow.backLink)) }
      judged.append(answer ?? opening)
    }
    var seen = Seen()
    try fire(first, &seen)
    try fire(second, &seen)
    return judged.map { seen.verdict($0) }
  }

  /// Sends packets and waits until the kernel is done with them.
  ///
  /// That can be known: all is sent from one CPU, whose queue of received packets is first in, first out. When the packet behind
  /// the last one reaches the first hook, those before are through all hooks, or on the queue again for the far end; and
  /// when the next such packet does, they have arrived there.
  private mutating func fire(_ shots: [Shot], _ seen: inout Seen) throws {
    try onOneCPU {
      for start in stride(from: 0, to: shots.count, by: 64) {
        for shot in shots[start..<min(start + 64, shots.count)] {
          if let link = shot.link { try send(shot.packet, on: link) } else { own.send(shot.packet) }
        }
        for _ in 0..<2 { try passFence(&seen) }
      }
    }
  }

  private mutating func passFence(_ seen: inout Seen) throws {
    let fence = ProbePacket(experiment: PacketProbe.fence, IPAddress("198.18.255.9")!, tag: nextTag())
    try send(fence, on: ProbeFlow.left)
    let identity = ProbePacket.identity(fence.bytes)
    let deadline = ContinuousClock.now + .seconds(20)
    while true {
      try look(&seen)
      if seen.entered.remove(identity) != nil { return }
      guard ContinuousClock.now < deadline else {
        throw Shell.Failure(description: "packet probe: a packet got lost on its link")
      }
      _ = log.socket.wait(milliseconds: 100)
    }
  }

  private borrowing func send(_ packet: ProbePacket, on link: String) throws {
    guard let index = namespaces.links.firstIndex(of: link) else {
      throw Shell.Failure(description: "packet probe: there is no link \(link)")
    }
    try links.send(packet, link: linkNumbers[index], to: TestNamespace.address(ofLink: index))
  }

  /// Takes note of all that has been logged and has arrived.
  private borrowing func look(_ seen: inout Seen) throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    try log.socket.drain(into: &buffer) { datagram in
      for (prefix, packet) in LogSocket.entries(datagram) {
        let identity = ProbePacket.identity(packet)
        if prefix == "exit" { seen.exited.insert(identity) } else { seen.entered.insert(identity) }
      }
    }
    try links.socket.drain(into: &buffer) { seen.arrived.insert(ProbePacket.identity($0)) }
  }

  private mutating func nextTag() -> UInt16 {
    lastTag = lastTag == .max ? 1 : lastTag + 1  // the kernel replaces an IPv4 identification of 0
    return lastTag
  }

  /// Waits until both families are forwarded and the machine knows its own addresses: the kernel takes a moment for both.
  private mutating func settle() throws {
    let deadline = ContinuousClock.now + .seconds(20)
    let ends = [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")].map { (IPAddress($0)!, IPAddress($1)!) }
    let own = addresses.sorted().map { ($0.family == .ipv4 ? ends[0].0 : ends[1].0, $0) }
    while true {
      var seen = Seen()
      var isSettled = true
      for link in [ProbeFlow.left, ProbeFlow.right] {
        let packets = (ends + own).map { ProbePacket(experiment: $0, $1, tag: nextTag()) }
        try fire(packets.map { Shot(packet: $0, link: link) }, &seen)
        // one for the machine itself could also have been forwarded, so it must have come behind the input hook
        for (index, packet) in packets.enumerated() {
          let identity = ProbePacket.identity(packet.bytes)
          isSettled = isSettled && (index < ends.count ? seen.arrived : seen.exited).contains(identity)
        }
      }
      if isSettled { return }
      guard ContinuousClock.now < deadline else { throw Shell.Failure(description: "packet probe: the kernel doesn't forward") }
      usleep(1_000)
    }
  }

  /// The probe's own table: it says what reached a hook before any other rule, and what is left of it behind all others.
  ///
  /// A host's own answers, such as a TCP reset where nobody listens, are silenced: they would end the connection that the
  /// probe's reply belongs to.
  private static let watch = """
    table inet cordon-probe {
      chain fence {
        type filter hook prerouting priority -2147483000; policy accept
        ip saddr \(fence) log prefix "fence" group \(logGroup) drop
      }
      chain forward {
        type filter hook forward priority -2147483000; policy accept
        log prefix "enter" group \(logGroup)
      }
      chain input {
        type filter hook input priority -2147483000; policy accept
        log prefix "enter" group \(logGroup)
      }
      chain output {
        type filter hook output priority -2147483000; policy accept
        meta mark \(OwnSocket.mark) log prefix "enter" group \(logGroup) accept
        meta l4proto { tcp, icmp } drop
        icmpv6 type { destination-unreachable, echo-reply } drop
      }
      chain behind-input {
        type filter hook input priority 2147483000; policy accept
        log prefix "exit" group \(logGroup)
      }
    }

    """
}

/// Calls `body` with the calling thread bound to the CPU it runs on.
private func onOneCPU(_ body: () throws -> Void) throws {
  var before = [UInt64](repeating: 0, count: 16)
  let size = before.count * MemoryLayout<UInt64>.size
  let cpu = Int(sched_getcpu())
  guard cpu >= 0, cpu < size * 8, sched_getaffinity(0, size, &before) >= 0 else {
    throw Shell.Failure(description: "sched_getaffinity: \(Shell.errorText(errno))")
  }
  var one = [UInt64](repeating: 0, count: before.count)
  one[cpu / 64] = 1 << UInt64(cpu % 64)
  guard sched_setaffinity(0, size, one) == 0 else {
    throw Shell.Failure(description: "sched_setaffinity: \(Shell.errorText(errno))")
  }
  defer { _ = sched_setaffinity(0, size, before) }
  try body()
}
