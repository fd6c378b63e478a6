import Diagnostics
import PacketSpace
import PolicyCompiler
import PolicyLanguage
import TestSupport
import Testing

/// Expectations against brute force: every packet of a small world, one by one.
@Suite struct ExpectationTests {
  /// An expectation about the addresses and services that random policies speak of.
  static func expectation(using generator: inout SeededGenerator) -> String {
    let peers = [
      "any", "198.51.100.0/30", "198.51.100.3", "\"2001:db8::/126\"", "10.0.0.1-10.0.0.4", "\"fd00::/125\"", "group-0",
      "10.0.2.0/29",
    ]
    let services = ["tcp/22", "http", "ping", "dns", "udp/1024-1030", "gre", "all", "tcp/8050"]
    var fields = [
      "\(["allow", "deny"].randomElement(using: &generator)!): \(services.randomElement(using: &generator)!)",
      "from: \(peers.randomElement(using: &generator)!)", "to: \(peers.randomElement(using: &generator)!)",
    ]
    if Int.random(in: 0..<4, using: &generator) == 0 { fields.append("except-from: 198.51.100.2") }
    if Int.random(in: 0..<4, using: &generator) == 0 { fields.append("except-to: 10.0.0.2") }
    return "expect: [{ \(fields.joined(separator: ", ")) }]\n"
  }

  /// The packets of a claim's services: for each service one packet at the edges of each range, between all addresses.
  static func packets(_ claim: PolicyLanguage.Expectation, _ policy: Policy, _ addresses: [IPAddress]) -> [Packet] {
    let from = policy.addresses(claim.from, except: claim.exceptFrom)
    let to = policy.addresses(claim.to, except: claim.exceptTo)
    var kinds: [(IPProtocol, TransportHeader)] = []
    for p in RandomPolicy.protocols {
      if p == .icmp || p == .icmpv6 {
        for type in [8, 13, 128, 139] as [UInt8] { kinds.append((p, .icmp(type: type, code: 0))) }
      } else {
        for port in RandomPolicy.ports {
          for source in [22, 53, 1023, 1024, 1500] as [UInt16] {
            kinds.append((p, .ports(source: source, destination: port)))
          }
        }
      }
    }
    var result: [Packet] = []
    for source in addresses where from.contains(source) {
      for destination in addresses
      where destination.family == source.family && source != destination && to.contains(destination) {
        for (p, transport) in kinds {
          let packet = Packet(source: source, destination: destination, ipProtocol: p, transport: transport, state: .new)
          if claim.services.contains(where: { $0.matches(packet) }) { result.append(packet) }
        }
      }
    }
    return result
  }

  @Test(arguments: 0..<60) func agreeWithBruteForce(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 90_000 + number)
    var features = RandomPolicy.Features()
    features.links = false
    let random = RandomPolicy(using: &generator, features: features)
    for _ in 0..<6 {
      let text = random.text + ExpectationTests.expectation(using: &generator)
      let policy: Policy
      do {
        policy = try CompiledPolicy(text).compilation.policy
      } catch let refusal as CompiledPolicy.Refusal {
        #expect(refusal.codes.contains("expectation-of-nothing"), "\(refusal)")
        continue
      }
      try ExpectationTests.check(policy, random, "\(generator)\n\(text)")
    }
  }

  static func check(_ policy: Policy, _ random: RandomPolicy, _ text: String) throws {
    let claim = policy.expectations[0]
    let evaluator = PolicyEvaluator(policy, .gateway)
    let broken = packets(claim, policy, random.addresses).first {
      evaluator.decide($0, on: .forwarded).isAllowed != (claim.action == .allow)
    }
    var prover = ExpectationProver(policy)
    let found = try prover.prove(0)
    if let broken { #expect(found != nil, "broken by \(broken)\n\(text)") }
    guard let packet = found?.refutation.packet else { return }
    // the witness is of the claim, and is decided otherwise
    #expect(claim.services.contains { $0.matches(packet) } && packet.source != packet.destination)
    #expect(policy.addresses(claim.from, except: claim.exceptFrom).contains(packet.source))
    #expect(policy.addresses(claim.to, except: claim.exceptTo).contains(packet.destination))
    #expect(evaluator.decide(packet, on: .forwarded).isAllowed != (claim.action == .allow), "\(packet)\n\(text)")
  }

  @Test func showTheWayOfAPacket() throws {
    let text = """
      groups:
        web: { ingress: [{ allow: https, from: any }] }
        database: { type: advanced, ingress: [{ allow: mysql, from: web }] }
      instances:
        web-1: { addresses: 10.0.0.1, groups: web }
        db-1: { addresses: 10.0.0.2, groups: database }
      expect:
        - { allow: https, from: any, except-from: database, to: web }
        - { deny: mysql, from: any, except-from: web, to: database }
        - { allow: https, from: any, to: web }
        - { deny: mysql, from: any, to: database }
      """
    let compiled = try CompiledPolicy(text)
    let policy = compiled.compilation.policy
    var prover = ExpectationProver(policy)
    let broken = try prover.prove()
    #expect(broken.map(\.expectation) == [2, 3])
    let shown = PlainRenderer().render(broken.map(policy.diagnostic), in: compiled.sources)
    #expect(shown.contains("expected allow, but `tcp 10.0.0.2:40000 -> 10.0.0.1:443` is denied"), "\(shown)")
    #expect(shown.contains("expected deny, but `tcp 10.0.0.1:40000 -> 10.0.0.2:3306` is allowed"), "\(shown)")
  }

  @Test("an instance that is bound to a link sends by that one, so its groups are what decides")
  func boundToALink() throws {
    let text = """
      groups:
        web: { ingress: [{ allow: https, from: any }], egress: [{ deny: smtp, to: any }] }
      instances:
        web-1: { addresses: 10.0.0.1, groups: web, interface: tap3 }
      expect:
        - { allow: [https, smtp], from: web-1, to: any }
      """
    let compiled = try CompiledPolicy(text)
    let policy = compiled.compilation.policy
    var prover = ExpectationProver(policy)
    let shown = PlainRenderer().render(try prover.prove().map(policy.diagnostic), in: compiled.sources)
    #expect(shown.contains(":25, in by tap3` is denied") && shown.contains("egress rule 1 of `web`"), "\(shown)")
    var explainer = Explainer(policy)
    let cases = try explainer.cases(policy.expectations[0]).cases
    #expect(cases.map(\.decision.isAllowed) == [false, true])
  }
}
