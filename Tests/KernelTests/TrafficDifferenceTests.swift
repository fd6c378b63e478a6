import Nftables
import NftablesKernel
import PacketSpace
import PolicyCompiler
import TestSupport
import Testing

/// What a difference says of packets, against two kernels that judge them.
@Suite(.requireNamespaces) struct TrafficDifferenceTests {
  @Test(arguments: 0..<16) func hasNoPacketOnTheWrongSide(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 30_000 + number)
    var features = RandomPolicy.Features()
    features.links = false
    let earlier = RandomPolicy(using: &generator, features: features)
    let later = RandomPolicy(using: &generator, features: features)
    let before = try CompiledPolicy(earlier.text)
    let after = try CompiledPolicy(later.text)
    let difference = try TrafficComparison.compare(
      live: before.compilation.ruleset, planned: after.compilation.ruleset, limit: 1_000_000)
    #expect(difference.isComplete)
    var seen: Set<String> = []
    let flows = (0..<150).map { RandomPolicyTests.flow(earlier, $0, using: &generator) }.filter { flow in
      // one flow between two ends is enough: more might be one connection
      seen.insert([flow.source.description, flow.destination.description].sorted().joined()).inserted
        && flow.source != flow.destination
    }
    let first = try PacketProbe.verdicts(of: flows, under: before.text)
    let second = try PacketProbe.verdicts(of: flows, under: after.text)
    for (flow, (old, new)) in zip(flows, zip(first, second)) where old != .lost && new != .lost {
      let found = difference.changes.filter { $0.packets.contains(flow.packet) }.map(\.kind)
      let expected: [TrafficDifference.Kind] = old == new ? [] : new == .pass ? [.opens] : [.closes]
      #expect(found == expected, "\(generator) \(flow): \(old), then \(new)")
    }
    // and each example that it gives is what it is said to be, as far as a kernel forwards such a packet
    for change in difference.changes.prefix(20) {
      let old = RulesetEvaluator(before.compilation.ruleset).evaluate(change.witness, at: change.hook).decision
      let new = RulesetEvaluator(after.compilation.ruleset).evaluate(change.witness, at: change.hook).decision
      #expect(old != new && (new == .accept) == (change.kind == .opens), "\(change)")
    }
  }

  /// Where little changes, the chains are walked for the packets that it can touch alone.
  @Test(arguments: 0..<24) func hasNoPacketOnTheWrongSideOfASmallChange(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 31_000 + number)
    var changes = try PolicyChanges(using: &generator)
    for _ in 0..<10 {
      let (earlier, before) = (changes.policy, changes.compiled.compilation.ruleset)
      try changes.change(using: &generator)
      let after = changes.compiled.compilation.ruleset
      let difference = try TrafficComparison.compare(live: before, planned: after, limit: 1_000_000)
      #expect(difference.isComplete)
      let (old, new) = (RulesetEvaluator(before), RulesetEvaluator(after))
      let flows = (0..<200).map { RandomPolicyTests.flow(earlier, $0, using: &generator).packet }
      for packet in flows + difference.changes.prefix(50).map(\.witness) {
        let (first, second) = (old.evaluate(packet, at: .forward).decision, new.evaluate(packet, at: .forward).decision)
        let found = difference.changes.filter { $0.hook == .forward && $0.packets.contains(packet) }.map(\.kind)
        let expected: [TrafficDifference.Kind] = first == second ? [] : second == .accept ? [.opens] : [.closes]
        #expect(found == expected, "\(generator) \(packet): \(first), then \(second)")
      }
    }
  }

  /// Somebody opens a port by hand: the plan closes it again, and says so.
  @Test func seesWhatWasDoneByHand() throws {
    let compiled = try CompiledPolicy(
      """
      groups: { web: { ingress: [{ allow: https, from: any }] } }
      instances: { web-1: { addresses: [10.0.0.1, "fd00::1"], groups: web } }
      """)
    try inPrivateNamespace {
      var kernel = try Kernel()
      try kernel.apply(compiled.text)
      let added = try Shell.run(["nft", "insert", "rule", "inet", "cordon", "ingress/web", "tcp", "dport", "22", "accept"])
      #expect(added.status == 0, "\(added.stderr)")
      let live = try JSONReader.read(try #require(try kernel.list(table: "cordon")), table: "cordon")
      let difference = try TrafficComparison.compare(live: live, planned: compiled.compilation.ruleset)
      #expect(difference.changes.allSatisfy { $0.kind == .closes })
      let describer = PacketsDescriber(compiled.compilation.policy)
      let words = difference.changes.map { describer.describe($0.packets) }
      #expect(words.contains { $0.service == "tcp/22" && $0.to == "web-1" }, "\(words)")
      #expect(difference.changes.allSatisfy { $0.witness.transport.destinationPort == 22 })

      // what nobody can tell is said to be unknown, and not guessed
      let odd = try Shell.run(["nft", "insert", "rule", "inet", "cordon", "ingress/web", "ip", "ttl", "1", "accept"])
      #expect(odd.status == 0, "\(odd.stderr)")
      let next = try JSONReader.read(try #require(try kernel.list(table: "cordon")), table: "cordon")
      let unclear = try TrafficComparison.compare(live: next, planned: compiled.compilation.ruleset)
      #expect(unclear.changes.contains { $0.kind == .unknown })
    }
  }
}
