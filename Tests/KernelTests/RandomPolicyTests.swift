import PacketSpace
import PolicyCompiler
import PolicyLanguage
import TestSupport
import Testing

/// Policies made at random, with flows made at random, through a kernel: it does what the policy says.
@Suite(.requireNamespaces) struct RandomPolicyTests {
  /// A flow of each kind, between addresses that the policy speaks of and their neighbours, by a link that is bound or not.
  static func flow(_ policy: RandomPolicy, _ number: Int, using generator: inout SeededGenerator) -> ProbeFlow {
    let source = policy.addresses.randomElement(using: &generator)!
    var destination = policy.addresses.randomElement(using: &generator)!
    while destination.family != source.family { destination = policy.addresses.randomElement(using: &generator)! }
    var ipProtocol = RandomPolicy.protocols.randomElement(using: &generator)!
    // the kernel forwards no ICMP of the other family
    if let family = ipProtocol.family, family != source.family { ipProtocol = family == .ipv4 ? .icmpv6 : .icmp }
    let transport: ProbeFlow.Transport
    switch ipProtocol {
    case .tcp, .udp, .sctp:
      // a source port of its own for each flow, so that no two are one connection
      transport = .ports(
        source: Bool.random(using: &generator)
          ? UInt16(30_000 + number) : [22, 53, 1023, 1024, 1500].randomElement(using: &generator)!,
        destination: RandomPolicy.ports.filter { $0 > 0 }.randomElement(using: &generator)!)
    case .icmp:
      transport = .icmp(type: [8, 8, 13].randomElement(using: &generator)!, code: 0)
    case .icmpv6:
      transport = .icmp(type: [128, 128, 139].randomElement(using: &generator)!, code: 0)
    default:
      transport = Bool.random(using: &generator) ? .other : .empty
    }
    var flow = ProbeFlow(ipProtocol, source, destination, transport)
    if ipProtocol == .tcp, Int.random(in: 0..<6, using: &generator) == 0 { flow.opening = .synack }
    if Int.random(in: 0..<4, using: &generator) == 0, let link = policy.links.randomElement(using: &generator) {
      flow.link = link
    }
    return flow
  }

  @Test(arguments: 0..<24) func onAGateway(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 7000 + number)
    let policy = RandomPolicy(using: &generator)
    let compiled = try CompiledPolicy(policy.text)
    let meaning = PolicyEvaluator(compiled.compilation.policy, .gateway)
    // flows between the same ends with nothing to tell them apart are one connection: only the first of them begins one
    var seen: Set<String> = []
    let flows = (0..<120).map { RandomPolicyTests.flow(policy, $0, using: &generator) }.filter { flow in
      let ends = [flow.source.description, flow.destination.description].sorted()
      let ports: String =
        if case .ports(let source, let destination) = flow.transport { [source, destination].sorted().description } else { "" }
      return flow.source != flow.destination && seen.insert("\(flow.ipProtocol) \(ends) \(ports)").inserted
    }
    let verdicts = try PacketProbe.verdicts(of: flows, under: compiled.text)
    for (flow, verdict) in zip(flows, verdicts) where verdict != .lost {
      let decision = meaning.decide(flow.packet, on: .forwarded)
      #expect((verdict == .pass) == decision.isAllowed, "\(generator) \(flow)\n\(decision)\n\(policy.text)")
    }
    #expect(verdicts.filter { $0 == .lost }.count * 2 < verdicts.count, "most packets never came to a hook")
  }
}
