import Nftables
import PacketSpace
import TestSupport
import Testing

@Suite struct ChangeTests {
  /// The table as it comes back from the kernel.
  private static func reload(_ ruleset: Ruleset) throws -> Ruleset {
    try Listing.ruleset(String(decoding: TextWriter.write(ruleset), as: UTF8.self))
  }

  // MARK: - What was written is what is read

  @Test(.requireNamespaces) func everythingComesBack() throws {
    let planned = Samples.everything()
    let difference = RulesetDifference.compare(live: try Self.reload(planned), planned: planned)
    #expect(difference.isEmpty, "\(difference.text())")
    #expect(difference.text() == "")
  }

  /// Random tables come back without a difference, and each of many small changes is one.
  @Test(.requireNamespaces) func randomComesBack() throws {
    var generator = SeededGenerator(seed: 2026)
    var mutations = 0
    for round in 0..<60 {
      let planned = Samples.random(&generator)
      let live = try Self.reload(planned)
      let difference = RulesetDifference.compare(live: live, planned: planned)
      #expect(difference.isEmpty, "\(generator) round \(round)\n\(difference.text())")
      for _ in 0..<20 {
        guard let (changed, what) = Self.mutated(planned, &generator) else { continue }
        mutations += 1
        let there = RulesetDifference.compare(live: live, planned: changed)
        let back = RulesetDifference.compare(live: changed, planned: planned)
        #expect(!there.isEmpty && !back.isEmpty, "\(generator) round \(round): \(what)")
        #expect(there.text() != "" && there.json().contains("\"equal\": false"))
      }
    }
    #expect(mutations > 400)
  }

  /// A table that differs in one thing, and what that is.
  private static func mutated(_ ruleset: Ruleset, _ g: inout SeededGenerator) -> (Ruleset, String)? {
    var result = ruleset
    let kind = Int.random(in: 0..<9, using: &g)
    if kind == 0 {
      result.hasTableFlags.toggle()
      return (result, "flags")
    }
    if kind == 1 || kind == 2 {
      if kind == 1, !result.sets.isEmpty {
        let index = result.sets.indices.randomElement(using: &g)!
        var set = result.sets[index]
        let drop = Int.random(in: 0..<set.elements.count, using: &g)
        var elements = Elements(stride: set.elements.stride)
        for i in 0..<set.elements.count where i != drop { elements.append(contentsOf: set.elements[i]) }
        set.elements = elements
        result.sets[index] = set
        return (result, "element \(drop) of \(set.name)")
      }
      guard !result.maps.isEmpty else { return nil }
      let index = result.maps.indices.randomElement(using: &g)!
      let map = result.maps[index]
      let at = Int.random(in: 0..<map.elements.count, using: &g)
      result.maps[index].elements = VerdictElements(stride: map.elements.keys.stride)
      for i in 0..<map.elements.count {
        let verdict = map.elements.verdicts[i]
        result.maps[index].elements.append(
          contentsOf: map.elements.keys[i], verdict: i == at ? (verdict == .drop ? .accept : .drop) : verdict)
      }
      return (result, "verdict \(at) of \(map.name)")
    }
    let chain = result.chains.indices.randomElement(using: &g)!
    if kind == 3 {
      if result.chains[chain].base == nil {
        result.chains[chain].name += "x"
      } else {
        result.chains[chain].base!.priority += 1
      }
      return (result, "chain \(chain)")
    }
    guard let rule = result.chains[chain].rules.indices.randomElement(using: &g) else { return nil }
    switch kind {
    case 4: result.chains[chain].rules.remove(at: rule)
    case 5: result.chains[chain].rules[rule].comment = (result.chains[chain].rules[rule].comment ?? "") + "x"
    case 6: result.chains[chain].rules.insert(Rule([.counter]), at: rule)
    case 7: result.chains[chain].rules[rule].expressions.insert(.match(Match(.l4proto, Interval(77))), at: 0)
    default: result.chains[chain].rules[rule].expressions.append(.log(prefix: "y", group: nil))
    }
    return (result, "rule \(rule) of chain \(chain), kind \(kind)")
  }

  // MARK: - Changes by hand

  private static var planned: Ruleset {
    var map = VerdictElements()
    map.append(.v4(10, 0, 0, 1), verdict: .jump("ingress/web"))
    map.append(.v4(10, 0, 0, 2), verdict: .jump("ingress/web"))
    var ruleset = Ruleset(tableName: "cordon", limits: [NamedLimit("denied", packetsPerSecond: 10)])
    ruleset.chains = [
      Chain(
        "forward", base: BaseChain(hook: .forward, policy: .accept),
        rules: [Rule([.lookup(VerdictLookup(.field(.ipDestination), .named("ingress-ipv4")))])]),
      Chain(
        "ingress/web",
        rules: [
          Rule(
            [.match(Match(.l4proto, Interval(6))), .match(Match(.destinationPort, Interval(443))), .verdict(.accept)],
            comment: "web ingress 1"),
          Rule([.match(Match(.field(.ipSource), .named("group-ipv4/web"))), .verdict(.accept)], comment: "web ingress 2"),
          Rule([.verdict(.drop)], comment: "default"),
        ]),
    ]
    ruleset.maps = [VerdictMap("ingress-ipv4", types: [.ipv4Address], isInterval: false, elements: map)]
    ruleset.sets = [
      NamedSet(
        "group-ipv4/web", types: [.ipv4Address], isInterval: true,
        elements: Elements([.v4(10, 0, 0, 0, length: 24), .v4(10, 9, 0, 1)]))
    ]
    return ruleset
  }

  private static let heading = "- is live and not planned, + is planned and not live\n"

  /// Commands behind `nft`, and what is shown of the table then, without the heading.
  static let changes: [(commands: [String], shown: String)] = [
    (
      ["insert rule inet cordon ingress/web ip saddr 10.0.0.0/8 accept comment \"by hand\""],
      """
      chain ingress/web
        - ip saddr 10.0.0.0/8 accept comment "by hand"
      """
    ),
    (
      [
        "flush chain inet cordon ingress/web",
        "add rule inet cordon ingress/web tcp dport 443 accept comment \"web ingress 1\"",
        "add rule inet cordon ingress/web drop comment \"default\"",
      ],
      """
      chain ingress/web
        + ip saddr @group-ipv4/web accept comment "web ingress 2"
      """
    ),
    (
      [
        "flush chain inet cordon ingress/web", "add rule inet cordon ingress/web drop comment \"default\"",
        "add rule inet cordon ingress/web tcp dport 443 accept comment \"web ingress 1\"",
        "add rule inet cordon ingress/web ip saddr @group-ipv4/web accept comment \"web ingress 2\"",
      ],
      """
      chain ingress/web
        > drop comment "default"  (live as rule 1, planned as rule 3)
      """
    ),
    (
      [
        "flush chain inet cordon ingress/web",
        "add rule inet cordon ingress/web tcp dport { 443 } counter accept comment \"web ingress 1\"",
        "add rule inet cordon ingress/web meta nfproto ipv4 ip saddr @group-ipv4/web accept comment \"web ingress 2\"",
        "add rule inet cordon ingress/web drop",
      ],
      """
      chain ingress/web
        - tcp dport 443 counter accept comment "web ingress 1"
        + tcp dport 443 accept comment "web ingress 1"
        - drop
        + drop comment "default"
      """
    ),
    (
      ["add element inet cordon group-ipv4/web { 10.9.9.9 }", "delete element inet cordon group-ipv4/web { 10.9.0.1 }"],
      """
      set group-ipv4/web
        + 10.9.0.1
        - 10.9.9.9
      """
    ),
    (
      [
        "delete element inet cordon group-ipv4/web { 10.0.0.0/24 }",
        "add element inet cordon group-ipv4/web { 10.0.0.0/25, 10.0.0.128/26 }",
      ],
      """
      set group-ipv4/web
        + 10.0.0.192/26
      """
    ),
    (
      [
        "add element inet cordon ingress-ipv4 { 10.0.0.3 : accept }", "delete element inet cordon ingress-ipv4 { 10.0.0.2 }",
        "add element inet cordon ingress-ipv4 { 10.0.0.2 : drop }",
      ],
      """
      map ingress-ipv4
        - 10.0.0.2 : drop
        + 10.0.0.2 : jump ingress/web
        - 10.0.0.3 : accept
      """
    ),
    (
      ["chain inet cordon forward { policy drop; }"],
      """
      chain forward
        - type filter hook forward priority 0; policy drop;
        + type filter hook forward priority 0; policy accept;
      """
    ),
    (
      [
        "add chain inet cordon other", "add rule inet cordon other accept",
        "add chain inet cordon early { type filter hook input priority -5; }",
      ],
      """
      - chain other
        - accept
      - chain early
        - type filter hook input priority -5; policy accept;
      """
    ),
    (["add table inet cordon { flags dormant; }"], "table inet cordon: flags are set (dormant?): nothing in it is enforced"),
    (
      ["add counter inet cordon hits", "add set inet cordon extra { type inet_service; flags timeout; }"],
      """
      - set extra
        - flags timeout
      what Cordon never writes
        - {"counter": {"family": "inet", "name": "hits", "table": "cordon"}}
      """
    ),
    (
      [
        "add limit inet cordon more rate 5/second", "delete limit inet cordon denied",
        "add limit inet cordon denied rate 100/second",
      ],
      """
      limit denied
        - rate 100/second
        + rate 10/second
      limit more
        - rate 5/second
      """
    ),
    (
      ["add rule inet cordon ingress/web tcp flags syn accept"],
      """
      chain ingress/web
        - {"match": {"op": "in", "left": {"payload": {"protocol": "tcp", "field": "flags"}}, "right": "syn"}} accept
      """
    ),
    ([], ""),
  ]

  @Test(.requireNamespaces, arguments: 0..<changes.count) func byHand(index: Int) throws {
    let (commands, shown) = Self.changes[index]
    let text = String(decoding: TextWriter.write(Self.planned), as: UTF8.self)
    let live = try Listing.ruleset(text, then: commands)
    let difference = RulesetDifference.compare(live: live, planned: Self.planned)
    #expect(difference.isEmpty == shown.isEmpty)
    let body = difference.text().split(separator: "\n").dropFirst().joined(separator: "\n")
    #expect(body == shown)
  }

  /// Positions are those of the whole chains, whatever stands alike around the change.
  @Test func positions() {
    let rules = (0..<9).map { Rule([.counter], comment: "\($0)") }
    var live = Ruleset(tableName: "cordon")
    var planned = live
    live.chains = [Chain("c", rules: rules.enumerated().filter { $0.offset != 5 }.map(\.element))]
    var moved = rules
    moved.remove(at: 3)
    moved.insert(rules[3], at: 6)
    planned.chains = [Chain("c", rules: moved)]
    let difference = RulesetDifference.compare(live: live, planned: planned)
    let steps = difference.chains[0].rules.map { change in
      switch change {
      case .removed(let rule, let position): "- \(rule.comment!) \(position)"
      case .added(let rule, let position): "+ \(rule.comment!) \(position)"
      case .moved(let rule, let from, let to): "> \(rule.comment!) \(from) \(to)"
      }
    }
    #expect(steps == ["+ 5 4", "> 3 3 6"])
  }

  @Test func movesAreExplained() {
    var live = Self.planned
    live.chains[1].rules.swapAt(0, 2)
    #expect(RulesetDifference.compare(live: live, planned: Self.planned).text().contains("> is live in another place\n"))
  }

  /// Whatever can be read can be compared and shown.
  @Test(.requireNamespaces) func damagedListings() throws {
    var generator = SeededGenerator(seed: 99)
    let json = try Listing.json(String(decoding: TextWriter.write(Self.planned), as: UTF8.self))
    let planned = try JSONReader.read(json, table: "cordon")
    let values = [
      "\"@\"", "\"*\"", "\"\"", "\"a b\"", "{}", "[]", "null", "0", "-1", "65536", "{\"set\": []}", "\"eth0\"", "\"\\u001b\"",
    ]
    var compared = 0
    for _ in 0..<3_000 {
      var mutated = json
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        // something else in the place of a value
        let at = Int.random(in: 0..<mutated.count, using: &generator)
        guard let colon = mutated[at...].firstIndex(where: { $0 == 0x3A || $0 == 0x5B }) else { continue }
        let ends: Set<UInt8> = [0x2C, 0x7D, 0x5D]
        let end = mutated[(colon + 1)...].firstIndex { ends.contains($0) } ?? mutated.endIndex
        mutated.replaceSubrange(colon + 1..<end, with: Array(values.randomElement(using: &generator)!.utf8))
      }
      guard let live = try? JSONReader.read(mutated, table: "cordon") else { continue }
      compared += 1
      let difference = RulesetDifference.compare(live: live, planned: planned)
      #expect(difference.isEmpty == difference.text(limit: nil).isEmpty, "\(generator)")
      #expect(difference.text().utf8.allSatisfy { $0 == 0x0A || $0 >= 0x20 }, "\(generator)")
      let form = difference.json()
      #expect(form.hasPrefix("{") && form.utf8.allSatisfy { $0 >= 0x20 }, "\(generator)")
    }
    #expect(compared > 500, "\(compared)")
  }

  @Test func missingTable() {
    let difference = RulesetDifference.compare(live: nil, planned: Self.planned)
    #expect(difference.text() == Self.heading + "table inet cordon: it isn't there: nothing is enforced\n")
    #expect(
      difference.json()
        == #"{"table": "cordon", "equal": false, "state": "missing", "limits": [], "chains": [], "sets": [], "unknown": []}"#)
  }

  @Test func cutOffIsNeverEqual() {
    var ruleset = Self.planned
    ruleset.isCutOff = true
    ruleset.hasTableFlags = true
    #expect(RulesetDifference.compare(live: ruleset, planned: Self.planned).table == .flaggedAndCutOff)
    #expect(!RulesetDifference.compare(live: ruleset, planned: ruleset).isEmpty)
  }

  @Test func longListsAreCut() {
    var live = Self.planned
    live.sets[0].elements = Elements((0..<1_000).map { Interval(0x0B00_0000 + 2 * $0) })
    let difference = RulesetDifference.compare(live: live, planned: Self.planned)
    let short = difference.text(limit: 5)
    #expect(short.split(separator: "\n").count == 8 && short.hasSuffix("  … and 997 more elements\n"))
    #expect(difference.text(limit: nil).split(separator: "\n").count == 1_004)
  }

  @Test func json() throws {
    var live = Self.planned
    live.chains[1].rules.swapAt(0, 1)
    live.chains[0].base?.policy = .drop
    live.sets[0].unknown = ["flags timeout"]
    live.maps[0].elements.append(.v4(10, 0, 0, 3), verdict: .accept)
    live.unknown = [#"{"counter": {"name": "\u001b"}}"#]
    live.chains.append(Chain("odd \u{1B}\"", rules: [Rule([.unknown("\u{7}")], comment: "\u{1B}[31m")]))
    let difference = RulesetDifference.compare(live: live, planned: Self.planned)
    #expect(
      difference.json() == """
        {"table": "cordon", "equal": false, "limits": [], "chains": [{"name": "forward", "presence": "changed", \
        "base": {"live": "type filter hook forward priority 0; policy drop;", \
        "planned": "type filter hook forward priority 0; policy accept;"}, "rules": []}, \
        {"name": "ingress/web", "presence": "changed", "rules": [{"change": "moved", \
        "rule": "ip saddr @group-ipv4/web accept comment \\"web ingress 2\\"", "live": 0, "planned": 1}]}, \
        {"name": "odd \\u001b\\"", "presence": "removed", "rules": [{"change": "removed", \
        "rule": "? comment \\"?[31m\\"", "live": 0}]}], \
        "sets": [{"kind": "map", "name": "ingress-ipv4", "presence": "changed", "elements": [{"live": "10.0.0.3 : accept"}], \
        "properties": []}, {"kind": "set", "name": "group-ipv4/web", "presence": "changed", "elements": [], \
        "properties": [{"live": "flags timeout"}]}], "unknown": [{"live": "{\\"counter\\": {\\"name\\": \\"\\\\u001b\\"}}"}]}
        """)
    #expect(difference.text().utf8.allSatisfy { $0 == 0x0A || $0 >= 0x20 })
  }
}
