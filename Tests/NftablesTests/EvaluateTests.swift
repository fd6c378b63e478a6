import Nftables
import PacketSpace
import TestSupport
import Testing

@Suite struct EvaluateTests {
  typealias Decision = RulesetEvaluator.Decision

  private func packet(
    _ ipProtocol: IPProtocol = .tcp, _ transport: TransportHeader = .ports(source: 1000, destination: 22),
    v6: Bool = false, state: ConnectionState = .new, input: String = ""
  ) -> Packet {
    Packet(
      source: v6 ? IPAddress("fd00::1")! : IPAddress("10.0.0.1")!,
      destination: v6 ? IPAddress("fd00::2")! : IPAddress("10.0.0.2")!,
      ipProtocol: ipProtocol, transport: transport, state: state, inputInterface: input)
  }

  /// What a chain of these rules, of policy drop, does; `more` are chains beside it.
  private func decide(
    _ rules: [[Expression]], _ packet: Packet, more: [Chain] = [], sets: [NamedSet] = [], maps: [VerdictMap] = [],
    limits: RulesetEvaluator.Limits = .within
  ) -> Decision {
    let base = Chain("base", base: BaseChain(hook: .forward, policy: .drop), rules: rules.map { Rule($0) })
    let ruleset = Ruleset(tableName: "t", sets: sets, maps: maps, chains: [base] + more)
    return RulesetEvaluator(ruleset, limits: limits).evaluate(packet, at: .forward).decision
  }

  private func accepts(_ match: Match, _ packet: Packet) -> Bool {
    decide([[.match(match), .verdict(.accept)]], packet) == .accept
  }

  @Test func aFieldWithNothingToLoadEndsItsRule() {
    let v6Packet = packet(v6: true)
    let cases: [(Match, Packet)] = [
      (Match(.ipSource, Interval(0, 0xFFFF_FFFF)), v6Packet),
      (Match(.ip6Source, Interval(0, UInt128.max)), packet()),
      (Match(.ipProtocol, Interval(0, 255)), v6Packet),
      (Match(.destinationPort, Interval(0, 65535)), packet(.gre, .empty)),
      (Match(.destinationPort, Interval(0, 65535)), packet(.gre, TransportHeader(bytes: 0, count: 3))),
      (Match(.sourcePort, Interval(0, 65535)), packet(.gre, TransportHeader(bytes: 0, count: 1))),
      (Match(.icmpType, Interval(0, 255)), packet()),
      (Match(.icmpType, Interval(0, 255)), packet(.icmp, .empty)),
      (Match(.icmpType, Interval(0, 255)), packet(.icmp, .icmp(type: 8, code: 0), v6: true)),
      (Match(.icmpCode, Interval(0, 255)), packet(.icmp, TransportHeader(bytes: 0, count: 1))),
      (Match(.icmpv6Type, Interval(0, 255)), packet(.icmpv6, .icmp(type: 128, code: 0))),
      (Match(.icmpv6Code, Interval(0, 255)), packet(.icmp, .icmp(type: 8, code: 0), v6: true)),
    ]
    for (match, packet) in cases {
      guard case .value(let all) = match.operand else { continue }
      let key = match.key
      let both = Key.concatenation([.connectionState] + key.fields)
      #expect(!accepts(match, packet), "\(match)")
      // nothing to load is no value, so it isn't another value either
      #expect(!accepts(Match(key, .value(Interval(1)), isNegated: true), packet), "\(match)")
      #expect(!accepts(Match(key, .anonymous(Elements([all]))), packet))
      #expect(!accepts(Match(key, .anonymous(Elements([Interval(1)])), isNegated: true), packet))
      #expect(!accepts(Match(both, .anonymous(Elements(stride: 2, [Interval(8), all]))), packet))
      #expect(!accepts(Match(both, .anonymous(Elements(stride: 2, [Interval(1), all])), isNegated: true), packet))
      var map = VerdictElements()
      map.append(all, verdict: .accept)
      #expect(decide([[.lookup(VerdictLookup(key, .anonymous(map)))]], packet) == .drop)
    }
    #expect(accepts(Match(.sourcePort, Interval(0)), packet(.gre, TransportHeader(bytes: 0, count: 2))))
    #expect(accepts(Match(.icmpv6Code, Interval(3)), packet(.icmpv6, .icmp(type: 1, code: 3), v6: true)))
  }

  @Test func portsAreTheBytesOfAnyProtocol() {
    #expect(accepts(Match(.destinationPort, Interval(22)), packet(.esp)))
    #expect(
      accepts(
        Match(.field(.destinationPort), .value(Interval(22)), isNegated: true), packet(.gre, .ports(source: 0, destination: 1)))
    )
  }

  @Test func everyFieldIsLoaded() {
    let p = Packet(
      source: IPAddress("10.0.0.1")!, destination: IPAddress("10.0.0.2")!, ipProtocol: .udp,
      transport: .ports(source: 53, destination: 99), state: .related, inputInterface: "tap3", outputInterface: "")
    let expected: [Field: UInt128] = [
      .nfproto: 2, .l4proto: 17, .ipProtocol: 17, .ipSource: 0x0A00_0001, .ipDestination: 0x0A00_0002, .sourcePort: 53,
      .destinationPort: 99, .inputInterface: Field.encode(interface: "tap3"), .outputInterface: 0, .connectionState: 4,
    ]
    for field in Field.allCases { #expect(p.value(of: field) == expected[field], "\(field)") }
    let states: [(ConnectionState, UInt128)] = [(.invalid, 1), (.established, 2), (.related, 4), (.new, 8), (.untracked, 64)]
    for (state, bit) in states { #expect(packet(state: state).value(of: .connectionState) == bit) }
  }

  @Test func returnGoesBehindTheLastJump() {
    let p = packet()
    // jump: comes back
    #expect(decide([[.verdict(.jump("a"))], [.verdict(.accept)]], p, more: [Chain("a")]) == .accept)
    #expect(
      decide([[.verdict(.jump("a"))], [.verdict(.accept)]], p, more: [Chain("a", rules: [Rule([.verdict(.return)])])])
        == .accept)
    // goto: doesn't, and the policy decides
    #expect(decide([[.verdict(.goto("a"))], [.verdict(.accept)]], p, more: [Chain("a")]) == .drop)
    // jump, goto, return: behind the jump
    let chains = [Chain("a", rules: [Rule([.verdict(.goto("b"))]), Rule([.verdict(.drop)])]), Chain("b")]
    #expect(decide([[.verdict(.jump("a"))], [.verdict(.accept)]], p, more: chains) == .accept)
    // return in a base chain: its policy
    #expect(decide([[.verdict(.return)], [.verdict(.accept)]], p) == .drop)
    #expect(decide([[.verdict(.continue)], [.verdict(.accept)]], p) == .accept)
  }

  @Test func lookupsFindTheirElement() {
    let key = Key.concatenation([.l4proto, .destinationPort])
    var map = VerdictElements(stride: 2)
    map.append(Interval(17), Interval(0, 65535), verdict: .drop)
    map.append(Interval(6), Interval(20, 30), verdict: .accept)
    map.append(Interval(6), Interval(40), verdict: .continue)
    let lookup = Expression.lookup(VerdictLookup(key, .anonymous(map)))
    func tcp(_ port: UInt16) -> Packet { packet(.tcp, .ports(source: 1, destination: port)) }
    #expect(decide([[lookup]], tcp(30)) == .accept)
    #expect(decide([[lookup], [.verdict(.accept)]], packet(.udp)) == .drop)
    // no element: the rule ends, and what stands behind the lookup isn't reached
    #expect(decide([[lookup, .verdict(.accept)]], tcp(31)) == .drop)
    // continue goes on with the next expression
    #expect(decide([[lookup, .verdict(.accept)]], tcp(40)) == .accept)
    let named = VerdictMap("m", types: [.inetProto, .inetService], isInterval: true, elements: map)
    let outcome = RulesetEvaluator(
      Ruleset(
        tableName: "t", maps: [named],
        chains: [
          Chain(
            "base", base: BaseChain(hook: .input, policy: .drop),
            rules: [
              Rule([.match(Match(.l4proto, Interval(6))), .log(prefix: "x", group: nil)]),
              Rule([.lookup(VerdictLookup(key, .named("m")))], origin: Origin(rawValue: 9)),
            ])
        ])
    ).evaluate(tcp(25), at: .input)
    #expect(outcome.decision == .accept)
    #expect(outcome.trace.map(\.rule) == [0, 1])
    #expect(outcome.trace.map(\.isLogged) == [true, false])
    #expect(outcome.trace.map(\.verdict) == [nil, .accept])
    #expect(outcome.trace.last?.element == 1)
    #expect(outcome.trace.last?.origin?.rawValue == 9)
    #expect(outcome.trace.last?.chain == "base")
  }

  @Test func emptySetsHoldNothing() {
    let empty = NamedSet("s", types: [.ipv4Address], isInterval: true, elements: Elements())
    #expect(decide([[.match(Match(.field(.ipSource), .named("s"))), .verdict(.accept)]], packet(), sets: [empty]) == .drop)
    let not = Match(.field(.ipSource), .named("s"), isNegated: true)
    #expect(decide([[.match(not), .verdict(.accept)]], packet(), sets: [empty]) == .accept)
  }

  @Test func limitsAreAsAsked() {
    for limit in [Expression.namedLimit("l"), .limit(packetsPerSecond: 1)] {
      let rules: [[Expression]] = [[limit, .log(prefix: "", group: nil), .verdict(.accept)]]
      #expect(decide(rules, packet()) == .accept)
      #expect(decide(rules, packet(), limits: .exceeded) == .drop)
    }
  }

  @Test func whatIsNotKnownDecidesNothing() {
    func isUndecidable(_ decision: Decision) -> Bool { if case .undecidable = decision { true } else { false } }
    let p = packet()
    #expect(isUndecidable(decide([[.unknown("x"), .verdict(.accept)]], p)))
    // the rule had ended before
    #expect(decide([[.match(Match(.l4proto, Interval(17))), .unknown("x")], [.verdict(.accept)]], p) == .accept)
    #expect(isUndecidable(decide([[.verdict(.jump("nowhere"))]], p)))
    #expect(isUndecidable(decide([[.match(Match(.field(.ipSource), .named("nowhere"))), .verdict(.accept)]], p)))
    let timeout = NamedSet("s", types: [.ipv4Address], isInterval: false, elements: Elements(), unknown: ["timeout"])
    #expect(
      isUndecidable(decide([[.match(Match(.field(.ipSource), .named("s"))), .verdict(.accept)]], p, sets: [timeout])))
    // circles end
    let jump = Chain("a", rules: [Rule([.verdict(.jump("a"))])])
    #expect(isUndecidable(decide([[.verdict(.jump("a"))]], p, more: [jump])))
    let goto = Chain("a", rules: [Rule([.verdict(.jump("b"))]), Rule([.verdict(.goto("a"))])])
    #expect(isUndecidable(decide([[.verdict(.jump("a"))]], p, more: [goto, Chain("b")])))
  }

  @Test func baseChainsFollowEachOther() {
    func base(_ name: String, _ priority: Int32, _ verdict: Verdict, _ policy: Verdict = .accept) -> Chain {
      Chain(name, base: BaseChain(hook: .forward, priority: priority, policy: policy), rules: [Rule([.verdict(verdict)])])
    }
    func outcome(_ chains: [Chain], _ hook: Hook = .forward) -> RulesetEvaluator.Outcome {
      RulesetEvaluator(Ruleset(tableName: "t", chains: chains)).evaluate(packet(), at: hook)
    }
    // accept ends one base chain, drop ends all
    #expect(outcome([base("a", 0, .accept), base("b", 5, .drop)]).decision == .drop)
    #expect(outcome([base("a", 0, .accept), base("b", 5, .drop)]).trace.map(\.chain) == ["a", "b"])
    #expect(outcome([base("a", 0, .accept), base("b", -5, .drop)]).trace.map(\.chain) == ["b"])
    #expect(outcome([base("a", 0, .return, .drop)]).decision == .drop)
    #expect(outcome([base("a", 0, .drop)], .input).decision == .accept)
  }

  @Test func aDormantTableEnforcesNothing() {
    var ruleset = Ruleset(tableName: "t", chains: [Chain("c", base: BaseChain(hook: .forward, policy: .drop))])
    #expect(RulesetEvaluator(ruleset).evaluate(packet(), at: .forward).decision == .drop)
    ruleset.hasTableFlags = true
    #expect(RulesetEvaluator(ruleset).evaluate(packet(), at: .forward).decision == .accept)
  }

  /// Sets are searched by an index; going through them one by one must find the same.
  @Test func findsWhatASearchOfAllFinds() {
    var g = SeededGenerator(seed: 3)
    for _ in 0..<300 {
      let fields: [Field] = [[.l4proto], [.l4proto, .destinationPort], [.destinationPort, .sourcePort, .l4proto]].randomElement(
        using: &g)!
      var elements = VerdictElements(stride: fields.count)
      for i in 0..<Int.random(in: 0...12, using: &g) {
        let element = fields.map { field in
          let low = field == .l4proto ? [6, 17, 47].randomElement(using: &g)! : UInt128.random(in: 0...30, using: &g)
          return Interval(low, low + (Bool.random(using: &g) ? 0 : UInt128.random(in: 0...12, using: &g)))
        }
        elements.append(contentsOf: element, verdict: .jump("c\(i)"))
      }
      let chains = (0..<12).map { Chain("c\($0)", rules: [Rule([.verdict(.accept)])]) }
      let base = Chain(
        "base", base: BaseChain(hook: .forward, policy: .drop),
        rules: [
          Rule([.lookup(VerdictLookup(fields.count == 1 ? .field(fields[0]) : .concatenation(fields), .anonymous(elements)))])
        ])
      let evaluator = RulesetEvaluator(Ruleset(tableName: "t", chains: [base] + chains))
      for _ in 0..<20 {
        let p = packet(
          [.tcp, .udp, .gre].randomElement(using: &g)!,
          .ports(source: UInt16.random(in: 0...40, using: &g), destination: UInt16.random(in: 0...40, using: &g)))
        let expected = (0..<elements.count).first { i in
          zip(fields, elements.keys[i]).allSatisfy { $1.contains(p.value(of: $0)!) }
        }
        let outcome = evaluator.evaluate(p, at: .forward)
        #expect(outcome.trace.first?.element == expected, "\(g)")
      }
    }
  }

  /// The evaluator and the diagrams walk the same chains each in its own way.
  @Test func agreesWithDiagrams() throws {
    var g = SeededGenerator(seed: 4)
    var decided = 0
    for round in 0..<150 {
      var ruleset = Samples.random(&g)
      // diagrams know no limits
      for c in ruleset.chains.indices {
        for r in ruleset.chains[c].rules.indices {
          ruleset.chains[c].rules[r].expressions.removeAll { $0 == .namedLimit("denied") }
        }
      }
      let evaluator = RulesetEvaluator(ruleset)
      var diagrams = RulesetDiagrams(ruleset)
      var store = DiagramStore()
      for chain in ruleset.chains {
        guard let base = chain.base else { continue }
        let diagram = try diagrams.baseChain(chain.name, in: &store)
        for _ in 0..<60 {
          let p = Samples.packet(&g)
          let outcome = evaluator.evaluate(p, at: base.hook)
          let expected: Decision = store.decide(diagram, p) == RulesetDiagrams.Outcome.accept.rawValue ? .accept : .drop
          decided += 1
          #expect(
            outcome.decision == expected,
            "\(g), round \(round): \(p)\n\(outcome.trace)\n\(String(decoding: TextWriter.write(ruleset), as: UTF8.self))")
        }
      }
    }
    #expect(decided > 10_000)
  }
}
