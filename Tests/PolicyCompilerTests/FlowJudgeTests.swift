import Diagnostics
import Nftables
import PacketSpace
import PolicyCompiler
import PolicyLanguage
import TestSupport
import Testing

/// What is said of flows that are open is what the policy says of their first packets.
@Suite struct FlowJudgeTests {
  private static func packet(_ line: String) throws -> Packet {
    var packet = try ProbeFlow(line).packet
    (packet.state, packet.inputInterface, packet.outputInterface) = (.new, "", "")
    return packet
  }

  @Test(arguments: 0..<60) func agreesWithThePolicy(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 70_000 + number)
    let random = RandomPolicy(using: &generator)
    let compilation = try CompiledPolicy(random.text).compilation
    let judge = FlowJudge(compilation)
    #expect(judge.hooks == [.forward])
    let meaning = PolicyEvaluator(compilation.policy, .gateway)
    for _ in 0..<150 {
      var packet = random.packet(using: &generator)
      (packet.state, packet.inputInterface, packet.outputInterface) = (.new, "", "")
      var there = packet
      let bound = compilation.policy.instances.first { $0.interface != nil && $0.addresses.contains(packet.source) }
      there.inputInterface = bound?.interface ?? ""
      #expect(
        judge.denies(packet, at: .forward) == !meaning.decide(there, on: .forwarded).isAllowed,
        "\(generator) \(packet)\n\(random.text)")
    }
  }

  @Test(arguments: 0..<40) func agreesOnAHost(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 71_000 + number)
    let random = RandomPolicy(using: &generator)
    guard let host = random.instances.randomElement(using: &generator),
      let compilation = try? CompiledPolicy(random.text, host: host).compilation
    else { return }
    let judge = FlowJudge(compilation)
    #expect(judge.hooks == [.input, .output])
    let meaning = PolicyEvaluator(compilation.policy, compilation.enforcement)
    for _ in 0..<100 {
      var packet = random.packet(using: &generator)
      (packet.state, packet.inputInterface, packet.outputInterface) = (.new, "", "")
      for (hook, path) in [(Hook.input, PacketPath.input), (.output, .output)] {
        let isDenied = !meaning.decide(packet, on: path).isAllowed
        #expect(judge.denies(packet, at: hook) == isDenied, "\(generator) \(packet)\n\(random.text)")
      }
    }
  }

  static let bound = """
    groups:
      web: { ingress: [{ allow: ssh, from: any }], egress: [{ deny: smtp, to: any }] }
    instances:
      web-1: { addresses: [10.0.0.1, fd00::1, fd00::3], groups: web, interface: tap1 }
      web-2: { addresses: 10.0.0.2, groups: web, interface: tap2 }
      web-3: { addresses: 10.0.0.4, groups: web }
    """

  @Test("a source counts as come in by its own link", arguments: ["10.0.0.1", "10.0.0.2", "10.0.0.4", "fd00::1", "fd00::3"])
  func links(source: String) throws {
    let judge = FlowJudge(try CompiledPolicy(FlowJudgeTests.bound).compilation)
    let away = source.contains(":") ? "2001:db8::1" : "198.51.100.1"
    #expect(try !judge.denies(FlowJudgeTests.packet("tcp \(source) \(away) 443"), at: .forward))
    let mail = try FlowJudgeTests.packet("tcp \(source) \(away) 25")
    #expect(judge.denies(mail, at: .forward))
    #expect(judge.reason(mail, at: .forward).message == "egress rule 1 of `web`")
    #expect(judge.reason(mail, at: .forward).range != nil)
  }

  @Test("nothing is denied where nothing is dropped") func observed() throws {
    let compiled = try CompiledPolicy("options: { unmanaged: drop }\n" + FlowJudgeTests.bound, observes: true)
    let judge = FlowJudge(compiled.compilation)
    for line in ["tcp 198.51.100.1 10.0.0.1 80", "tcp 10.0.0.4 198.51.100.1 25", "udp 198.51.100.1 198.51.100.2 53"] {
      #expect(try !judge.denies(FlowJudgeTests.packet(line), at: .forward))
    }
  }

  @Test("what no rule names is denied for a reason, too") func reasons() throws {
    let text = "options: { unmanaged: drop }\n" + FlowJudgeTests.bound
    let gateway = FlowJudge(try CompiledPolicy(text).compilation)
    for (line, reason) in [
      ("gre 198.51.100.1 10.0.0.1", "no rule matches, and basic groups deny ingress by default"),
      ("icmp 198.51.100.1 10.0.0.1 8", "no rule matches, and basic groups deny ingress by default"),
      ("sctp 198.51.100.1 10.0.0.1 22", "no rule matches, and basic groups deny ingress by default"),
      ("tcp 198.51.100.1 198.51.100.2 22", "neither end has a group, and `options: unmanaged` is `drop`"),
    ] {
      let packet = try FlowJudgeTests.packet(line)
      #expect(gateway.denies(packet, at: .forward), "\(line)")
      #expect(gateway.reason(packet, at: .forward).message == reason, "\(line)")
    }
    let host = FlowJudge(try CompiledPolicy(text, host: "web-1").compilation)
    let mail = try FlowJudgeTests.packet("tcp 10.0.0.1 198.51.100.2 25")
    #expect(host.denies(mail, at: .output))
    #expect(host.reason(mail, at: .output).message == "egress rule 1 of `web`")
    #expect(try !host.denies(FlowJudgeTests.packet("udp 192.0.2.1 10.0.0.1 67 68"), at: .input), "DHCP, before the rules")
    #expect(try host.denies(FlowJudgeTests.packet("udp 192.0.2.1 239.1.2.3 5000"), at: .input))
    #expect(try !host.denies(FlowJudgeTests.packet("udp 10.0.0.1 224.0.0.251 5353"), at: .output))
  }

  @Test("an end that may begin connections goes on with one that was cut") func answers() throws {
    let judge = FlowJudge(try CompiledPolicy(FlowJudgeTests.bound).compilation)
    for (line, isAllowed) in [
      // the server's answer to a denied client is egress that nothing denies
      ("tcp 198.51.100.1 10.0.0.1 40000 80", true), ("udp 198.51.100.1 10.0.0.1 53", true), ("gre 198.51.100.1 10.0.0.1", true),
      // to a client's port 25 it is denied, and an answered ping begins nothing
      ("tcp 198.51.100.1 10.0.0.1 25 80", false), ("icmp 198.51.100.1 10.0.0.1 8", false),
      // denied as egress; what comes back is ingress
      ("tcp 10.0.0.1 198.51.100.1 40000 25", false), ("tcp 10.0.0.1 198.51.100.1 22 25", true),
    ] {
      let packet = try FlowJudgeTests.packet(line)
      #expect(judge.denies(packet, at: .forward), "\(line)")
      #expect(judge.allowsAnswer(to: packet, at: .forward) == isAllowed, "\(line)")
    }
    let host = FlowJudge(try CompiledPolicy(FlowJudgeTests.bound, host: "web-1").compilation)
    #expect(try host.allowsAnswer(to: FlowJudgeTests.packet("tcp 198.51.100.1 10.0.0.1 80"), at: .input))
    #expect(try !host.allowsAnswer(to: FlowJudgeTests.packet("tcp 10.0.0.1 198.51.100.1 25"), at: .output))
  }
}
