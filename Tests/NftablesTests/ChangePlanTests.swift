import Nftables
import PacketSpace
import TestSupport
import Testing

/// Plans carried out on the model of a table: every table in between judges each packet as the first or as the last one does.
@Suite struct ChangePlanTests {
  /// The tables that a plan goes through, the first and the last among them.
  static func states(_ plan: ChangePlan, from live: Ruleset) -> [Ruleset] {
    plan.transactions.reduce(into: [live]) { states, transaction in states.append(transaction.applied(to: states.last!)) }
  }

  static func decisions(_ ruleset: Ruleset, _ packets: [Packet]) -> [[RulesetEvaluator.Decision]] {
    let evaluator = RulesetEvaluator(ruleset)
    return packets.map { packet in
      Hook.allCases.map { hook in
        // a limit only decides whether a packet is logged
        evaluator.evaluate(packet, at: hook).decision
      }
    }
  }

  private static func walk(_ changes: inout PolicyChanges, _ generator: inout SeededGenerator, steps: Int) throws {
    var live = changes.compiled.ruleset
    for step in 0..<steps {
      let before = changes.policy
      try changes.change(using: &generator)
      let planned = changes.compiled.ruleset
      let plan = ChangePlan(live: live, planned: planned)
      let label = "\(generator) step \(step)"
      #expect(!plan.replacesTable, "\(label)")
      #expect(plan.transactions.isEmpty == RulesetDifference.compare(live: live, planned: planned).isEmpty)
      let states = states(plan, from: live)
      let packets = (0..<150).map { index in (index % 2 == 0 ? before : changes.policy).packet(using: &generator) }
      let all = states.map { decisions($0, packets) }
      for (number, state) in states.enumerated() {
        #expect(RulesetValidator.validate(state).isEmpty, "\(label), state \(number): \(RulesetValidator.validate(state))")
        for (index, packet) in packets.enumerated() {
          for hook in Hook.allCases.indices {
            let decision = all[number][index][hook]
            #expect(
              decision == all.first![index][hook] || decision == all.last![index][hook],
              "\(label), state \(number) of \(states.count), \(packet) at \(Hook.allCases[hook])")
          }
        }
      }
      let rest = RulesetDifference.compare(live: states.last!, planned: planned)
      #expect(rest.isEmpty, "\(label)\n\(rest.text())")
      #expect(Set(states.last!.chains.map(\.name)) == Set(planned.chains.map(\.name)), "\(label)")
      live = states.last!
    }
  }

  @Test(arguments: 0..<12) func statesInBetweenOnAGateway(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 40_000 + number)
    var changes = try PolicyChanges(using: &generator)
    try Self.walk(&changes, &generator, steps: 12)
  }

  @Test(arguments: 0..<4) func statesInBetweenOnAHost(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 41_000 + number)
    var changes = try PolicyChanges(using: &generator, host: true)
    try Self.walk(&changes, &generator, steps: 12)
  }

  /// A plan that died behind any of its transactions: the next one goes on from there, for every packet, and leaves nothing behind.
  @Test(arguments: 0..<6) func plansThatDie(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 42_000 + number)
    var changes = try PolicyChanges(using: &generator)
    var live = changes.compiled.ruleset
    for step in 0..<10 {
      try changes.change(using: &generator)
      let states = Self.states(ChangePlan(live: live, planned: changes.compiled.ruleset), from: live)
      live = states.randomElement(using: &generator)!
      try changes.change(using: &generator)
      let planned = changes.compiled.ruleset
      let next = Self.states(ChangePlan(live: live, planned: planned), from: live)
      let rest = RulesetDifference.compare(live: next.last!, planned: planned)
      #expect(rest.isEmpty, "\(generator) step \(step)\n\(rest.text())")
      let packets = (0..<100).map { _ in changes.policy.packet(using: &generator) }
      let all = next.map { Self.decisions($0, packets) }
      for state in all {
        for (index, decision) in state.enumerated() {
          #expect(decision == all.first![index] || decision == all.last![index], "\(generator) step \(step) \(packets[index])")
        }
      }
      live = next.randomElement(using: &generator)!
    }
  }

  /// For all packets at once: none is in what a state does otherwise than the first table and in what it does otherwise than
  /// the last one.
  @Test(arguments: 0..<6) func statesInBetweenForAllPackets(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 43_000 + number)
    var features = RandomPolicy.Features()
    features.log = false
    var changes = try PolicyChanges(using: &generator, features: features)
    var live = changes.compiled.ruleset
    for step in 0..<5 {
      try changes.change(using: &generator)
      let planned = changes.compiled.ruleset
      let states = Self.states(ChangePlan(live: live, planned: planned), from: live)
      for (number, state) in states.enumerated() {
        let fromLive = try TrafficComparison.compare(live: live, planned: state, limit: 100_000)
        let fromPlanned = try TrafficComparison.compare(live: planned, planned: state, limit: 100_000)
        for a in fromLive.changes {
          for b in fromPlanned.changes where a.hook == b.hook {
            var both = a.packets
            for condition in b.packets.conditions { both.narrow(condition.axis, to: condition.values) }
            #expect(both.isEmpty, "\(generator) step \(step) state \(number): \(a.witness)")
          }
        }
      }
      live = planned
    }
  }
}
