import Glibc
import Nftables
import NftablesKernel
import PacketSpace
import TestSupport
import Testing

/// What is made of an entry of connection tracking.
@Suite("tracked flows") struct TrackedFlowTests {
  private static func address(_ text: String) -> IPAddress { IPAddress(text)! }

  @Test("a first packet is seen behind the translation of its destination, before that of its source") func translated() {
    // client 192.0.2.9 to the public 203.0.113.1:2222, which is 10.0.0.2:22 inside, and sees the gateway's 10.0.0.254:5555
    let flow = TrackedFlow(
      .tcp,
      original: .init(Self.address("192.0.2.9"), Self.address("203.0.113.1"), sourcePort: 40_000, destinationPort: 2222),
      reply: .init(Self.address("10.0.0.2"), Self.address("10.0.0.254"), sourcePort: 22, destinationPort: 5555))
    #expect("\(flow.firstPacket)" == "tcp 192.0.2.9:40000 -> 10.0.0.2:22")
    #expect(flow.firstPacket.state == .new)
  }

  @Test("an ICMP flow has a type and a code, and what has no ports is said without") func others() {
    let ends = TrackedFlow.Tuple(Self.address("fd00::1"), Self.address("fd00::2"))
    let back = TrackedFlow.Tuple(Self.address("fd00::2"), Self.address("fd00::1"))
    let ping = TrackedFlow(.icmpv6, original: ends, reply: back, icmpType: 128, icmpCode: 3)
    #expect("\(ping.firstPacket)" == "icmpv6 fd00::1 -> fd00::2 type 128 code 3")
    var gre = TrackedFlow(.gre, original: ends, reply: back)
    (gre.original.sourcePort, gre.reply.sourcePort) = (5, 6)
    #expect("\(gre.firstPacket)" == "gre fd00::1 -> fd00::2")
  }

  @Test("the way of a packet is told by which of its ends are the machine's") func ways() {
    let machine = OwnAddresses(
      own: AddressSet(["10.0.0.1", "fe80::1", "127.0.0.1"].map { AddressRange(Self.address($0)) }),
      shared: AddressSet([AddressRange(Self.address("10.0.0.255"))]))
    for (from, to, hook) in [
      ("10.0.0.7", "10.0.1.7", Hook.forward), ("10.0.0.7", "10.0.0.1", .input), ("10.0.0.1", "10.0.0.7", .output),
      ("10.0.0.1", "10.0.0.1", nil), ("127.0.0.1", "10.0.0.1", nil), ("10.0.0.7", "10.0.0.255", .input),
      ("10.0.0.7", "224.0.0.5", .input), ("10.0.0.1", "239.255.255.250", .output), ("10.0.0.7", "255.255.255.255", .input),
      ("fe80::9", "fe80::1", .input), ("fe80::1", "ff02::fb", .output), ("fe80::9", "ff02::fb", .input),
      ("2001:db8::1", "2001:db8::2", .forward), ("0.0.0.0", "255.255.255.255", nil),
    ] {
      let packet = Packet(
        source: Self.address(from), destination: Self.address(to), ipProtocol: .udp,
        transport: .ports(source: 1, destination: 2), state: .new)
      #expect(machine.hook(of: packet) == hook, "\(from) \(to)")
    }
  }
}

/// Connection tracking of real kernels.
@Suite("conntrack", .requireNamespaces, .requireNft) struct ConntrackTests {
  /// All that is held, as the forward hook sees it, sorted.
  private static func held() throws -> [String] {
    var found: [String] = []
    var conntrack = try Conntrack()
    try conntrack.read { found.append("\($0.firstPacket)") }
    return found.sorted()
  }

  private static let tracking =
    "table inet t {\n chain c {\n type filter hook forward priority 0\n ct state new accept\n }\n}\n"

  @Test("flows of every protocol are read, of both families, as they began") func protocols() throws {
    var probe = try PacketProbe.start()
    try probe.load(Array(Self.tracking.utf8))
    let flows = try ProbeFlow.parse(
      """
      tcp 198.51.100.1 10.0.0.1 443
      tcp 2001:db8::1 fd00::1 1024 65535 reply
      tcp 198.51.100.2 10.0.0.1 443 ack
      udp 198.51.100.1 10.0.0.1 53 53
      udp 2001:db8::1 fd00::1 53 reply
      sctp 198.51.100.1 10.0.0.1 2905
      icmp 198.51.100.1 10.0.0.1 13
      icmp 198.51.100.1 10.0.0.2 8 1
      icmpv6 2001:db8::1 fd00::1
      gre 198.51.100.1 10.0.0.1
      esp 2001:db8::1 fd00::1
      89 198.51.100.1 10.0.0.1
      """)
    #expect(try probe.verdicts(of: flows).allSatisfy { $0 == .pass })
    let expected = flows.map { flow in
      var packet = flow.packet
      (packet.state, packet.inputInterface, packet.outputInterface) = (.new, "", "")
      return "\(packet)"
    }
    // the probe sends packets of its own, from and to addresses of its own
    let held = try probe.inside { try Self.held() }.filter { !$0.contains("192.0.2.") && !$0.contains("2001:db8::1 -> 2001:") }
    #expect(held == expected.sorted())
  }

  @Test("translated flows are read as the forward hook sees them") func translated() throws {
    var probe = try PacketProbe.start()
    try probe.load(
      Array(
        """
        table ip nat {
          chain pre {
            type nat hook prerouting priority dstnat
            ip daddr 203.0.113.1 tcp dport 2222 dnat to 10.0.0.2:22
            ip daddr 203.0.113.1 udp dport 53 dnat to 10.0.0.3
          }
          chain post {
            type nat hook postrouting priority srcnat
            ip daddr 10.0.0.2 tcp dport 22 snat to 10.0.0.254:5555
            ip saddr 10.0.0.9 snat to 203.0.113.9
          }
        }
        """.utf8))
    // what leaves is changed, so that the probe misses it
    _ = try probe.verdicts(
      of: try ProbeFlow.parse(
        """
        tcp 198.51.100.1 203.0.113.1 40000 2222
        udp 198.51.100.1 203.0.113.1 40000 53
        icmp 10.0.0.9 198.51.100.7 8
        """))
    let held = try probe.inside { try Self.held() }.filter { !$0.contains("192.0.2.") && !$0.contains("2001:") }
    #expect(
      held == [
        "icmp 10.0.0.9 -> 198.51.100.7 type 8 code 0", "tcp 198.51.100.1:40000 -> 10.0.0.2:22",
        "udp 198.51.100.1:40000 -> 10.0.0.3:53",
      ])
  }

  @Test("what is cut is gone and nothing else, in zones too") func cut() throws {
    var probe = try PacketProbe.start()
    try probe.load(Array(Self.tracking.utf8))
    try probe.load(
      Array(
        """
        table inet z {
          chain c {
            type filter hook prerouting priority raw
            tcp dport 7 ct zone set 7
            tcp dport 8 ct original zone set 8
          }
        }
        """.utf8))
    _ = try probe.verdicts(
      of: try ProbeFlow.parse(
        (1...9).flatMap { port in
          ["tcp 198.51.100.1 10.0.0.1 \(port)", "udp 2001:db8::1 fd00::1 \(port)", "gre 198.51.100.\(port) 10.0.0.1"]
        }.joined(separator: "\n")))
    try probe.inside {
      let before = try Self.held()
      func isOdd(_ text: String) -> Bool {
        text.contains("10.0.0.1") || text.contains("fd00::1") ? "13579".contains(text.last { $0.isNumber }!) : false
      }
      let odd = before.filter { $0.hasPrefix("gre") ? $0.contains("198.51.100.3 ") : isOdd($0) || $0.hasSuffix(":8") }
      #expect(odd.count == 5 + 5 + 2 + 1)
      var conntrack = try Conntrack()
      let cut = try conntrack.cut { odd.contains("\($0.firstPacket)") }
      #expect(cut.count == odd.count && cut.failures == 0 && cut.failure == nil)
      #expect(try Self.held() == before.filter { !odd.contains($0) })
      #expect(try conntrack.cut { odd.contains("\($0.firstPacket)") } == Conntrack.Cut())
      #expect(try conntrack.cut { _ in true }.count == before.count - odd.count)
      #expect(try Self.held() == [])
    }
  }

  @Test("a flow that a helper or a rule expected is known as such") func expected() throws {
    var probe = try PacketProbe.start()
    try probe.load(
      Array(
        """
        table inet e {
          ct expectation data {
            protocol tcp
            dport 9876
            timeout 1m
            size 12
            l3proto ip
          }
          chain c {
            type filter hook forward priority 0
            tcp dport 8888 ct expectation set "data"
          }
        }
        """.utf8))
    _ = try probe.verdicts(
      of: try ProbeFlow.parse("tcp 198.51.100.1 10.0.0.1 8888\ntcp 10.0.0.1 198.51.100.1 9876 on right back left"))
    try probe.inside {
      var expected: [String] = []
      var others: [String] = []
      var conntrack = try Conntrack()
      try conntrack.read { flow in
        if flow.isExpected { expected.append("\(flow.firstPacket)") } else { others.append("\(flow.firstPacket)") }
      }
      #expect(expected == ["tcp 10.0.0.1:40000 -> 198.51.100.1:9876"])
      #expect(others.contains("tcp 198.51.100.1:40000 -> 10.0.0.1:8888"))
    }
  }

  @Test("a newer flow with the same ends and ports is not hit") func renewed() throws {
    try inPrivateNamespace {
      #expect(try Shell.run(["ip", "link", "set", "lo", "up"]).status == 0)
      var kernel = try Kernel()
      try kernel.apply(Array(Self.tracking.replacing("hook forward", with: "hook output").utf8))
      let file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      defer { close(file) }
      func send(port: UInt16) {
        var address = sockaddr_in()
        (address.sin_family, address.sin_port, address.sin_addr.s_addr) = (
          UInt16(AF_INET), port.bigEndian, UInt32(0x7F00_0001).bigEndian
        )
        withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = sendto(file, "x", 1, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          }
        }
      }
      send(port: 9)
      let before = try Self.held().filter { $0.hasPrefix("udp") }
      #expect(before.count == 1)
      var isRenewed = false
      var conntrack = try Conntrack()
      let cut = try conntrack.cut { flow in
        guard flow.ipProtocol == .udp, !isRenewed else { return false }
        isRenewed = true
        // it ends and begins anew between the listing and the cut
        var other = try! Conntrack()
        #expect(try! other.cut { $0.ipProtocol == .udp }.count == 1)
        // an entry's number is made of its tuple and its place in memory, which others take first
        for port in 1001...1016 { send(port: UInt16(port)) }
        send(port: 9)
        return true
      }
      #expect(isRenewed && cut == Conntrack.Cut())
      #expect(try Self.held().filter { $0.hasSuffix(":9") } == before)
    }
  }

  @Test("the machine's own addresses are those that its routes deliver to it") func own() throws {
    try inPrivateNamespace {
      let script = """
        ip link set lo up
        ip link add link0 type veth peer name link1
        ip link set link0 up; ip link set link1 up
        ip addr add 10.0.0.1/24 dev link0
        ip -6 addr add fd00::1/64 dev link0 nodad
        ip -6 addr add fe80::77/64 dev link0 nodad
        ip route add local 192.0.2.0/28 dev lo
        # a VRF's own address, and a transparent proxy's catch-all
        ip route add local 10.7.0.1 dev link0 table 70
        ip route add local 0.0.0.0/0 dev lo table 100
        """
      let done = try Shell.run(["sh", "-ec", script])
      #expect(done.status == 0, "\(done.stderr)")
      let machine = try OwnAddresses()
      for (address, hook) in [
        ("10.0.0.1", Hook.input), ("10.0.0.255", .input), ("10.0.0.2", .forward), ("127.8.8.8", .input),
        ("192.0.2.15", .input), ("192.0.2.16", .forward), ("10.7.0.1", .input), ("10.7.0.2", .forward), ("fd00::1", .input),
        ("fd00::2", .forward), ("fe80::77", .input), ("::1", .input), ("2001:db8::1", .forward),
      ] {
        let destination = IPAddress(address)!
        let packet = Packet(
          source: IPAddress(destination.family == .ipv4 ? "198.51.100.1" : "2001:db8::9")!, destination: destination,
          ipProtocol: .udp, transport: .ports(source: 1, destination: 2), state: .new)
        #expect(machine.hook(of: packet) == hook, "\(address)")
      }
    }
  }
}
