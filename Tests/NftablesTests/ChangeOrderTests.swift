import Nftables
import PacketSpace
import TestSupport
import Testing

/// Plans that edit elements beside chains whose rules switch: in whichever order, no state in between is a third one.
///
/// The policies are so small that all kinds of packets can be asked for, and change so that each order of the phases is needed.
@Suite struct ChangeOrderTests {
  private struct Policy {
    /// Of each group: rules, the newest first.
    var rules: [[String]]
    var isolates: [Bool]
    /// Of each instance: its groups.
    var groups: [[Int]]

    init(using generator: inout SeededGenerator) {
      rules = (0..<4).map { _ in (0..<Int.random(in: 0...2, using: &generator)).map { _ in Policy.rule(&generator) } }
      isolates = (0..<4).map { _ in Bool.random(using: &generator) }
      groups = (0..<6).map { _ in [Int.random(in: 0..<4, using: &generator)] }
    }

    private static func rule(_ generator: inout SeededGenerator) -> String {
      let peers = ["any", "10.9.0.0/24", "10.0.0.0/29", "g0", "g1", "g2", "g3", "128.0.0.0/1", "10.0.0.2"]
      return "{ \(["deny", "allow"].randomElement(using: &generator)!): "
        + "\(["dns", "http", "all"].randomElement(using: &generator)!), "
        + "\(["to", "from"].randomElement(using: &generator)!): \(peers.randomElement(using: &generator)!) }"
    }

    mutating func change(using generator: inout SeededGenerator) {
      for _ in 0..<Int.random(in: 0...2, using: &generator) {
        let group = Int.random(in: 0..<4, using: &generator)
        if !rules[group].isEmpty, Bool.random(using: &generator) {
          rules[group].removeLast()
        } else {
          rules[group].insert(Policy.rule(&generator), at: 0)
        }
      }
      for _ in 0..<Int.random(in: 1...2, using: &generator) {
        let count = Int.random(in: 0..<4, using: &generator) == 0 ? 2 : 1
        groups[Int.random(in: 0..<6, using: &generator)] = (0..<4).shuffled(using: &generator).prefix(count).sorted()
      }
    }

    /// Nil where the policy is wrong, such as a rule that says the same as another one.
    var ruleset: Ruleset? {
      var text = "groups:\n"
      for (group, rules) in rules.enumerated() {
        text += "  g\(group):\n" + (isolates[group] ? "    intra-group: isolate\n" : "")
        let egress = rules.filter { $0.contains("to:") } + ["{ deny: ntp, to: 203.0.113.9 }"]
        let ingress = rules.filter { $0.contains("from:") } + ["{ allow: ntp, from: 203.0.113.9 }"]
        text += "    egress: [\(egress.joined(separator: ", "))]\n    ingress: [\(ingress.joined(separator: ", "))]\n"
      }
      text += "instances:\n"
      for (instance, groups) in groups.enumerated() {
        text += "  i\(instance): { addresses: [10.0.0.\(instance + 1), \"fd00::\(instance + 1)\"], "
        text += "groups: [\(groups.map { "g\($0)" }.joined(separator: ", "))] }\n"
      }
      return try? CompiledPolicy(text).ruleset
    }
  }

  private static let packets: [Packet] = {
    let ends = ((1...6).map { "10.0.0.\($0)" } + ["10.9.0.5", "203.0.113.1", "200.0.0.1"]).map { IPAddress($0)! }
    let services: [(IPProtocol, UInt16)] = [(.udp, 53), (.tcp, 80), (.tcp, 9), (.udp, 123)]
    return ends.flatMap { source in
      ends.filter { $0 != source }.flatMap { destination in
        services.map { service, port in
          Packet(
            source: source, destination: destination, ipProtocol: service,
            transport: .ports(source: 1000, destination: port), state: .new)
        }
      }
    }
  }()

  @Test(arguments: 0..<40) func statesInBetween(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 61_000 + number)
    var policy = Policy(using: &generator)
    guard var live = policy.ruleset else { return }
    for step in 0..<6 {
      let before = policy
      policy.change(using: &generator)
      guard let planned = policy.ruleset else {
        policy = before
        continue
      }
      let plan = ChangePlan(live: live, planned: planned)
      let names = plan.transactions.map(\.name)
      if names.contains("elements"), names.contains("switch") {
        let (first, last) = (ChangePlanTests.decisions(live, Self.packets), ChangePlanTests.decisions(planned, Self.packets))
        var state = live
        for transaction in plan.transactions {
          for torn in ChangePlanTests.torn(transaction, &generator) {
            for (index, decision) in ChangePlanTests.decisions(torn.applied(to: state), Self.packets).enumerated() {
              #expect(
                decision == first[index] || decision == last[index],
                "\(generator) step \(step) \(names) \(Self.packets[index])\n\(before)\n\(policy)")
            }
          }
          state = transaction.applied(to: state)
        }
      }
      live = planned
    }
  }
}
