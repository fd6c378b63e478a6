import Nftables
import PacketSpace
import PolicyCompiler
import PolicyLanguage
import TestSupport
import Testing

/// A ruleset that only observes drops nothing, and sends to its counters exactly what it would drop.
@Suite struct ObserveTests {
  @Test(arguments: 0..<60) func dropsNothingAndCountsWhatIsDenied(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 50_000 + number)
    let random = RandomPolicy(using: &generator)
    let compiled = try CompiledPolicy(random.text, observes: true)
    #expect(try compiled.compilation.verify() == nil, "\(random.text)")
    let meaning = PolicyEvaluator(compiled.compilation.policy, .gateway)
    let ruleset = RulesetEvaluator(compiled.compilation.ruleset)
    for _ in 0..<150 {
      let packet = random.packet(using: &generator)
      let outcome = ruleset.evaluate(packet, at: .forward)
      #expect(outcome.decision == .accept, "\(generator) \(packet)")
      // denied at the source's end it goes on to the destination's, since it isn't dropped
      let isCounted = outcome.trace.contains { $0.chain.hasPrefix("denied-") }
      let isDenied = !meaning.decide(packet, on: .forwarded).isAllowed
      #expect(isCounted == isDenied, "\(generator) \(packet)\n\(outcome)\n\(random.text)")
    }
  }

  @Test func ofAMachineItselfToo() throws {
    let text = """
      groups: { web: { type: advanced, ingress: [{ allow: ssh, from: 192.0.2.0/24 }] } }
      instances: { web-1: { addresses: 10.0.0.1, groups: web } }
      """
    let compiled = try CompiledPolicy(text, host: "web-1", observes: true)
    #expect(try compiled.compilation.verify() == nil)
    #expect(compiled.compilation.ruleset.chains.allSatisfy { $0.base?.policy != .drop })
  }
}
