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

  /// The transaction, and, where it edits elements, some parts of it, each of which a packet may find alone.
  static func torn(_ transaction: ChangePlan.Transaction, _ generator: inout SeededGenerator) -> [ChangePlan.Transaction] {
    guard case .edit(let edit) = transaction, edit.phase == .elements else { return [transaction] }
    return [transaction]
      + (0..<6).map { _ in
        let some = Set(transaction.names.filter { _ in Bool.random(using: &generator) })
        var part = edit
        part.removed.removeAll { !some.contains($0.set) }
        part.added.sets.removeAll { !some.contains($0.name) }
        part.added.maps.removeAll { !some.contains($0.name) }
        return .edit(part)
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

  /// While elements are edited in place a packet may find any of the sets and maps changed and any not yet.
  @Test(arguments: [0, 1, 2, 3, 18, 47]) func elementsInAnyOrder(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 44_000 + number)
    var features = RandomPolicy.Features()
    features.links = false
    features.largeGroups = false
    var changes = try PolicyChanges(using: &generator, features: features)
    var edited = 0
    for step in 0..<50 {
      var state = changes.compiled.ruleset
      let live = state
      try changes.change(using: &generator)
      let planned = changes.compiled.ruleset
      for transaction in ChangePlan(live: live, planned: planned).transactions {
        if case .edit(let edit) = transaction, edit.phase == .elements {
          edited += 1
          let packets = (0..<200).map { _ in changes.policy.packet(using: &generator) }
          let (first, last) = (Self.decisions(live, packets), Self.decisions(planned, packets))
          for torn in Self.torn(transaction, &generator) {
            for (index, decision) in Self.decisions(torn.applied(to: state), packets).enumerated()
            // nobody sends to their own address by way of others
            where packets[index].source != packets[index].destination {
              #expect(
                decision == first[index] || decision == last[index],
                "\(generator) step \(step) \(torn.names) \(packets[index])")
            }
          }
        }
        state = transaction.applied(to: state)
      }
    }
    #expect(edited > 2, "\(edited)")
  }

  /// A set and a map can't bear one name at once, so that the one goes before the other comes.
  @Test func aSetBecomesAMap() throws {
    let planned = try CompiledPolicy(
      """
      groups: { web: { ingress: [{ allow: http, from: any }] } }
      instances: { web-1: { addresses: [10.0.0.1, "fd00::1"], groups: web } }
      """
    ).ruleset
    var live = planned
    let place = try #require(live.maps.firstIndex { $0.name == "ingress-ipv6" })
    let map = live.maps.remove(at: place)
    live.sets.append(NamedSet(map.name, types: map.types, isInterval: false, elements: map.elements.keys))
    for (number, chain) in live.chains.enumerated() where chain.base != nil {
      for (rule, expressions) in chain.rules.map(\.expressions).enumerated() {
        if case .lookup(let lookup) = expressions[0], case .named(map.name) = lookup.source {
          live.chains[number].rules[rule].expressions = [.match(Match(lookup.key, .named(map.name))), .verdict(.drop)]
        }
      }
    }
    let plan = ChangePlan(live: live, planned: planned)
    #expect(!plan.replacesTable)
    var state = live
    for transaction in plan.transactions {
      state = transaction.applied(to: state)
      #expect(Set(state.sets.map(\.name)).isDisjoint(with: state.maps.map(\.name)))
    }
    #expect(RulesetDifference.compare(live: state, planned: planned).isEmpty)
  }

  /// An address that joins a group which many others name is one transaction, and touches no rule.
  @Test func anAddressJoins() throws {
    func policy(_ members: Int) -> String {
      var text = "groups:\n  web: { ingress: [{ allow: http, from: any }] }\n"
      for i in 0..<50 { text += "  db-\(i): { type: advanced, ingress: [{ allow: mysql, from: web }] }\n" }
      text += "instances:\n"
      for i in 0..<members { text += "  web-\(i): { addresses: 10.0.0.\(i + 1), groups: web }\n" }
      for i in 0..<50 { text += "  db-\(i)-1: { addresses: 10.0.1.\(i + 1), groups: db-\(i) }\n" }
      return text
    }
    let few = try CompiledPolicy(policy(3)).ruleset
    let many = try CompiledPolicy(policy(4)).ruleset
    #expect(ChangePlan(live: many, planned: few).transactions.map(\.name) == ["elements"])
    let text = ChangePlan(live: few, planned: many).transactions.map { String(decoding: $0.text, as: UTF8.self) }
    #expect(
      text == [
        """
        table inet cordon {
          map egress-ipv4 {
            type ipv4_addr : verdict
            size 384
            elements = { 10.0.0.4 : jump egress/web }
          }

          map ingress-ipv4 {
            type ipv4_addr : verdict
            size 384
            elements = { 10.0.0.4 : jump ingress/web }
          }

          set group-ipv4/web {
            type ipv4_addr
            size 384
            elements = { 10.0.0.4 }
          }
        }

        """
      ])
  }

  /// In a large table the members of a group that nobody names stand in its rules. An address that joins is added first, then they
  /// switch: with the rules as they were it isn't let in yet. Where the group's egress denies what its members let in from each other,
  /// the rules switch before an address leaves, which else would for a moment be let in and no longer kept from sending.
  @Test func anAddressJoinsRules() throws {
    func policy(_ members: Int) -> String {
      var text = "groups:\n"
      for i in 0..<60 {
        text += "  web-\(i):\n    egress: [{ deny: dns, to: any }]\n    ingress:\n      - { deny: mysql, from: 10.0.0.0/8 }\n"
        for port in 1..<20 { text += "      - { allow: tcp/\(port + i), from: 192.0.2.\(port) }\n" }
      }
      text += "instances:\n"
      for i in 0..<60 {
        for j in 0..<(i == 7 ? members : 2) { text += "  web-\(i)-\(j): { addresses: 10.0.\(i).\(j * 2), groups: web-\(i) }\n" }
      }
      return text
    }
    let (few, many) = (try CompiledPolicy(policy(2)).ruleset, try CompiledPolicy(policy(3)).ruleset)
    #expect(!few.sets.contains { $0.name == "group-ipv4/web-7" })
    #expect(ChangePlan(live: few, planned: many).transactions.map(\.name) == ["elements", "switch"])
    #expect(ChangePlan(live: many, planned: few).transactions.map(\.name) == ["switch", "elements"])
  }

  /// Where the group's egress denies what another group lets in from it, the maps come first: with the set first, the address would
  /// for a moment be let in and not yet kept from sending.
  @Test func anAddressJoinsAGroupThatDenies() throws {
    func policy(_ members: Int) -> String {
      var text = """
        groups:
          web: { intra-group: isolate, egress: [{ deny: mysql, to: any }] }
          db: { type: advanced, ingress: [{ allow: mysql, from: web }] }
        instances:
          db-1: { addresses: 10.0.1.1, groups: db }

        """
      for i in 0..<members { text += "  web-\(i): { addresses: 10.0.0.\(i + 1), groups: web }\n" }
      return text
    }
    let plan = ChangePlan(live: try CompiledPolicy(policy(3)).ruleset, planned: try CompiledPolicy(policy(4)).ruleset)
    let texts = plan.transactions.map { String(decoding: $0.text, as: UTF8.self) }
    #expect(texts.count == 2 && texts[0].contains("map egress-ipv4") && !texts[0].contains("set group"), "\(texts)")
    #expect(texts.last!.contains("set group-ipv4/web"))
  }

  /// Two edits that together change nothing for a packet which each of them alone lets pass: they aren't made in place.
  @Test func whatCannotBeProvedIsStaged() throws {
    func policy(_ group: String) -> String {
      """
      groups:
        a: { type: advanced, egress: [{ allow: ssh, to: any }] }
        b: { type: advanced, egress: [{ allow: http, to: any }] }
        c: { type: advanced, ingress: [{ allow: http, from: a }, { allow: ssh, from: b }] }
      instances:
        a-1: { addresses: 10.0.0.1, groups: a }
        b-1: { addresses: 10.0.0.2, groups: b }
        moves: { addresses: 10.0.0.3, groups: \(group) }
        c-1: { addresses: 10.0.1.1, groups: c }

      """
    }
    let plan = ChangePlan(live: try CompiledPolicy(policy("a")).ruleset, planned: try CompiledPolicy(policy("b")).ruleset)
    #expect(plan.transactions.map(\.name) == ["add", "switch", "delete", "add", "switch", "delete"])
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
            // nobody sends to their own address by way of others
            let source = both[.source].intervals
            if source.count == 1, source[0].isSingle, source == both[.destination].intervals { continue }
            #expect(both.isEmpty, "\(generator) step \(step) state \(number): \(a.witness)")
          }
        }
      }
      live = planned
    }
  }
}

extension ChangePlan.Transaction {
  /// The sets and maps whose elements it edits.
  fileprivate var names: [String] {
    guard case .edit(let edit) = self else { return [] }
    return Set(edit.removed.map(\.set) + edit.added.sets.map(\.name) + edit.added.maps.map(\.name)).sorted()
  }
}
