import PacketSpace
import TestSupport
import Testing

@Suite("packet probe", .requireNamespaces, .requireNft) struct PacketProbeTests {
  /// Every kind of packet that the probe can make, that connection tracking takes for the beginning of a flow.
  static let flows = """
    tcp 198.51.100.1 10.0.0.1 443
    tcp 2001:db8::1 fd00::1 65535 0
    tcp 198.51.100.2 10.0.0.1 443 ack
    tcp 198.51.100.3 10.0.0.1 443 reply
    tcp 2001:db8::3 fd00::1 443 reply
    udp 198.51.100.1 10.0.0.1 53 53
    udp 2001:db8::1 fd00::1 53
    udp 198.51.100.3 10.0.0.1 53 reply
    udp 2001:db8::3 fd00::1 53 reply
    udp 198.51.100.4 10.0.0.1 53 error
    udp 2001:db8::4 fd00::1 53 error
    sctp 198.51.100.1 10.0.0.1 2905
    sctp 2001:db8::1 fd00::1 2905
    sctp 198.51.100.3 10.0.0.1 2905 reply
    icmp 198.51.100.1 10.0.0.1
    icmp 198.51.100.1 10.0.0.1 13
    icmp 198.51.100.1 10.0.0.1 8 1
    icmp 198.51.100.3 10.0.0.1 reply
    icmpv6 2001:db8::1 fd00::1
    icmpv6 2001:db8::3 fd00::1 reply
    gre 198.51.100.1 10.0.0.1
    gre 2001:db8::1 fd00::1
    gre 198.51.100.2 10.0.0.1 empty
    gre 198.51.100.3 10.0.0.1 reply
    esp 198.51.100.1 10.0.0.1
    89 2001:db8::1 fd00::1
    89 198.51.100.2 10.0.0.1 empty
    112 198.51.100.1 10.0.0.1
    tcp 198.51.100.1 10.0.0.1 8443 on tap3
    """
  /// Those that it takes for invalid, or doesn't look at.
  static let strange = """
    tcp 198.51.100.1 10.0.0.2 443 synack
    tcp 2001:db8::1 fd00::2 443 synack
    tcp 198.51.100.1 10.0.0.2 empty
    udp 198.51.100.1 10.0.0.2 empty
    icmp 198.51.100.1 10.0.0.2 0
    icmp 198.51.100.1 10.0.0.2 empty
    icmpv6 2001:db8::1 fd00::2 129
    icmpv6 2001:db8::1 fd00::2 135
    """

  @Test(
    "what passes and what is dropped altogether",
    arguments: [
      ("", ProbeVerdict.pass),
      ("chain c {\n type filter hook forward priority 0; policy accept\n }", .pass),
      ("chain c {\n type filter hook forward priority 0; policy drop\n }", .drop),
      ("chain c {\n type filter hook input priority 0; policy drop\n }", .pass),
    ])
  func everything(chain: String, expected: ProbeVerdict) throws {
    let flows = try ProbeFlow.parse(Self.flows + "\n" + Self.strange)
    let verdicts = try PacketProbe.verdicts(of: flows, under: Array("table inet cordon {\n \(chain)\n}\n".utf8))
    for (flow, verdict) in zip(flows, verdicts) { #expect(verdict == expected, "\(flow)") }
  }

  @Test("connection tracking finds checksums right, replies established and errors related")
  func states() throws {
    func ruleset(_ states: String) -> [UInt8] {
      Array("table inet cordon {\n chain c {\n type filter hook forward priority 0\n ct state { \(states) } drop\n }\n}\n".utf8)
    }
    let flows = try ProbeFlow.parse(Self.flows)
    for (flow, verdict) in zip(flows, try PacketProbe.verdicts(of: flows, under: ruleset("invalid, untracked"))) {
      #expect(verdict == .pass, "\(flow)")
    }
    for (flow, verdict) in zip(flows, try PacketProbe.verdicts(of: flows, under: ruleset("established"))) {
      #expect(verdict == (flow.judged == .reply ? .drop : .pass), "\(flow)")
    }
    for (flow, verdict) in zip(flows, try PacketProbe.verdicts(of: flows, under: ruleset("related"))) {
      #expect(verdict == (flow.judged == .error ? .drop : .pass), "\(flow)")
    }
    for (flow, verdict) in zip(flows, try PacketProbe.verdicts(of: flows, under: ruleset("new"))) where flow.judged == .first {
      #expect(verdict == .drop, "\(flow)")
    }
    let strange = try ProbeFlow.parse(Self.strange)
    for (flow, verdict) in zip(strange, try PacketProbe.verdicts(of: strange, under: ruleset("new, established, related"))) {
      #expect(verdict == .pass, "\(flow)")
    }
  }

  @Test(
    "a rule for one kind of packet drops that kind and no other",
    arguments: [
      ("ip saddr 198.51.100.1 tcp dport 443", ["tcp 198.51.100.1 10.0.0.1 40000 443"]),
      ("tcp dport 0", ["tcp 2001:db8::1 fd00::1 65535 0"]),
      ("tcp flags == ack", ["tcp 198.51.100.2 10.0.0.1 40000 443 ack"]),
      (
        "tcp flags == syn | ack",
        ["tcp 198.51.100.3 10.0.0.1 40000 443 reply", "tcp 2001:db8::3 fd00::1 40000 443 reply"]
      ),
      ("udp sport 53 udp dport 53", ["udp 198.51.100.1 10.0.0.1 53 53"]),
      ("ip6 saddr 2001:db8::1 udp dport 53", ["udp 2001:db8::1 fd00::1 40000 53"]),
      ("ip daddr 198.51.100.3 udp sport 53", ["udp 198.51.100.3 10.0.0.1 40000 53 reply"]),
      ("icmp type destination-unreachable icmp code 3", ["udp 198.51.100.4 10.0.0.1 40000 53 error"]),
      ("icmpv6 type destination-unreachable icmpv6 code 4", ["udp 2001:db8::4 fd00::1 40000 53 error"]),
      ("ip6 daddr fd00::1 sctp dport 2905", ["sctp 2001:db8::1 fd00::1 40000 2905"]),
      ("icmp type timestamp-request", ["icmp 198.51.100.1 10.0.0.1 13"]),
      ("icmp type echo-request icmp code 1", ["icmp 198.51.100.1 10.0.0.1 8 1"]),
      ("icmp type echo-reply", ["icmp 198.51.100.3 10.0.0.1 8 reply"]),
      ("icmpv6 type echo-request ip6 saddr 2001:db8::1", ["icmpv6 2001:db8::1 fd00::1 128"]),
      ("icmpv6 type echo-reply", ["icmpv6 2001:db8::3 fd00::1 128 reply"]),
      ("ip saddr 198.51.100.1 meta l4proto gre", ["gre 198.51.100.1 10.0.0.1"]),
      ("meta l4proto gre ip length 20", ["gre 198.51.100.2 10.0.0.1 empty"]),
      ("meta l4proto 89 @th,0,8 >= 0", ["89 2001:db8::1 fd00::1"]),
      ("meta l4proto 112", ["112 198.51.100.1 10.0.0.1"]),
      ("iifname tap3", ["tcp 198.51.100.1 10.0.0.1 40000 8443 on tap3"]),
    ])
  func oneKind(match: String, expected: [String]) throws {
    let flows = try ProbeFlow.parse(Self.flows)
    let chain = "chain c {\n type filter hook forward priority 0\n \(match) drop\n }"
    // a first packet that is dropped is no reason for its reply to be
    let verdicts = try PacketProbe.verdicts(of: flows, under: Array("table inet cordon {\n \(chain)\n}\n".utf8))
    let dropped = zip(flows, verdicts).filter { $0.1 == .drop }.map { "\($0.0)" }
    #expect(dropped == expected)
    #expect(!verdicts.contains(.lost))
  }

  static let addresses = [IPAddress("10.5.0.1")!, IPAddress("10.5.0.2")!, IPAddress("fd00:5::1")!]
  static let hostFlows = """
    tcp 198.51.100.1 10.5.0.1 443
    tcp 198.51.100.2 10.5.0.1 443 reply
    tcp 2001:db8::2 fd00:5::1 443 reply
    udp 198.51.100.2 10.5.0.1 53 reply
    icmpv6 2001:db8::2 fd00:5::1 reply
    gre 198.51.100.1 10.5.0.1 empty
    tcp 10.5.0.1 198.51.100.3 443
    tcp 10.5.0.1 198.51.100.4 443 reply
    tcp fd00:5::1 2001:db8::4 443 reply
    udp 10.5.0.2 198.51.100.4 53 error
    icmp 10.5.0.2 198.51.100.4 reply
    89 fd00:5::1 2001:db8::5
    udp 10.5.0.2 10.5.0.1 5353
    tcp 198.51.100.5 10.0.0.1 443
    """

  @Test("a host's own packets, and the hooks they pass", arguments: ["input", "output", "forward"])
  func host(hook: String) throws {
    let flows = try ProbeFlow.parse(Self.hostFlows)
    let chain = "chain c {\n type filter hook \(hook) priority 0; policy drop\n }"
    let verdicts = try PacketProbe.verdicts(
      of: flows, under: Array("table inet cordon {\n \(chain)\n}\n".utf8), addresses: Self.addresses)
    for (flow, verdict) in zip(flows, verdicts) {
      let (from, to) = flow.judged == .first ? (flow.source, flow.destination) : (flow.destination, flow.source)
      let isDropped =
        switch hook {
        case "output": Self.addresses.contains(from)
        case "input": Self.addresses.contains(to)
        default: !Self.addresses.contains(from) && !Self.addresses.contains(to)
        }
      #expect(verdict == (isDropped ? .drop : .pass), "\(flow)")
    }
  }

  @Test("a host's connections are established by their replies, since nobody else answers")
  func hostStates() throws {
    let flows = try ProbeFlow.parse(Self.hostFlows).filter { $0.judged == .reply }
    let chains = ["input", "output"].map {
      "chain \($0) {\n type filter hook \($0) priority 0; policy drop\n ct state new, established accept\n }\n"
    }
    let verdicts = try PacketProbe.verdicts(
      of: flows, under: Array("table inet cordon {\n \(chains.joined())}\n".utf8), addresses: Self.addresses)
    for (flow, verdict) in zip(flows, verdicts) { #expect(verdict == .pass, "\(flow)") }
    #expect(flows.count > 4)
  }

  @Test("what no hook of a firewall sees is lost, not dropped")
  func lost() throws {
    let flows = try ProbeFlow.parse("udp 198.51.100.1 224.0.0.77 9\nudp 127.0.0.1 10.0.0.1 9\nudp 198.51.100.1 10.0.0.1 9")
    #expect(try PacketProbe.verdicts(of: flows, under: []) == [.lost, .lost, .pass])
  }

  @Test("a probe goes on after its ruleset was changed from inside, and the initial namespace knows of nothing")
  func inside() throws {
    func links() throws -> String { try Shell.run(["ip", "-o", "link"]).stdout }
    let before = try links()
    var probe = try PacketProbe.start()
    let flow = try ProbeFlow("tcp 198.51.100.1 10.0.0.1 443")
    #expect(try probe.verdicts(of: [flow]) == [.pass])
    try probe.load(Array("table inet cordon {\n chain c {\n type filter hook forward priority 0; policy drop\n }\n}\n".utf8))
    #expect(try probe.verdicts(of: [flow]) == [.drop])
    let deleted = try probe.inside { try Shell.run(["nft", "delete", "table", "inet", "cordon"]).status }
    #expect(deleted == 0)
    let linksInside = try probe.inside { try links() }
    #expect(linksInside.contains("left@"))
    #expect(try probe.verdicts(of: [flow]) == [.pass])
    #expect(try links() == before && !before.contains("left@"))
    #expect(throws: Shell.Failure.self) { try probe.verdicts(of: [ProbeFlow("tcp 198.51.100.1 10.0.0.1 443 on nowhere")]) }
  }

  @Test("many flows, many tags") func many() throws {
    let flows = try (0..<25_000).map { try ProbeFlow("udp 198.51.\($0 / 250).\($0 % 250) 10.0.0.\($0 % 2) 53") }
    let text = "table inet cordon {\n chain c {\n type filter hook forward priority 0\n ip daddr 10.0.0.1 drop\n }\n}\n"
    let verdicts = try PacketProbe.verdicts(of: flows, under: Array(text.utf8))
    #expect(verdicts == flows.indices.map { $0 % 2 == 0 ? .pass : .drop })
  }
}

@Suite("probe flows") struct ProbeFlowTests {
  @Test("a line reads as it is written")
  func lines() throws {
    for line in (PacketProbeTests.flows + "\n" + PacketProbeTests.strange).split(separator: "\n") {
      let flow = try ProbeFlow(line)
      #expect(try ProbeFlow("\(flow)") == flow, "\(line)")
    }
    #expect(
      try "\(ProbeFlow("47  10.0.0.1\t10.0.0.2 reply back x empty on y"))" == "gre 10.0.0.1 10.0.0.2 empty reply on y back x")
    #expect(try "\(ProbeFlow("tcp 10.0.0.1 10.0.0.2 9"))" == "tcp 10.0.0.1 10.0.0.2 40000 9")
    let expected = try ProbeFlow.parseExpected("# a\n\npass icmp 10.0.0.1 10.0.0.2 # b\n  \ndrop udp ::1 ::2 53\n")
    #expect(expected.map(\.verdict) == [.pass, .drop])
    #expect(expected.map { "\($0.flow)" } == ["icmp 10.0.0.1 10.0.0.2 8", "udp ::1 ::2 40000 53"])
  }

  @Test(
    "what is no flow is refused",
    arguments: [
      "", "tcp", "tcp 10.0.0.1 10.0.0.2", "tcp 10.0.0.1 fd00::1 22", "tcp 10.0.0.1 10.0.0.2 x", "tcp 10.0.0.1 10.0.0.2 65536",
      "tcp 10.0.0.1 10.0.0.2 1 2 3", "icmp 10.0.0.1 10.0.0.2 256", "256 10.0.0.1 10.0.0.2", "gre 10.0.0.1 10.0.0.2 1",
      "udp 10.0.0.1/8 10.0.0.2 1", "udp 10.0.0.1 10.0.0.2 1 on",
    ])
  func refused(line: String) {
    #expect(throws: ProbeFlow.ParseError.self) { try ProbeFlow(line) }
    #expect(throws: ProbeFlow.ParseError.self) { try ProbeFlow.parseExpected("maybe " + line) }
  }

  @Test("a flow's packet is what the rules see")
  func packet() throws {
    let synack = try ProbeFlow("tcp 10.0.0.1 10.0.0.2 443 synack on tap1").packet
    #expect(synack.state == .invalid && synack.transport.destinationPort == 443 && synack.inputInterface == "tap1")
    #expect(try ProbeFlow("gre 10.0.0.1 10.0.0.2 empty").packet.transport == .empty)
    #expect(try ProbeFlow("icmp 10.0.0.1 10.0.0.2 13 1").packet.transport == .icmp(type: 13, code: 1))
  }
}
