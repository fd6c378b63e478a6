import PacketSpace
import TestSupport
import Testing

@testable import Nftables

@Suite struct CanonicalRuleTests {
  private static func match(_ field: Field, _ values: Interval..., negated: Bool = false) -> Expression {
    .match(Match(.field(field), values.count == 1 ? .value(values[0]) : .anonymous(Elements(values)), isNegated: negated))
  }

  private static func lookup(_ field: Field, _ elements: (Interval, Verdict)...) -> Expression {
    var map = VerdictElements()
    for (interval, verdict) in elements { map.append(interval, verdict: verdict) }
    return .lookup(VerdictLookup(.field(field), .anonymous(map)))
  }

  private static let v4 = match(.nfproto, Interval(2))
  private static let v6 = match(.nfproto, Interval(10))
  private static let tcp = match(.l4proto, Interval(6))
  private static let address = match(.ipSource, Interval(5))

  static let same: [([Expression], [Expression])] = [
    ([v4, address], [address]),
    ([address, v4], [address]),
    ([address, v4, .counter, v4], [address, .counter]),
    ([v4, .counter, address], [v4, .counter, address]),
    ([match(.icmpType, Interval(8))], [v4, match(.l4proto, Interval(1)), match(.icmpType, Interval(8))]),
    ([match(.icmpv6Type, Interval(8))], [v6, match(.l4proto, Interval(58)), match(.icmpv6Type, Interval(8))]),
    ([match(.ipProtocol, Interval(1))], [v4, match(.l4proto, Interval(1))]),
    (
      [tcp, match(.sourcePort, Interval(1)), match(.destinationPort, Interval(2))],
      [match(.destinationPort, Interval(2)), match(.sourcePort, Interval(1)), tcp]
    ),
    ([match(.destinationPort, Interval(1), Interval(2), Interval(3, 9))], [match(.destinationPort, Interval(1, 9))]),
    ([match(.destinationPort, Interval(9), Interval(1))], [match(.destinationPort, Interval(1), Interval(9))]),
    ([.match(Match(.field(.ipSource), .anonymous(Elements([Interval(5)]))))], [address]),
    ([lookup(.ipSource, (Interval(1, 2), .drop), (Interval(3), .drop))], [v4, lookup(.ipSource, (Interval(1, 3), .drop))]),
    (
      [lookup(.ipSource, (Interval(5), .drop), (Interval(3), .accept))],
      [lookup(.ipSource, (Interval(3), .accept), (Interval(5), .drop))]
    ),
    (
      [
        .match(
          Match(
            .concatenation([.l4proto, .destinationPort]),
            .anonymous(Elements(stride: 2, [Interval(6), Interval(9), Interval(5), Interval(8)]))))
      ],
      [
        .match(
          Match(
            .concatenation([.l4proto, .destinationPort]),
            .anonymous(Elements(stride: 2, [Interval(5), Interval(8), Interval(6), Interval(9)]))))
      ]
    ),
  ]

  @Test(arguments: 0..<same.count) func meansTheSame(index: Int) {
    let (a, b) = Self.same[index]
    #expect(CanonicalRule(Rule(a, comment: "c")) == CanonicalRule(Rule(b, comment: "c")))
  }

  static let different: [([Expression], [Expression])] = [
    ([v4], [v6]), ([v4], []), ([v6, address], [address]), ([tcp], [tcp, match(.destinationPort, Interval(0, 65535))]),
    ([address], [match(.ipDestination, Interval(5))]), ([address], [match(.ipSource, Interval(5), negated: true)]),
    ([match(.l4proto, Interval(58))], [match(.l4proto, Interval(58)), v6]),
    ([match(.icmpType, Interval(8))], [match(.icmpv6Type, Interval(8))]),
    ([match(.icmpType, Interval(8))], [match(.l4proto, Interval(1))]),
    ([match(.l4proto, Interval(1))], [match(.ipProtocol, Interval(1))]),
    ([.counter, address], [address, .counter]), ([.counter, .counter], [.counter]),
    ([.log(prefix: "a", group: nil), .verdict(.drop)], [.log(prefix: "b", group: nil), .verdict(.drop)]),
    ([.verdict(.jump("a"))], [.verdict(.goto("a"))]), ([.namedLimit("a")], [.limit(packetsPerSecond: 1)]),
    ([match(.destinationPort, Interval(1), Interval(3))], [match(.destinationPort, Interval(1, 3))]),
    ([.match(Match(.field(.ipSource), .named("a")))], [.match(Match(.field(.ipSource), .named("b")))]),
    ([lookup(.ipSource, (Interval(1), .drop), (Interval(2), .accept))], [lookup(.ipSource, (Interval(1, 2), .drop))]),
    // what nobody knows may have changed the packet
    ([address, .unknown("x"), address], [address, .unknown("x")]),
  ]

  @Test(arguments: 0..<different.count) func meansSomethingElse(index: Int) {
    let (a, b) = Self.different[index]
    #expect(CanonicalRule(Rule(a)) != CanonicalRule(Rule(b)))
  }

  @Test func commentsCount() {
    #expect(CanonicalRule(Rule([], comment: "a")) != CanonicalRule(Rule([], comment: "b")))
    #expect(CanonicalRule(Rule([], comment: "a")) != CanonicalRule(Rule([])))
  }
}

@Suite struct RuleAlignmentTests {
  @Test(
    arguments: [
      ("abc", "abc", []), ("", "ab", [.added(0), .added(1)]), ("ab", "", [.removed(0), .removed(1)]),
      ("abcd", "bade", [.removed(2), .moved(live: 0, planned: 1), .added(3)]),
      ("axb", "ab", [.removed(1)]), ("ab", "axb", [.added(1)]), ("aab", "ab", [.removed(1)]),
      ("abc", "cab", [.moved(live: 2, planned: 0)]),
    ] as [(String, String, [RuleAlignment.Step])])
  func steps(live: String, planned: String, expected: [RuleAlignment.Step]) {
    #expect(RuleAlignment(live: Array(live), planned: Array(planned)).steps == expected)
  }

  /// Taken as orders, the steps make the one list of the other.
  @Test func stepsLead() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<2_000 {
      let live = (0..<Int.random(in: 0...12, using: &generator)).map { _ in Int.random(in: 0...8, using: &generator) }
      let planned = (0..<Int.random(in: 0...12, using: &generator)).map { _ in Int.random(in: 0...8, using: &generator) }
      var gone: Set<Int> = []
      var new: [Int: Int] = [:]
      for step in RuleAlignment(live: live, planned: planned).steps {
        switch step {
        case .removed(let place): gone.insert(place)
        case .added(let place): new[place] = planned[place]
        case .moved(let from, let to):
          #expect(live[from] == planned[to])
          gone.insert(from)
          new[to] = live[from]
        }
      }
      var kept = live.indices.filter { !gone.contains($0) }.map { live[$0] }[...]
      var result: [Int] = []
      for place in planned.indices { result.append(new[place] ?? kept.popFirst() ?? -1) }
      #expect(result == planned && kept.isEmpty, "\(generator) \(live) \(planned)")
      if live == planned { #expect(gone.isEmpty && new.isEmpty) }
    }
  }

  /// Quadratic work would take minutes.
  @Test func longListsThatShareNothingOrAreReversed() {
    let numbers = Array(0..<30_000)
    let clock = ContinuousClock()
    let time = clock.measure {
      #expect(RuleAlignment(live: numbers, planned: numbers.map { $0 + 30_000 }).steps.count == 60_000)
      #expect(RuleAlignment(live: numbers, planned: numbers.reversed()).steps.count == 29_999)
      #expect(RuleAlignment(live: numbers.map { _ in 1 }, planned: numbers.map { $0 % 2 }).steps.count >= 15_000)
    }
    #expect(time < .seconds(20))
  }
}

@Suite struct ElementComparisonTests {
  /// The parts found are exactly those where the two sides, as functions of a number, say something else.
  @Test func partsAreExact() {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<2_000 {
      func map() -> VerdictMap {
        var elements: [(Interval, Verdict)] = []
        var at: UInt128 = 0
        while at < 40, Int.random(in: 0...8, using: &generator) > 0 {
          let lower = at + UInt128.random(in: 0...5, using: &generator)
          let upper = min(255, lower + UInt128.random(in: 0...5, using: &generator))
          elements.append((Interval(lower, upper), Bool.random(using: &generator) ? .accept : .drop))
          at = upper + 1
        }
        var map = VerdictMap("m", types: [.icmpType], isInterval: true, elements: VerdictElements())
        for (interval, verdict) in elements.shuffled(using: &generator) { map.elements.append(interval, verdict: verdict) }
        return map
      }
      func verdict(_ map: VerdictMap, _ value: UInt128) -> RulesetDifference.Content? {
        map.elements.keys.intervals.firstIndex { $0.contains(value) }.map { .verdict(map.elements.verdicts[$0]) }
      }
      let live = map()
      let planned = map()
      let elements = RulesetDifference.SetDifference(SetContent(live), SetContent(planned))?.elements ?? []
      for value in 0...60 as ClosedRange<UInt128> {
        let changes = elements.filter { $0.key[0].contains(value) }
        let a = verdict(live, value)
        let b = verdict(planned, value)
        #expect(changes.count == (a == b ? 0 : 1), "\(generator)")
        if let change = changes.first { #expect(change.content == .init(live: a, planned: b), "\(generator)") }
      }
    }
  }

  @Test func elementEdits() {
    func keys(_ values: UInt128...) -> Elements { Elements(stride: 1, values.map { Interval($0) }) }
    let ranges = Elements(stride: 1, [Interval(1, 9), Interval(20), Interval(0xC000_0000, 0xFFFF_FFFF)])
    var edit = ChangePlan.Edit(.elements, table: "t")
    edit.removed = [
      .init(set: "map", types: [.ipv4Address], isInterval: false, keys: keys(1, 2, 3)),
      .init(set: "ranges", types: [.ipv4Address], isInterval: true, keys: ranges),
      .init(set: "ports", types: [.inetService], isInterval: false, keys: keys(22)),
      .init(set: "set", types: [.ipv6Address], isInterval: false, keys: keys(4)),
    ]
    var coming = VerdictElements(stride: 1)
    coming.append(Interval(7), verdict: .drop)
    coming.append(Interval(2), verdict: .jump("web"))
    edit.added.maps = [VerdictMap("map", types: [.ipv4Address], isInterval: false, elements: coming)]
    edit.added.sets = [NamedSet("ports", types: [.inetService], isInterval: false, elements: keys(80))]
    let taken = edit.takeElementEdits()
    #expect(taken.map(\.set) == ["map", "ranges", "set"])
    #expect(taken[2].removed.map(\.key) == [Array(repeating: 0, count: 15) + [4]])
    #expect(edit.removed.map(\.set) == ["ports"] && edit.added.maps.isEmpty && edit.added.sets.count == 1)
    #expect(edit.takeElementEdits().isEmpty)
    // what comes again with another verdict goes and comes in one part
    let parts = taken[0].parts(of: 1)
    #expect(parts.map { $0.removed.map(\.key) } == [[[0, 0, 0, 2]], [[0, 0, 0, 1]], [[0, 0, 0, 3]]])
    #expect(parts.map { $0.added.map(\.key) } == [[[0, 0, 0, 2]], [[0, 0, 0, 7]], []])
    #expect(parts[0].added[0].verdict == .jump("web"))
    // an interval ends in front of an address, if not with the addresses
    #expect(taken[1].isInterval && taken[1].removed.map(\.key) == [[0, 0, 0, 1], [0, 0, 0, 20], [192, 0, 0, 0]])
    #expect(taken[1].removed.map(\.end) == [[0, 0, 0, 10], [0, 0, 0, 21], nil])
    // and what goes makes room for what comes
    var both = taken[1]
    both.added = both.removed
    #expect(both.parts(of: 2).map { [$0.removed.count, $0.added.count] } == [[2, 0], [1, 0], [0, 2], [0, 1]])
    // a set that is made anew isn't edited
    var making = ChangePlan.Edit(.add, table: "t")
    making.added.sets = [NamedSet("set", types: [.ipv6Address], isInterval: false, elements: keys(5))]
    #expect(making.takeElementEdits().isEmpty && making.added.sets.count == 1)
  }
}
