import Glibc
import Nftables
import NftablesKernel
import PacketSpace
import TestSupport
import Testing

/// Plans carried out by a kernel.
@Suite(.requireNamespaces, .serialized) struct ApplyTests {
  /// Hundreds of changes instead of dozens.
  static let isLong = getenv("CORDON_LONG") != nil

  static func live(_ kernel: inout Kernel, _ table: String = "cordon") throws -> Ruleset? {
    try kernel.list(table: table).map { try JSONReader.read($0, table: table) }
  }

  /// Changes one upon the other, under traffic: no packet that the policies before and behind agree on is judged otherwise.
  @Test func noWrongPacket() throws {
    var generator = SeededGenerator(seed: 50_000)
    var changes = try PolicyChanges(using: &generator)
    var stream = try PacketStream.start()
    let first = changes.compiled.ruleset
    try stream.inside {
      var kernel = try Kernel()
      try kernel.apply(ChangePlan(live: nil, planned: first))
    }
    var total = PacketStream.Count()
    var transactions = 0
    for step in 0..<(Self.isLong ? 500 : 40) {
      let before = changes.compiled.ruleset
      try changes.change(using: &generator)
      let planned = changes.compiled.ruleset
      let evaluators = (RulesetEvaluator(before), RulesetEvaluator(planned))
      var allowed: [ProbeFlow] = []
      var denied: [ProbeFlow] = []
      for number in 0..<600 {
        var flow = RandomPolicyTests.flow(changes.policy, number, using: &generator)
        flow.link = "left"
        var packet = flow.packet
        packet.state = .untracked
        let decisions = (
          evaluators.0.evaluate(packet, at: .forward).decision, evaluators.1.evaluate(packet, at: .forward).decision
        )
        if decisions.0 != decisions.1 || flow.source == flow.destination { continue }
        if decisions.0 == .accept { allowed.append(flow) } else { denied.append(flow) }
      }
      let count = try stream.run(allowed: allowed, denied: denied) {
        var kernel = try Kernel()
        usleep(2000)
        let plan = ChangePlan(live: try Self.live(&kernel), planned: planned)
        #expect(!plan.replacesTable)
        transactions += plan.transactions.count
        try kernel.apply(plan)
        usleep(2000)
        let rest = RulesetDifference.compare(live: try Self.live(&kernel), planned: planned)
        #expect(rest.isEmpty, "\(generator) step \(step)\n\(rest.text())")
      }
      #expect(count.allowedButDropped == 0, "\(generator) step \(step): \(count)")
      #expect(count.deniedButPassed == 0, "\(generator) step \(step): \(count)")
      total += count
    }
    print("applied in \(transactions) transactions: \(total)")
    #expect(total.allowed > 10_000 && total.denied > 10_000)
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
          try kernel.apply(transaction.text)
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
