import Nftables
import PacketSpace
import TestSupport
import Testing

@Suite struct ValidateTests {
  private static let valid = Ruleset(
    tableName: "t", limits: [NamedLimit("l", packetsPerSecond: 1)],
    sets: [
      NamedSet("s", types: [.ipv4Address], isInterval: false, elements: Elements([.v4(1, 0, 0, 1), .v4(1, 0, 0, 2)])),
      NamedSet(
        "pair", types: [.ipv4Address, .inetService], isInterval: true,
        elements: Elements(stride: 2, [.v4(1, 0, 0, 0, length: 8), Interval(1, 9), .v4(1, 0, 0, 0, length: 8), Interval(10)])),
    ],
    maps: [VerdictMap("m", types: [.ipv4Address], isInterval: true, elements: VerdictElements())],
    chains: [
      Chain("forward", base: BaseChain(hook: .forward, policy: .accept), rules: [Rule([.verdict(.jump("c"))])]),
      Chain("c", rules: [Rule([.verdict(.accept)], comment: "x")]),
    ])

  /// A break, what it is, and whether nft refuses it too.
  struct Case: CustomTestStringConvertible, Sendable {
    var kind: RulesetProblem.Kind
    var nftRefuses: Bool
    var testDescription: String
    var change: @Sendable (inout Ruleset) -> Void

    init(
      _ kind: RulesetProblem.Kind, _ name: String, nftRefuses: Bool = true,
      _ change: @escaping @Sendable (inout Ruleset) -> Void
    ) {
      (self.kind, self.testDescription, self.nftRefuses, self.change) = (kind, name, nftRefuses, change)
    }
  }

  private static func add(_ ruleset: inout Ruleset, _ expressions: [Expression]) {
    ruleset.chains[1].rules.insert(Rule(expressions), at: 0)
  }
  private static func match(_ field: Field, _ value: UInt128, isNegated: Bool = false) -> Expression {
    .match(Match(.field(field), .value(Interval(value)), isNegated: isNegated))
  }
  private static func anonymous(_ field: Field, _ values: UInt128...) -> Expression {
    .match(Match(.field(field), .anonymous(Elements(values.map { Interval($0) }))))
  }

  static let cases: [Case] = [
    Case(.name, "an empty name") { $0.sets[0].name = "" },
    Case(.name, "a name with a space") { $0.chains[1].name = "a b" },
    Case(.name, "a name that begins with a digit") { $0.chains[1].name = "1" },
    Case(.name, "a name of 256 bytes") {
      $0.chains[0].rules = []
      $0.chains[1].name = String(repeating: "x", count: 256)
    },
    Case(.name, "one of nft's words") {
      $0.chains[0].rules = []
      $0.chains[1].name = "fwd"
    },
    Case(.duplicateName, "two chains", nftRefuses: false) { $0.chains.append($0.chains[1]) },
    Case(.duplicateName, "a set and a map") { $0.maps[0].name = "s" },
    Case(.duplicateName, "two sets", nftRefuses: false) { $0.sets.append($0.sets[0]) },
    Case(.duplicateName, "two limits", nftRefuses: false) { $0.limits.append($0.limits[0]) },
    Case(.unknownChain, "a jump to nowhere") { add(&$0, [.verdict(.jump("x"))]) },
    Case(.unknownChain, "an element to nowhere") { $0.maps[0].elements.append(.v4(1, 1, 1, 1), verdict: .goto("x")) },
    Case(.unknownSet, "no such set") { add(&$0, [.match(Match(.field(.ipSource), .named("x")))]) },
    Case(.unknownMap, "no such map") { add(&$0, [.lookup(VerdictLookup(.field(.ipSource), .named("x")))]) },
    Case(.unknownMap, "a set for a map") { add(&$0, [.lookup(VerdictLookup(.field(.ipSource), .named("s")))]) },
    Case(.unknownLimit, "no such limit") { add(&$0, [.namedLimit("x")]) },
    Case(.jumpToBaseChain, "a jump to a base chain") { add(&$0, [.verdict(.jump("forward"))]) },
    Case(.loop, "a chain that jumps to itself") { add(&$0, [.verdict(.jump("c"))]) },
    Case(.loop, "a circle by a map") {
      $0.maps[0].elements.append(.v4(1, 1, 1, 1), verdict: .goto("c"))
      add(&$0, [.lookup(VerdictLookup(.field(.ipSource), .named("m")))])
    },
    Case(.depth, "sixteen chains below a base chain") { ruleset in
      for i in 0..<15 {
        ruleset.chains[ruleset.chains.count - 1].rules = [Rule([.verdict(i % 2 == 0 ? .jump("c\(i)") : .goto("c\(i)"))])]
        ruleset.chains.append(Chain("c\(i)"))
      }
    },
    Case(.policy, "a policy of return") { $0.chains[0].base!.policy = .return },
    Case(.chainType, "a chain of type nat") { $0.chains[0].base!.type = "nat" },
    Case(.keyType, "a set of another type") { add(&$0, [.match(Match(.field(.destinationPort), .named("s")))]) },
    Case(.keyType, "a set of more fields") { add(&$0, [.match(Match(.field(.ipSource), .named("pair")))]) },
    Case(.keyType, "a map of another type") { add(&$0, [.lookup(VerdictLookup(.field(.l4proto), .named("m")))]) },
    Case(.keySize, "five addresses") {
      $0.sets[0] = NamedSet(
        "s", types: Array(repeating: .ipv6Address, count: 5), isInterval: false, elements: Elements(stride: 5))
    },
    Case(.value, "a type of 256") { add(&$0, [match(.icmpType, 256)]) },
    Case(.value, "a port of 65536") { add(&$0, [match(.destinationPort, 65536)]) },
    Case(.value, "two states at once", nftRefuses: false) { add(&$0, [match(.connectionState, 6)]) },
    Case(.missingIntervalFlag, "a range in an exact set") { $0.sets[0].elements.append(Interval(0, 5)) },
    Case(.intervalFlag, "states with intervals", nftRefuses: false) {
      $0.sets[0] = NamedSet("s", types: [.connectionState], isInterval: true, elements: Elements())
    },
    Case(.size, "more elements than there is room for") {
      $0.sets[0].size = 1
      $0.sets[0].elements.append(.v4(9, 0, 0, 1))
    },
    Case(.size, "room for nothing", nftRefuses: false) { $0.sets[0].size = 0 },
    Case(.size, "a map with more elements than there is room for") {
      $0.maps[0].isInterval = false
      $0.maps[0].size = 1
      for last in 1...2 { $0.maps[0].elements.append(.v4(1, 1, 1, UInt8(last)), verdict: .accept) }
    },
    Case(.overlap, "ranges that overlap") {
      $0.sets[0].isInterval = true
      $0.sets[0].elements.append(Interval(0, 0x0100_0001))
    },
    Case(.overlap, "an address twice", nftRefuses: false) { $0.sets[0].elements.append(.v4(1, 0, 0, 1)) },
    Case(.overlap, "concatenations that overlap") {
      $0.sets[1].elements.append(.v4(1, 2, 3, 0, length: 24), Interval(5))
    },
    Case(.overlap, "an element with two verdicts") {
      $0.maps[0].elements.append(.v4(1, 1, 1, 1), verdict: .accept)
      $0.maps[0].elements.append(.v4(1, 1, 1, 1), verdict: .drop)
    },
    Case(.emptyRule, "a rule of nothing", nftRefuses: false) { add(&$0, []) },
    Case(.afterVerdict, "a counter behind a verdict") { add(&$0, [.verdict(.drop), .counter]) },
    Case(.contradiction, "addresses of two families") { add(&$0, [match(.ipSource, 1), match(.ip6Source, 1)]) },
    Case(.contradiction, "a family and the other's address") { add(&$0, [match(.nfproto, 10), match(.ipSource, 1)]) },
    Case(.contradiction, "two protocols") { add(&$0, [match(.l4proto, 6), match(.destinationPort, 1), match(.icmpType, 8)]) },
    Case(.contradiction, "several protocols, and one's type") { add(&$0, [anonymous(.l4proto, 1, 6), match(.icmpType, 8)]) },
    Case(.contradiction, "ICMP of the other family", nftRefuses: false) {
      add(&$0, [match(.nfproto, 10), match(.icmpType, 8)])
    },
    Case(.contradiction, "ICMP whose family isn't said", nftRefuses: false) {
      add(&$0, [match(.l4proto, 1), match(.icmpType, 8)])
    },
    Case(.contradiction, "ICMP of several families", nftRefuses: false) {
      add(&$0, [anonymous(.nfproto, 2, 10), match(.icmpType, 8)])
    },
    Case(.comment, "a comment of 128 bytes") {
      $0.chains[1].rules[0].comment = String(repeating: "x", count: 129)
    },
    Case(.comment, "a comment with a quote", nftRefuses: false) { $0.chains[1].rules[0].comment = "\"" },
    Case(.logPrefix, "a prefix of 128 bytes") { add(&$0, [.log(prefix: String(repeating: "x", count: 128), group: nil)]) },
    Case(.logPrefix, "a prefix with a line break", nftRefuses: false) { add(&$0, [.log(prefix: "a\nb", group: nil)]) },
    Case(.rate, "nothing a second") { $0.limits[0].packetsPerSecond = 0 },
    Case(.rate, "nothing a second, in a rule") { add(&$0, [.limit(packetsPerSecond: 0)]) },
  ]

  /// What the text can't even be written of.
  static let unwritable: [Case] = [
    Case(.value, "a link that is no name") { add(&$0, [.match(Match(.inputInterface, Interval(1, 5)))]) },
    Case(.value, "a link with a quote") { add(&$0, [.match(Match(.inputInterface, .link("a\"b")))]) },
    Case(.value, "an IPv4 address of 33 bits") { add(&$0, [match(.ipSource, 1 << 32)]) },
    Case(.emptySet, "an anonymous set of nothing") { add(&$0, [.match(Match(.field(.l4proto), .anonymous(Elements())))]) },
    Case(.emptySet, "an anonymous map of nothing") {
      add(&$0, [.lookup(VerdictLookup(.field(.l4proto), .anonymous(VerdictElements())))])
    },
    Case(.keyType, "a concatenation and a value") {
      add(&$0, [.match(Match(.concatenation([.l4proto, .ipSource]), .value(Interval(1))))])
    },
    Case(.keyType, "elements of fewer fields") {
      add(&$0, [.match(Match(.concatenation([.l4proto, .ipSource]), .anonymous(Elements([Interval(1)]))))])
    },
    Case(.unknown, "an expression that isn't known") { add(&$0, [.unknown("{}")]) },
    Case(.unknown, "an object that isn't known") { $0.unknown = ["{}"] },
    Case(.unknown, "a set with a timeout") { $0.sets[0].unknown = ["timeout"] },
    Case(.unknown, "table flags") { $0.hasTableFlags = true },
  ]

  @Test func everyKindHasACase() {
    #expect(Set((ValidateTests.cases + ValidateTests.unwritable).map(\.kind)) == Set(RulesetProblem.Kind.allCases))
  }

  @Test(arguments: cases + unwritable)
  func finds(_ broken: Case) {
    var ruleset = ValidateTests.valid
    #expect(RulesetValidator.validate(ruleset).isEmpty)
    broken.change(&ruleset)
    let problems = RulesetValidator.validate(ruleset)
    #expect(problems.contains { $0.kind == broken.kind }, "\(problems)")
  }

  @Test(.requireNamespaces, .requireNft, arguments: cases)
  func agreesWithNft(_ broken: Case) throws {
    // a name that is none traps in the writer
    if broken.kind == .name && broken.testDescription != "one of nft's words" && !broken.testDescription.contains("256") {
      return
    }
    var ruleset = ValidateTests.valid
    broken.change(&ruleset)
    let report = try Nft.load(TextWriter.write(ruleset))
    let isRefused = !report.isLoaded && !report.said.contains("Segmentation")
    #expect(isRefused == broken.nftRefuses || report.said.contains("Segmentation"), "\(report.said)")
  }

  @Test func takesWhatIsValid() {
    #expect(RulesetValidator.validate(Samples.everything()).isEmpty)
    var g = SeededGenerator(seed: 5)
    for round in 0..<200 {
      let problems = RulesetValidator.validate(Samples.random(&g))
      #expect(problems.isEmpty, "\(g), round \(round): \(problems)")
    }
  }

  @Test func takesTheDeepestThatTheKernelTakes() throws {
    var ruleset = Ruleset(
      tableName: "t",
      chains: [Chain("forward", base: BaseChain(hook: .forward, policy: .accept), rules: [Rule([.verdict(.jump("c0"))])])])
    for i in 0..<15 { ruleset.chains.append(Chain("c\(i)", rules: i == 14 ? [] : [Rule([.verdict(.goto("c\(i + 1)"))])])) }
    #expect(RulesetValidator.validate(ruleset).isEmpty)
    #expect(try Nft.load(TextWriter.write(ruleset)).isLoaded)
    ruleset.chains[15].rules = [Rule([.verdict(.jump("c15"))])]
    ruleset.chains.append(Chain("c15"))
    #expect(RulesetValidator.validate(ruleset).map(\.kind) == [.depth])
  }

  @Test func goesThroughLongChainsWithoutTheStack() {
    var ruleset = Ruleset(tableName: "t")
    for i in 0..<50_000 { ruleset.chains.append(Chain("c\(i)", rules: [Rule([.verdict(.goto("c\(i + 1)"))])])) }
    ruleset.chains.append(Chain("c50000"))
    #expect(RulesetValidator.validate(ruleset).map(\.kind) == [.depth])
  }

  /// Two concatenated elements overlap if and only if comparing all pairs says so.
  @Test func overlapsAreFound() {
    var g = SeededGenerator(seed: 6)
    var found = 0
    for _ in 0..<500 {
      var elements = Elements(stride: 2)
      for _ in 0..<Int.random(in: 0...6, using: &g) {
        elements.append(
          contentsOf: (0..<2).map { _ in
            let low = UInt128.random(in: 0...12, using: &g)
            return Interval(low, low + UInt128.random(in: 0...3, using: &g))
          })
      }
      let expected = (0..<elements.count).contains { a in
        (0..<a).contains { b in zip(elements[a], elements[b]).allSatisfy { $0.overlaps($1) } }
      }
      var ruleset = ValidateTests.valid
      ruleset.sets[1] = NamedSet("pair", types: [.inetProto, .inetService], isInterval: true, elements: elements)
      #expect(RulesetValidator.validate(ruleset).contains { $0.kind == .overlap } == expected, "\(g)")
      if expected { found += 1 }
    }
    #expect((50..<450).contains(found))
  }
}
