import Diagnostics
import PacketSpace
import PolicyCompiler
import PolicyLanguage
import TestSupport
import Testing

/// Flows that must stay allowed, on gateways and hosts.
@Suite struct KeptFlowTests {
  private static let office = AddressSet([AddressRange(IPAddress("203.0.113.7")!)])
  private static let ssh = [ServiceTerm.ports(.tcp, PortRange(22))]
  private static let world = """
    groups:
      web:
        ingress:
          - { allow: ssh, from: 203.0.113.0/24, source-ports: 1024-65535 }
          - { allow: ssh, from: 10.0.0.9, to: 10.0.0.1 }
        egress: [{ deny: smtp, to: any }]
    instances:
      web-1: { addresses: 10.0.0.1, groups: web, interface: tap3 }

    """

  private func prover(host: Bool, links: [String] = []) throws -> KeptFlowProver {
    let compilation = try CompiledPolicy(KeptFlowTests.world, host: host ? "web-1" : nil).compilation
    return KeptFlowProver(
      compilation.policy, compilation.enforcement, links: AddressSet(links.map { AddressRange(IPAddress($0)!) }))
  }

  private func addresses(_ text: String...) -> AddressSet { AddressSet(text.map { AddressRange(IPAddress($0)!) }) }

  @Test("a host judges what comes to it, by whatever address, what it sends, and nothing else")
  func host() throws {
    var prover = try prover(host: true, links: ["10.0.0.2"])
    func verdict(_ services: [ServiceTerm], _ from: AddressSet, _ to: AddressSet) throws -> String {
      switch try prover.judge(services, from: from, to: to) {
      case .allowed: "allowed"
      case .notEnforced: "not enforced"
      case .cut(let packet, let decision): "\(packet) \(decision.isAllowed ? "allowed" : "denied")"
      }
    }
    let me = addresses("10.0.0.1")
    // a port below 1024 is one of any
    #expect(try verdict(KeptFlowTests.ssh, KeptFlowTests.office, me) == "tcp 203.0.113.7:0 -> 10.0.0.1:22 denied")
    #expect(try verdict(KeptFlowTests.ssh, addresses("10.0.0.9"), me) == "allowed")
    #expect(
      try verdict(KeptFlowTests.ssh, addresses("10.0.0.9"), addresses("10.0.0.2")) == "tcp 10.0.0.9:40000 -> 10.0.0.2:22 denied"
    )
    #expect(try verdict(KeptFlowTests.ssh, addresses("10.0.0.9"), addresses("10.0.0.3")) == "not enforced")
    #expect(
      try verdict([.all], addresses("127.0.0.1", "10.0.0.2"), addresses("127.0.0.9", "10.0.0.1", "10.0.0.2")) == "allowed")
    #expect(try verdict(KeptFlowTests.ssh, me, addresses("10.0.0.9")) == "allowed")
    #expect(try verdict([.ports(.tcp, PortRange(25))], me, addresses("10.0.0.9")) == "tcp 10.0.0.1:40000 -> 10.0.0.9:25 denied")
    #expect(try verdict([.ports(.tcp, PortRange(25))], addresses("10.0.0.8"), addresses("10.0.0.9")) == "not enforced")
  }

  @Test("a gateway judges what it forwards, which comes by the link of an instance that is bound to one")
  func gateway() throws {
    var prover = try prover(host: false, links: ["10.0.0.254"])
    let smtp = [ServiceTerm.ports(.tcp, PortRange(25))]
    guard case .cut(let packet, let decision) = try prover.judge(smtp, from: addresses("10.0.0.1"), to: KeptFlowTests.office)
    else {
      Issue.record("nothing is cut")
      return
    }
    #expect(packet.inputInterface == "tap3" && decision.step == .rule(group: 0, direction: .egress, index: 0))
    for (from, to) in [("10.0.0.9", "10.0.0.1"), ("10.0.0.1", "10.0.0.9")] {
      guard case .allowed = try prover.judge(KeptFlowTests.ssh, from: addresses(from), to: addresses(to)) else {
        Issue.record("\(from) to \(to) is not allowed")
        continue
      }
    }
    for (from, to) in [("10.0.0.9", "10.0.0.254"), ("10.0.0.9", "127.0.0.1"), ("10.0.0.254", "10.0.0.1")] {
      guard case .notEnforced = try prover.judge([.all], from: addresses(from), to: addresses(to)) else {
        Issue.record("\(from) to \(to) is judged")
        continue
      }
    }
  }

  @Test(arguments: 0..<40) func agreeWithBruteForce(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 97_000 + number)
    var features = RandomPolicy.Features()
    features.links = false
    let random = RandomPolicy(using: &generator, features: features)
    for host in [nil, random.instances.randomElement(using: &generator)] {
      let text = random.text + ExpectationTests.expectation(using: &generator)
      let compilation: Compilation
      do {
        compilation = try CompiledPolicy(text, host: host).compilation
      } catch let refusal as CompiledPolicy.Refusal {
        #expect(
          !Set(refusal.codes).isDisjoint(with: ["expectation-of-nothing", "host-without-group", "mixed-types"]), "\(refusal)")
        continue
      }
      try check(
        compilation, random.addresses, Array(random.addresses.shuffled(using: &generator).prefix(2)), "\(generator)\n\(text)")
    }
  }

  private func check(_ compilation: Compilation, _ addresses: [IPAddress], _ links: [IPAddress], _ text: String) throws {
    let policy = compilation.policy
    var claim = policy.expectations[0]
    (claim.action, claim.exceptFrom, claim.exceptTo) = (.allow, [], [])
    let local = AddressSet(links.map { AddressRange($0) })
    var prover = KeptFlowProver(policy, compilation.enforcement, links: local)
    let evaluator = PolicyEvaluator(policy, compilation.enforcement)
    func way(_ packet: Packet) -> PacketPath? {
      switch compilation.enforcement {
      case .gateway: return local.contains(packet.source) || local.contains(packet.destination) ? nil : .forwarded
      case .host(let instance):
        let own = local.union(policy.instances[instance].addresses)
        if own.contains(packet.destination) { return .input }
        return own.contains(packet.source) ? .output : nil
      }
    }
    var judged = 0
    var denied: Packet?
    for var packet in ExpectationTests.packets(claim, policy, addresses) {
      guard let path = way(packet) else { continue }
      if path == .input, local.contains(packet.source) { packet.inputInterface = "lo" }
      judged += 1
      if !evaluator.decide(packet, on: path).isAllowed { denied = packet }
    }
    switch try prover.judge(claim.services, from: policy.addresses(claim.from), to: policy.addresses(claim.to)) {
    case .allowed: #expect(denied == nil, "\(text)")
    case .notEnforced: #expect(judged == 0, "\(text)")
    case .cut(let packet, let decision):
      let path = try #require(way(packet))
      #expect(!decision.isAllowed && decision == evaluator.decide(packet, on: path), "\(packet)\n\(text)")
      #expect(claim.services.contains { $0.matches(packet) } && packet.source != packet.destination, "\(packet)\n\(text)")
      #expect(policy.addresses(claim.from).contains(packet.source) && policy.addresses(claim.to).contains(packet.destination))
    }
  }
}
