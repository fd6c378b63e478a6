import PacketSpace
import TestSupport
import Testing

@testable import Nftables

/// What rulesets cost, against counts by hand and against nft's own.
struct CostTests {
  private let subnet = Expression.match(Match(.ipSource, .v4(10, 0, 0, 0, length: 24)))
  private let tcp = Expression.match(Match(.l4proto, Interval(6)))

  private func port(_ number: UInt128) -> Expression { .match(Match(.destinationPort, Interval(number))) }

  private func cost(_ ruleset: Ruleset, _ name: String = "base") -> RulesetCost.ChainCost {
    RulesetCost(ruleset).chains.first { $0.name == name }!
  }

  private func cost(_ rules: [[Expression]], more: [Chain] = [], maps: [VerdictMap] = []) -> RulesetCost.ChainCost {
    let base = Chain("base", base: BaseChain(hook: .forward, policy: .drop), rules: rules.map { Rule($0) })
    return cost(Ruleset(tableName: "t", maps: maps, chains: [base] + more))
  }

  /// Every way to ask for every field, as nft itself translates it.
  @Test(.requireNamespaces) func expressionsAreNftsOwn() throws {
    let ruleset = Samples.everything()
    let translator = RuleTranslator(ruleset)
    let theirs = try NetlinkListing.words(TextWriter.write(ruleset))
    for chain in ruleset.chains {
      let words = theirs[chain.name] ?? []
      try #require(words.count == chain.rules.count)
      for (rule, words) in zip(chain.rules, words) {
        #expect(translator.instructions(rule).map(\.word) == words, "\(rule.expressions)")
      }
    }
  }

  @Test func neighboursAreOneLoad() {
    let sport = Expression.match(Match(.sourcePort, Interval(67)))
    let one = cost([[tcp, sport, port(68), .verdict(.accept)]])
    #expect(one.worst.expressions == 5)
    let range = cost([[tcp, port(68), .match(Match(.sourcePort, Interval(1024, 65535))), .verdict(.accept)]])
    #expect(range.worst.expressions == 8)
  }

  /// The dearest packet of two rules fails the first at its last comparison, and comes to the end of the second.
  @Test func worstIsTheDearestWay() {
    let found = cost([[subnet, tcp, port(22), .verdict(.drop)], [subnet, tcp, port(80), .verdict(.accept)]])
    #expect(found.worst.rules == 2)
    #expect(found.worst.expressions == 8 + 9)
    // /24 is three bytes, which are loaded at leisure
    let rule = CostModel.rule + 7 * CostModel.inline + CostModel.bytes
    #expect(abs(found.worst.nanoseconds - (2 * rule + CostModel.verdict)) < 0.001)
  }

  /// No packet is of both families, nor of two protocols.
  @Test func familyAndProtocolAreKnown() {
    let v6 = Expression.match(Match(.ip6Source, .single(1)))
    let found = cost([[v6, tcp, port(22), .verdict(.drop)], [subnet, tcp, port(80), .verdict(.accept)]])
    // IPv4: 2 of the first, 9 of the second; IPv6 as dear in expressions: 8 and 2
    #expect(found.worst.expressions == 11)
    let udp = Expression.match(Match(.l4proto, Interval(17)))
    let protocols = cost([[tcp, port(22), .verdict(.drop)], [udp, port(80), .verdict(.accept)], [.verdict(.drop)]])
    #expect(protocols.worst.expressions == 2 + 4 + 1)
    #expect(protocols.worst.rules == 3)
  }

  @Test func usualIsTheMeanOfTheWays() {
    // for each protocol: TCP decides at the rule (5) or behind it (4, at the first open condition), the others behind it (2)
    let found = cost([[tcp, port(22), .verdict(.accept)]])
    let shapes = Double(PacketShape.all.count)
    let mean = (2 * (5 + 4) + (shapes - 2) * 2) / (2 * 2 + shapes - 2)
    #expect(abs(found.usual.expressions - mean) < 1e-9)
    #expect(found.usual.rules == 1)
    #expect(found.worst.expressions == 5)
  }

  @Test func jumpsComeBackAndGotosDont() {
    let leaf = Chain("leaf", rules: [Rule([subnet, .verdict(.drop)])])
    let jump = cost([[.verdict(.jump("leaf"))], [.counter, .verdict(.accept)]], more: [leaf])
    // the jump, the comparison that fails, and the accept behind
    #expect(jump.worst.expressions == 1 + 4 + 2)
    #expect(jump.worst.rules == 3)
    let goto = cost([[.verdict(.goto("leaf"))], [.counter, .verdict(.accept)]], more: [leaf])
    #expect(goto.worst.expressions == 1 + 5)
    #expect(goto.worst.rules == 2)
  }

  @Test func aLookupPaysItsDearestTarget() {
    var elements = VerdictElements()
    elements.append(.v4(10, 0, 0, 1), verdict: .goto("small"))
    elements.append(.v4(10, 0, 0, 2), verdict: .goto("large"))
    let map = VerdictMap("map", types: [.ipv4Address], isInterval: false, elements: elements)
    let found = cost(
      [[.lookup(VerdictLookup(.field(.ipSource), .named("map")))]],
      more: [
        Chain("small", rules: [Rule([.verdict(.drop)])]),
        Chain("large", rules: [Rule([subnet, .verdict(.accept)]), Rule([.verdict(.drop)])]),
      ], maps: [map])
    #expect(found.worst.expressions == 4 + 5 + (4 - 5) + 1)
    #expect(found.worst.hashLookups == 1)
    #expect(found.worst.rules == 3)
  }

  /// Of a lookup by protocol a packet finds the elements of its own.
  @Test func aLookupByProtocolLeadsToTheProtocolsOwn() {
    var elements = VerdictElements(stride: 2)
    elements.append(Interval(6), Interval(22), verdict: .goto("ssh"))
    elements.append(Interval(17), Interval(53), verdict: .accept)
    let services = Expression.lookup(VerdictLookup(.concatenation([.l4proto, .destinationPort]), .anonymous(elements)))
    let ssh = Chain("ssh", rules: [Rule([.match(Match(.l4proto, Interval(17))), .verdict(.accept)])])
    // of UDP, the rule behind ssh's lookup would be passed with one expression more
    #expect(cost([[services]], more: [ssh]).worst.expressions == 3 + 2)
  }

  @Test func kindsOfSets() {
    var exact = Elements()
    var intervals = Elements()
    var pairs = Elements(stride: 2)
    for index in UInt128(0)..<1000 {
      exact.append(Interval(index))
      intervals.append(Interval(index * 4, index * 4 + 2))
      pairs.append(Interval(17), Interval(index * 4, index * 4 + 2))
    }
    #expect(LookupCost(exact, isInterval: false).worst.hashLookups == 1)
    let tree = LookupCost(intervals, isInterval: true)
    #expect(tree.worst.treeLookups == 1)
    #expect((390...430).contains(tree.worst.nanoseconds), "measured: 396")
    let crowded = LookupCost(pairs, isInterval: true)
    #expect(crowded.worst.concatenatedLookups == 1)
    #expect((9000...10_000).contains(crowded.worst.nanoseconds), "measured: 9,900")
    let flipped = Elements(stride: 2, (0..<1000).flatMap { [pairs[$0].last!, pairs[$0].first!] })
    #expect((110...150).contains(LookupCost(flipped, isInterval: true).worst.nanoseconds), "measured: 130")
  }

  @Test func crowdsAreCountedWhereElementsBegin() {
    let elements = Elements(
      stride: 2,
      [Interval(0, 9), Interval(1), Interval(5), Interval(2), Interval(9, 12), Interval(3), Interval(20), Interval(4)])
    #expect(elements.firstFieldCrowds.most == 2)
    #expect(elements.firstFieldCrowds.mean == 1.5)
    #expect(Elements().firstFieldCrowds.most == 0)
  }

  @Test func establishedFlowsPayUpToTheirRule() throws {
    let states = Expression.match(Match(.field(.connectionState), .anonymous(Elements([Interval(2), Interval(4)]))))
    let links = Chain("links", rules: [Rule([.match(Match(.inputInterface, .link("left"))), .verdict(.return)])])
    let found = cost(
      [[.verdict(.jump("links"))], [subnet, .verdict(.drop)], [states, .verdict(.accept)], [subnet, .verdict(.accept)]],
      more: [links])
    let established = try #require(found.established)
    #expect(established.rules == 4)
    // the jump; the link's name, which is the packet's, and the return; an address that isn't; the states and the accept
    #expect(established.expressions == 1 + 3 + 4 + 4)
    #expect(cost([[subnet, .verdict(.drop)]]).established == nil)
  }

  @Test func totalsOfTheTable() {
    var ruleset = Ruleset(tableName: "t")
    ruleset.sets = [
      NamedSet("a", types: [.ipv4Address], isInterval: true, elements: Elements([.v4(10, 0, 0, 0, length: 8)])),
      NamedSet("b", types: [.ipv4Address], isInterval: false, elements: Elements([.v4(10, 0, 0, 1), .v4(10, 0, 0, 2)])),
    ]
    let ports = Expression.match(Match(.field(.destinationPort), .anonymous(Elements([Interval(22), Interval(80, 90)]))))
    let single = Expression.match(Match(.field(.sourcePort), .anonymous(Elements([Interval(22)]))))
    ruleset.chains = [Chain("x", rules: [Rule([tcp, ports, .verdict(.drop)]), Rule([tcp, single, .verdict(.drop)])])]
    let table = TableCost(ruleset)
    #expect(table.rules == 2 && table.chains == 1 && table.sets == 3 && table.anonymousSets == 1)
    #expect(table.exactElements == 2 && table.intervalElements == 3 && table.concatenatedElements == 0)
    #expect(table.warnings == [])
  }

  @Test func warnsPastTheLimits() {
    var ruleset = Ruleset(tableName: "t")
    var pairs = Elements(stride: 2)
    for index in UInt128(0)...2000 { pairs.append(Interval(index * 4, index * 4 + 1), Interval(6)) }
    let crowd = Elements(stride: 2, (UInt128(0)...200).flatMap { [Interval(6), Interval($0 * 4, $0 * 4 + 1)] })
    ruleset.sets = [
      NamedSet("large", types: [.inetService, .inetProto], isInterval: true, elements: pairs),
      NamedSet("crowded", types: [.inetProto, .inetService], isInterval: true, elements: crowd),
    ]
    let set = Elements([Interval(1), Interval(2)])
    let rule = Rule([tcp, .match(Match(.field(.destinationPort), .anonymous(set))), .verdict(.drop)])
    ruleset.chains = [Chain("x", rules: Array(repeating: rule, count: 2499))]
    let warnings = TableCost(ruleset).warnings
    #expect(warnings.count == 3)
    #expect(warnings[0].hasPrefix("set large has 2001 concatenated intervals"))
    #expect(warnings[1].hasPrefix("set crowded has 201 concatenated intervals with the same first field"))
    #expect(warnings[2] == "2501 sets and maps: the kernel finds each by walking all of them, about 0.4 s of the load")
  }

  /// What the lowering asks: when a set loads faster than a rule for each value, and whether a lookup is dearer than rules.
  @Test func choosesBetweenRulesAndSets() {
    #expect(CostModel.valuesOfSet(besides: 0, areIntervals: false) == 3)
    #expect(CostModel.valuesOfSet(besides: CostModel.mostSets, areIntervals: false) == 9)
    #expect(CostModel.valuesOfSet(besides: CostModel.mostSets, areIntervals: true) == 11)
    let host = Expression.match(Match(.ipSource, .v4(10, 0, 0, 1)))
    #expect(CostModel.passing([host]) == CostModel.rule + 4 * CostModel.inline)
    #expect(CostModel.passing([subnet]) == CostModel.rule + 3 * CostModel.inline + CostModel.bytes)
    #expect(CostModel.passing([host, .verdict(.drop)]) == CostModel.passing([host]))
  }

  /// The measured loads of whole tables, within a quarter or so.
  @Test func loadsAreAsMeasured() {
    #expect((0.09...0.11).contains(CostModel.load(sets: 1000)))
    #expect((1.2...1.5).contains(CostModel.load(sets: 5000)))
    #expect((4.4...5.1).contains(CostModel.load(sets: 10_000)))
  }
}
