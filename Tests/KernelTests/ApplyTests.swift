import Glibc
import Nftables
import PacketSpace
import TestSupport
import Testing

@testable import NftablesKernel

/// Plans carried out by a kernel.
@Suite(.requireNamespaces, .serialized) struct ApplyTests {
  /// Hundreds of changes instead of dozens.
  static let isLong = getenv("CORDON_LONG") != nil

  static func live(_ kernel: inout Kernel, _ table: String = "cordon") throws -> Ruleset? {
    try kernel.list(table: table).map { try JSONReader.read($0, table: table) }
  }

  /// The ruleset with chains that no packet of a test comes to and that change with `version`: they make a commit long, and with
  /// it the moment in which a packet could be misjudged.
  private static func loaded(_ ruleset: Ruleset, _ version: Int) -> Ruleset {
    var result = ruleset
    func leading(to chain: String, _ field: Field, _ last: UInt128) -> Rule {
      Rule([.match(Match(field, Interval(0xC000_0200 + last))), .verdict(.jump(chain))])
    }
    let forward = result.chains.firstIndex { $0.name == "forward" }!
    result.chains[forward].rules.insert(leading(to: "load", .ipSource, 77), at: 0)
    result.chains.append(
      Chain("load", rules: (0..<250).map { leading(to: "load-\($0)", .ipDestination, UInt128($0)) }))
    for number in 0..<250 {
      let set = Operand.anonymous(Elements([Interval(1, 5), Interval(7, 9)]))
      let match = number % 4 == 0 ? Match(.field(.ipSource), set) : Match(.ipSource, Interval(3))
      result.chains.append(Chain("load-\(number)", rules: [Rule([.match(match), .verdict(.drop)], comment: "\(version)")]))
    }
    return result
  }

  /// The ruleset with nothing in its sets, as a packet may find it at the wrong moment.
  private static func hollow(_ ruleset: Ruleset) -> Ruleset {
    var result = ruleset
    for index in result.sets.indices { result.sets[index].elements = Elements(stride: result.sets[index].elements.stride) }
    for index in result.chains.indices {
      result.chains[index].rules.removeAll { rule in
        rule.expressions.contains { expression in
          switch expression {
          case .match(let match): if case .anonymous = match.operand { true } else { false }
          case .lookup(let lookup): if case .anonymous = lookup.source { true } else { false }
          default: false
          }
        }
      }
    }
    return result
  }

  /// Flows that two rulesets both let through, and such as both drop: first of all those whose verdict a set decides.
  private static func agreed(_ flows: [ProbeFlow], _ a: Ruleset, _ b: Ruleset) -> (allowed: [ProbeFlow], denied: [ProbeFlow]) {
    let evaluators = [a, b, hollow(a), hollow(b)].map { RulesetEvaluator($0) }
    var result: (allowed: [ProbeFlow], denied: [ProbeFlow]) = ([], [])
    var others = 0
    for flow in flows {
      var packet = flow.packet
      packet.state = .untracked
      let decisions = evaluators.map { $0.evaluate(packet, at: .forward).decision }
      if decisions[0] != decisions[1] { continue }
      if decisions[2] == decisions[0], decisions[3] == decisions[0] {
        others += 1
        if others > 60 { continue }
      }
      if decisions[0] == .accept { result.allowed.append(flow) } else { result.denied.append(flow) }
    }
    return result
  }

  private static func flows(_ policy: RandomPolicy, _ generator: inout SeededGenerator) -> [ProbeFlow] {
    (0..<3000).map { number in
      var flow = RandomPolicyTests.flow(policy, number, using: &generator)
      flow.link = "left"
      return flow
    }
  }

  /// Changes one upon the other, there and back and there again, under traffic: no packet that the policies before and behind
  /// agree on is judged otherwise.
  @Test func noWrongPacket() throws {
    var generator = SeededGenerator(seed: 50_000)
    var changes = try PolicyChanges(using: &generator)
    var stream = try PacketStream.start()
    var before = Self.loaded(changes.compiled.ruleset, 0)
    try stream.inside {
      var kernel = try Kernel()
      try kernel.apply(ChangePlan(live: nil, planned: before))
    }
    var total = PacketStream.Count()
    var transactions: [String: Int] = [:]
    for step in 0..<(Self.isLong ? 170 : 10) {
      try changes.change(using: &generator)
      let planned = Self.loaded(changes.compiled.ruleset, step / 2)
      let flows = Self.agreed(Self.flows(changes.policy, &generator), before, planned)
      let plans = try stream.inside {
        var kernel = try Kernel()
        let there = ChangePlan(live: try Self.live(&kernel), planned: planned)
        return [there, ChangePlan(live: planned, planned: before), ChangePlan(live: before, planned: planned)]
      }
      let count = try stream.run(allowed: flows.allowed, denied: flows.denied) {
        var kernel = try Kernel()
        for plan in plans { try kernel.apply(plan) }
      }
      for plan in plans {
        #expect(!plan.replacesTable)
        for transaction in plan.transactions { transactions[transaction.name, default: 0] += 1 }
      }
      #expect(
        count.allowedButDropped == 0 && count.deniedButPassed == 0,
        "\(generator) step \(step), \(plans.map(\.summary)): \(count)")
      let rest = try stream.inside {
        var kernel = try Kernel()
        return RulesetDifference.compare(live: try Self.live(&kernel), planned: planned)
      }
      #expect(rest.isEmpty, "\(generator) step \(step)\n\(rest.text())")
      total += count
      before = planned
    }
    print(transactions, total)
    #expect(total.allowed > 10_000 && total.denied > 1_000)
  }

  /// The same while addresses join groups and leave them, and prefixes of a group are split: elements of sets and maps in force.
  @Test func noWrongPacketWhileElementsChange() throws {
    func policy(_ number: Int) -> String {
      var text = """
        groups:
          web: { ingress: [{ allow: http, from: any }] }
          partners: { external: true, members: [\(number % 2 == 0 ? "10.0.2.0/24" : "10.0.2.0/25, 10.0.4.0/24")] }
          db: { type: advanced, ingress: [{ allow: mysql, from: [web, partners] }] }
        instances:
          db-1: { addresses: 10.0.1.1, groups: db }

        """
      for i in 0..<2 + number % 3 { text += "  web-\(i): { addresses: 10.0.0.\(i + 1), groups: web }\n" }
      return text
    }
    let rulesets = try (0..<6).map { try CompiledPolicy(policy($0)).ruleset }
    var flows: [ProbeFlow] = []
    for port in UInt16(1)...20 {
      for source in ["10.0.0.1", "10.0.0.2", "10.0.2.5", "10.0.5.1", "198.51.100.7"] {
        for (destination, service) in [("10.0.1.1", UInt16(3306)), ("10.0.1.1", 22), ("10.0.0.1", 80), ("10.0.0.1", 22)] {
          let ports = ProbeFlow.Transport.ports(source: 20_000 + port, destination: service)
          flows.append(ProbeFlow(.tcp, IPAddress(source)!, IPAddress(destination)!, ports))
        }
      }
    }
    var stream = try PacketStream.start()
    try stream.inside {
      var kernel = try Kernel()
      try kernel.apply(ChangePlan(live: nil, planned: rulesets[0]))
    }
    let plans = rulesets.indices.map { ChangePlan(live: rulesets[$0], planned: rulesets[($0 + 1) % rulesets.count]) }
    for plan in plans { #expect(plan.transactions.allSatisfy { $0.name == "elements" }, "\(plan.summary)") }
    let (allowed, denied) = Self.agreed(flows, rulesets[0], rulesets[5])
    let count = try stream.run(allowed: allowed, denied: denied) {
      var kernel = try Kernel()
      for _ in 0..<(Self.isLong ? 100 : 10) {
        for plan in plans { try kernel.apply(plan) }
      }
    }
    print("elements", count)
    #expect(count.allowed > 1_000 && count.denied > 1_000)
    #expect(count.allowedButDropped == 0 && count.deniedButPassed == 0, "\(count)")
  }

  /// The stream sees it where packets are misjudged, as they are while a whole table is replaced.
  @Test func replacingMisjudges() throws {
    var generator = SeededGenerator(seed: 50_000)
    var changes = try PolicyChanges(using: &generator)
    var stream = try PacketStream.start()
    var total = PacketStream.Count()
    for _ in 0..<8 {
      try changes.change(using: &generator)
      let versions = (0..<2).map { Self.loaded(changes.compiled.ruleset, $0) }
      let texts = versions.map { ChangePlan(live: nil, planned: $0).transactions[0].text }
      try stream.inside {
        var kernel = try Kernel()
        try kernel.apply(texts[0])
      }
      let flows = Self.agreed(Self.flows(changes.policy, &generator), versions[0], versions[1])
      let count = try stream.run(allowed: flows.allowed, denied: flows.denied) {
        var kernel = try Kernel()
        for number in 1...30 { try kernel.apply(texts[number % 2]) }
      }
      total += count
      if total.allowedButDropped + total.deniedButPassed > 0 { break }
    }
    #expect(total.allowedButDropped + total.deniedButPassed > 0)
  }

  /// After any sequence of policies the table lists as one that was made from nothing.
  @Test(arguments: 0..<3) func namesDependOnThePlanAlone(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 51_000 + number)
    var changes = try PolicyChanges(using: &generator, host: number == 2)
    try inPrivateNamespace {
      var kernel = try Kernel()
      for step in 0..<12 {
        let planned = changes.compiled.ruleset
        try kernel.apply(ChangePlan(live: try Self.live(&kernel), planned: planned))
        let fresh = try PrivateNamespace.list(text: TextWriter.write(planned), table: "cordon")!
        let here = try kernel.list(table: "cordon")!
        #expect(try Self.objects(here) == Self.objects(fresh), "\(generator) step \(step)")
        try changes.change(using: &generator)
      }
    }
  }

  private static func group(of members: Range<Int>) throws -> Ruleset {
    // no two side by side, which would be a range
    let addresses = members.map { "10.0.\($0 / 100).\($0 % 100 * 2 + 1)" }
    return try CompiledPolicy(
      """
      groups:
        web: { ingress: [{ allow: http, from: any }] }
        db: { ingress: [{ allow: mysql, from: web }] }
      instances:
        web-1: { addresses: [\(addresses.joined(separator: ", "))], groups: web }
        db-1: { addresses: 10.9.0.1, groups: db }
      """
    ).ruleset
  }

  /// Where a set outgrows its size it is made anew, and no packet sees it.
  @Test func setsThatGrow() throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      try kernel.apply(ChangePlan(live: nil, planned: ApplyTests.group(of: 0..<180)))
      // the maps hold one address more than the set
      for (members, isEdited) in [
        (0..<191, true), (0..<193, false), (0..<1535, true), (0..<3000, false), (7..<9, false),
      ] {
        let live = try #require(try ApplyTests.live(&kernel))
        let planned = try ApplyTests.group(of: members)
        let plan = ChangePlan(live: live, planned: planned)
        #expect(!plan.replacesTable)
        #expect(plan.transactions.allSatisfy { $0.name == "elements" } == isEdited, "\(members): \(plan.summary)")
        try kernel.apply(plan)
        #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: planned).isEmpty)
      }
    }
  }

  /// Somebody else has filled a set to the brim: what they put there goes in the transaction in which more comes.
  @Test func setsWithoutRoom() throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      try kernel.apply(ChangePlan(live: nil, planned: ApplyTests.group(of: 0..<100)))
      let more = (0..<284).map { "10.8.\($0 / 100).\($0 % 100 * 2)" }
      try kernel.apply(Array("add element inet cordon group-ipv4/web { \(more.joined(separator: ", ")) }\n".utf8))
      let planned = try ApplyTests.group(of: 0..<101)
      let plan = ChangePlan(live: try ApplyTests.live(&kernel), planned: planned)
      #expect(!plan.replacesTable)
      try kernel.apply(plan)
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: planned).isEmpty)
    }
  }

  /// The objects of a listing, one a line of nft's text, in an order of their own: that of their making is left out.
  private static func objects(_ json: [UInt8]) throws -> [String] {
    var ruleset = try JSONReader.read(json, table: "cordon")
    ruleset.chains.sort { $0.name < $1.name }
    ruleset.sets.sort { $0.name < $1.name }
    ruleset.maps.sort { $0.name < $1.name }
    for index in ruleset.sets.indices {
      let elements = ruleset.sets[index].elements
      let order = (0..<elements.count).sorted { elements[$0].lexicographicallyPrecedes(elements[$1]) }
      ruleset.sets[index].elements = Elements(stride: elements.stride, order.flatMap { elements[$0] })
    }
    for index in ruleset.maps.indices {
      let elements = ruleset.maps[index].elements
      let order = (0..<elements.count).sorted { elements.keys[$0].lexicographicallyPrecedes(elements.keys[$1]) }
      ruleset.maps[index].elements = VerdictElements(stride: elements.keys.stride)
      for place in order {
        ruleset.maps[index].elements.append(contentsOf: elements.keys[place], verdict: elements.verdicts[place])
      }
    }
    return String(decoding: TextWriter.write(ruleset), as: UTF8.self).split(separator: "\n").map { String($0) }
  }

  /// An apply that dies behind any of its transactions: the kernel's table is the model's, and the next apply clears up.
  @Test(arguments: 0..<3) func plansThatDie(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 52_000 + number)
    var changes = try PolicyChanges(using: &generator)
    try inPrivateNamespace {
      var kernel = try Kernel()
      try kernel.apply(ChangePlan(live: nil, planned: changes.compiled.ruleset))
      for step in 0..<12 {
        try changes.change(using: &generator)
        var model = try #require(try Self.live(&kernel))
        let plan = ChangePlan(live: model, planned: changes.compiled.ruleset)
        for transaction in plan.transactions.prefix(Int.random(in: 0...plan.transactions.count, using: &generator)) {
          try kernel.apply(transaction)
          model = transaction.applied(to: model)
          let rest = RulesetDifference.compare(live: try Self.live(&kernel), planned: model)
          #expect(rest.isEmpty, "\(generator) step \(step)\n\(rest.text())")
        }
        if step % 3 == 2 {
          try kernel.apply(ChangePlan(live: try Self.live(&kernel), planned: changes.compiled.ruleset))
          let live = try #require(try Self.live(&kernel))
          #expect(RulesetDifference.compare(live: live, planned: changes.compiled.ruleset).isEmpty)
          #expect(!live.chains.contains { $0.name.hasPrefix("staged-") })
        }
      }
    }
  }
}
