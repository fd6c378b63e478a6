import Nftables
import PacketSpace
import TestSupport
import Testing

@Suite struct JSONReaderTests {
  private static func read(_ objects: String) throws -> Ruleset {
    let json =
      #"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "inet", "name": "cordon", "handle": 1}}"#
    return try JSONReader.read(Array((json + (objects.isEmpty ? "" : ", " + objects) + "]}").utf8), table: "cordon")
  }

  /// The expressions of a rule of these statements.
  private static func rule(_ statements: String) throws -> [Expression] {
    let chain = #"{"chain": {"family": "inet", "table": "cordon", "name": "c", "handle": 2}}"#
    let rule = #"{"rule": {"family": "inet", "table": "cordon", "chain": "c", "handle": 3, "expr": ["# + statements + "]}}"
    let rules = try read(chain + ", " + rule).chains[0].rules
    return try #require(rules.first).expressions
  }

  private static func match(_ field: Field, _ lower: UInt128, _ upper: UInt128? = nil) -> Expression {
    .match(Match(field, Interval(lower, upper ?? lower)))
  }

  // MARK: - What nft lists

  /// nft's text, and what it is when it was loaded, listed and read.
  static let rules: [(String, [Expression])] = [
    ("meta nfproto ipv4", [match(.nfproto, 2)]),
    ("meta l4proto tcp", [match(.l4proto, 6)]),
    ("meta l4proto ipv6-icmp meta nfproto ipv6", [match(.l4proto, 58), match(.nfproto, 10)]),
    ("meta l4proto 200", [match(.l4proto, 200)]),
    ("meta l4proto 6-17", [match(.l4proto, 6, 17)]),
    ("ip protocol icmp", [match(.ipProtocol, 1)]),
    ("meta l4proto { tcp, 201 }", [.match(Match(.field(.l4proto), .anonymous(Elements([Interval(6), Interval(201)]))))]),
    ("ip saddr 10.0.0.0/8", [match(.ipSource, 0x0A00_0000, 0x0AFF_FFFF)]),
    ("ip daddr 10.0.0.1-10.0.0.5", [match(.ipDestination, 0x0A00_0001, 0x0A00_0005)]),
    ("ip saddr 0.0.0.0/0", [match(.ipSource, 0, 0xFFFF_FFFF)]),
    (
      "ip saddr != { 10.0.0.1, 10.0.0.5 }",
      [
        .match(
          Match(
            .field(.ipSource), .anonymous(Elements([Interval(0x0A00_0001), Interval(0x0A00_0005)])), isNegated: true))
      ]
    ),
    ("ip6 saddr ::1", [match(.ip6Source, 1)]),
    ("ip6 daddr 8000::/1", [match(.ip6Destination, 1 << 127, UInt128.max)]),
    ("ip saddr @addresses", [.match(Match(.field(.ipSource), .named("addresses")))]),
    ("meta l4proto tcp th dport 22", [match(.l4proto, 6), match(.destinationPort, 22)]),
    ("tcp dport 22", [match(.l4proto, 6), match(.destinationPort, 22)]),
    ("sctp sport 5 sctp dport 6", [match(.l4proto, 132), match(.sourcePort, 5), match(.destinationPort, 6)]),
    (
      "meta l4proto udp th sport 53 th dport 1-9", [match(.l4proto, 17), match(.sourcePort, 53), match(.destinationPort, 1, 9)]
    ),
    ("th dport 22", [match(.destinationPort, 22)]),
    ("dccp dport 22", [match(.l4proto, 33), match(.destinationPort, 22)]),
    ("icmp type echo-request", [match(.icmpType, 8)]),
    ("icmp type 99", [match(.icmpType, 99)]),
    ("icmp type 3 icmp code 4", [match(.icmpType, 3), match(.icmpCode, 4)]),
    ("icmpv6 type 135", [match(.icmpv6Type, 135)]),
    ("icmpv6 type 1 icmpv6 code 4", [match(.icmpv6Type, 1), match(.icmpv6Code, 4)]),
    ("iifname \"eth0\"", [match(.inputInterface, Field.encode(interface: "eth0"))]),
    ("iifname \"@eth.1-2\"", [match(.inputInterface, Field.encode(interface: "@eth.1-2"))]),
    (
      "oifname \"tap*\"",
      [match(.outputInterface, Field.encode(interface: "tap"), Field.encode(interface: "tap") | (1 << 104 - 1))]
    ),
    (
      "ct state established,related",
      [.match(Match(.field(.connectionState), .anonymous(Elements([Interval(2), Interval(4)]))))]
    ),
    (
      "ct state { established, related }",
      [.match(Match(.field(.connectionState), .anonymous(Elements([Interval(2), Interval(4)]))))]
    ),
    ("ct state invalid", [match(.connectionState, 1)]),
    ("ct state != new", [.match(Match(.field(.connectionState), .value(Interval(8)), isNegated: true))]),
    (
      "meta l4proto . th dport { tcp . 22, udp . 53-55 }",
      [
        .match(
          Match(
            .concatenation([.l4proto, .destinationPort]),
            .anonymous(Elements(stride: 2, [Interval(6), Interval(22), Interval(17), Interval(53, 55)]))))
      ]
    ),
    ("meta l4proto . th dport @services", [.match(Match(.concatenation([.l4proto, .destinationPort]), .named("services")))]),
    (
      "meta l4proto . th dport vmap @dispatch",
      [.lookup(VerdictLookup(.concatenation([.l4proto, .destinationPort]), .named("dispatch")))]
    ),
    (
      "tcp dport vmap { 22 : jump other, 80-90 : goto other, 99 : drop }",
      [
        match(.l4proto, 6),
        .lookup(
          VerdictLookup(
            .field(.destinationPort),
            .anonymous(verdicts((Interval(22), .jump("other")), (Interval(80, 90), .goto("other")), (Interval(99), .drop))))),
      ]
    ),
    ("limit name \"denied\"", [.namedLimit("denied")]),
    ("limit rate 10/second", [.limit(packetsPerSecond: 10)]),
    ("log prefix \"cordon web ingress: \"", [.log(prefix: "cordon web ingress: ", group: nil)]),
    ("log prefix \"x\" group 5", [.log(prefix: "x", group: 5)]),
    ("log", [.log(prefix: "", group: nil)]),
    ("log group 5", [.log(prefix: "", group: 5)]),
    ("log prefix \"x\" level warn", [.log(prefix: "x", group: nil)]),
    ("counter", [.counter]),
    ("jump other", [.verdict(.jump("other"))]),
    ("return", [.verdict(.return)]),
    ("continue", [.verdict(.continue)]),
    ("drop", [.verdict(.drop)]),
  ]

  static func verdicts(_ elements: (Interval, Verdict)...) -> VerdictElements {
    var result = VerdictElements()
    for (interval, verdict) in elements { result.append(interval, verdict: verdict) }
    return result
  }

  static let frame = """
    table inet cordon {
      limit denied { rate 10/second
      }
      set addresses { type ipv4_addr; }
      set services { type inet_proto . inet_service; flags interval; }
      map dispatch { type inet_proto . inet_service : verdict; }
      chain other { }
      chain c {

    """

  @Test(.requireNamespaces) func rules() throws {
    let text = Self.frame + Self.rules.map { $0.0 + "\n" }.joined() + "}\n}\n"
    let chain = try #require(Listing.ruleset(text).chains.last)
    try #require(chain.rules.count == Self.rules.count)
    for (rule, (text, expected)) in zip(chain.rules, Self.rules) { #expect(rule.expressions == expected, "\(text)") }
  }

  /// Statements that Cordon has no expressions for: each is kept, with a word of what it is.
  static let unknownRules: [(text: String, word: String)] = [
    ("meta mark 5", "mark"), ("ip saddr & 255.0.255.0 == 10.0.1.0", "255.0.255.0"), ("tcp flags syn", "syn"),
    ("tcp dport > 1024", ">"), ("iif lo", "lo"), ("fib daddr type local", "fib"), ("ct state == established,related", "|"),
    ("ct state & established == established", "&"), ("ct direction original", "direction"),
    ("meta priority set 5:6", "priority"),
    ("reject", "reject"), ("quota name \"q\"", "quota"), ("counter name \"cnt\"", "cnt"),
    ("limit rate over 10/second", "inv"), ("limit rate 10/minute", "minute"), ("limit rate 10/second burst 7 packets", "7"),
    ("limit rate 10 bytes/second", "bytes"), ("log prefix \"x\" level debug", "debug"), ("log prefix \"x\" flags all", "all"),
    ("log group 3 snaplen 9", "snaplen"), ("iifname \"a$b\"", "a$b"), ("ip dscp 5", "dscp"), ("ip6 nexthdr tcp", "nexthdr"),
    ("@nh,128,32 1", "offset"),
    ("ip saddr . meta mark { 1.1.1.1 . 5 }", "mark"), ("meta mark vmap { 5 : drop }", "vmap"), ("udp length 8", "length"),
    ("add @seen { ip saddr }", "seen"),
  ]

  @Test(.requireNamespaces) func unknownStatements() throws {
    let objects = "quota q { 5 mbytes\n }\ncounter cnt { }\nset seen { type ipv4_addr; size 10; flags dynamic; }\n"
    let text =
      Self.frame.replacing("set addresses", with: objects + "set addresses")
      + Self.unknownRules.map { $0.text + " accept\n" }.joined().replacing("reject accept", with: "reject") + "}\n}\n"
    let ruleset = try Listing.ruleset(text)
    let rules = try #require(ruleset.chains.last).rules
    try #require(rules.count == Self.unknownRules.count)
    for (rule, expected) in zip(rules, Self.unknownRules) {
      guard case .unknown(let text) = try #require(rule.expressions.first) else {
        Issue.record("\(expected.text) became \(rule.expressions)")
        continue
      }
      #expect(text.contains(expected.word))
    }
    #expect(
      ruleset.unknown == [
        #"{"quota": {"family": "inet", "name": "q", "table": "cordon", "bytes": 5242880, "inv": false}}"#,
        #"{"counter": {"family": "inet", "name": "cnt", "table": "cordon"}}"#,
      ])
    // of an exact set the size is known
    #expect(ruleset.sets.first?.size == 10)
    #expect(ruleset.sets.first?.unknown.isEmpty == true)
    let ranges = try Listing.ruleset("table inet cordon { set r { type ipv4_addr; size 10; flags interval; }; }")
    #expect(ranges.sets.first?.size == nil)
    #expect(ranges.sets.first?.unknown == ["size 10"])
  }

  @Test(.requireNamespaces) func objects() throws {
    let ruleset = try Listing.ruleset(
      """
      table inet cordon {
        limit denied { rate 10/second
        }
        limit other { rate 10/minute
        }
        set v4 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.0/8, 1.2.3.4, 12.0.0.5-12.0.0.9 }; }
        set exact { type ipv6_addr; elements = { ::1, fe80::1 }; }
        set links { type ifname . ipv4_addr; flags interval; elements = { "eth0" . 10.0.0.1, "tap*" . 10.0.0.0/8 }; }
        set services { type inet_proto . inet_service; flags interval; elements = { tcp . 22, 0-255 . 80-90 }; }
        set types { type icmp_type; elements = { echo-request, 99 }; }
        set odd { type ipv4_addr; flags timeout; elements = { 10.0.0.1 comment "hi", 10.0.0.2 timeout 1h }; }
        set marks { type mark; elements = { 5 }; }
        map m { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : jump web/x, 1.1.1.1 comment "c" : drop }; }
        map data { type ipv4_addr : inet_service; elements = { 1.1.1.1 : 80 }; }
        chain web/x { }
        chain forward {
          type filter hook forward priority 10; policy drop;
          accept comment "quo\\te {}; über"
        }
        chain early { type filter hook ingress device lo priority 0; drop; }
      }

      """)
    #expect(ruleset.tableName == "cordon" && !ruleset.hasTableFlags)
    #expect(ruleset.limits == [NamedLimit("denied", packetsPerSecond: 10)])
    let sets = Dictionary(uniqueKeysWithValues: ruleset.sets.map { ($0.name, $0) })
    #expect(
      sets["v4"]?.elements
        == Elements([
          Interval(0x0102_0304), Interval(0x0A00_0000, 0x0AFF_FFFF), Interval(0x0B00_0000, 0x0BFF_FFFF),
          Interval(0x0C00_0005, 0x0C00_0009),
        ]))
    #expect(sets["v4"]?.isInterval == true && sets["v4"]?.types == [.ipv4Address] && sets["v4"]?.unknown == [])
    #expect(
      sets["exact"]?.elements == Elements([Interval(1), Interval(0xfe80 << 112 | 1)]) && sets["exact"]?.isInterval == false)
    let tap = Field.encode(interface: "tap")
    #expect(
      sets["links"]?.elements
        == Elements(
          stride: 2,
          [
            Interval(Field.encode(interface: "eth0")), Interval(0x0A00_0001), Interval(tap, tap | (1 << 104 - 1)),
            Interval(0x0A00_0000, 0x0AFF_FFFF),
          ]))
    #expect(sets["services"]?.types == [.inetProto, .inetService])
    #expect(sets["services"]?.elements == Elements(stride: 2, [Interval(6), Interval(22), Interval(0, 255), Interval(80, 90)]))
    #expect(sets["types"]?.elements == Elements([Interval(8), Interval(99)]))
    #expect(sets["odd"]?.elements == Elements([Interval(0x0A00_0001), Interval(0x0A00_0002)]))
    #expect(sets["odd"]?.unknown.count == 3)
    #expect(sets["odd"]?.unknown.first == "flags timeout")
    #expect(sets["marks"] == nil)
    let map = try #require(ruleset.maps.first)
    #expect(map.name == "m" && map.isInterval)
    #expect(map.elements.verdicts == [.drop, .jump("web/x")])
    #expect(map.elements.keys == Elements([Interval(0x0101_0101), Interval(0x0A00_0000, 0x0AFF_FFFF)]))
    #expect(map.unknown == [#"element [{"elem": {"val": "1.1.1.1", "comment": "c"}}, {"drop": null}]"#])
    #expect(ruleset.chains.map(\.name) == ["web/x", "forward"])
    #expect(ruleset.chains[1].base == BaseChain(hook: .forward, priority: 10, policy: .drop))
    #expect(ruleset.chains[1].rules[0].comment == "quo\\te {}; über")
    #expect(ruleset.unknown.count == 5)
    for word in ["other", "marks", "data", "early", "rule"] {
      #expect(ruleset.unknown.contains { $0.contains("\"\(word)\"") }, "\(word)")
    }
  }

  // MARK: - Tables with flags

  /// nft 1.0.6 shows a dormant table's flags as whatever lies in memory, and often ends the listing there.
  @Test(.requireNamespaces, arguments: ["", "chain c { }", "chain c { type filter hook input priority 0; policy drop; }"])
  func dormant(content: String) throws {
    for _ in 0..<5 {
      let json = try Listing.json("table inet cordon { flags dormant; \(content)\n}\n")
      let ruleset = try JSONReader.read(json, table: "cordon")
      #expect(ruleset.hasTableFlags, "\(String(decoding: json, as: UTF8.self))")
      #expect(ruleset.isCutOff || ruleset.chains.isEmpty == content.isEmpty)
    }
  }

  @Test(arguments: [
    #""dormant"}}]}"#, #"["dormant"]}}]}"#, "5}}]}", "null}}]}", "", "\n", #""gar"#, #""a\q"}}]}"#, #"[[[["#, "}}}}}",
  ])
  func flags(rest: String) throws {
    let head = #"{"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "cordon", "handle": 1, "flags": "#
    let ruleset = try JSONReader.read(Array((head + rest).utf8), table: "cordon")
    #expect(ruleset.hasTableFlags)
  }

  @Test func cutOffElsewhere() {
    let head = #"{"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "cordon"}}, {"set": {"family": "inet", "#
    let set = #""name": "s", "table": "cordon", "type": "ipv4_addr", "flags": "#
    #expect(throws: JSONReader.ReadError.self) { try JSONReader.read(Array((head + set).utf8), table: "cordon") }
  }

  // MARK: - Spellings of other versions

  @Test func newerSpellings() throws {
    let ruleset = try Self.read(
      #"""
      {"set": {"family": "inet", "name": "s", "table": "cordon", "type": {"typeof": {"payload": {"protocol": "ip", "field": "saddr"}}},
        "flags": "interval", "elem": [{"elem": {"val": "10.0.0.1"}}]}},
      {"map": {"family": "inet", "name": "m", "table": "cordon", "map": "verdict", "flags": ["interval"],
        "type": {"typeof": {"concat": [{"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]}},
        "elem": [[{"concat": [6, 22]}, {"goto": {"target": "c"}}]]}}
      """#)
    #expect(ruleset.sets[0].isInterval && ruleset.sets[0].types == [.ipv4Address] && ruleset.sets[0].unknown.isEmpty)
    #expect(ruleset.sets[0].elements == Elements([Interval(0x0A00_0001)]))
    #expect(ruleset.maps[0].types == [.inetProto, .inetService] && ruleset.maps[0].elements.verdicts == [.goto("c")])
    #expect(ruleset.unknown.isEmpty)
  }

  @Test(
    arguments: [
      (#"{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": 58}}"#, match(.l4proto, 58)),
      (#"{"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv6"}}"#, match(.nfproto, 10)),
      (
        #"{"match": {"op": "==", "left": {"payload": {"protocol": "icmp", "field": "type"}}, "right": 8}}"#, match(.icmpType, 8)
      ),
      (#"{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": 8}}"#, match(.connectionState, 8)),
      (#"{"counter": null}"#, .counter),
      (
        #"{"match": {"op": "!", "left": {"ct": {"key": "state"}}, "right": ["new", 2]}}"#,
        .match(Match(.field(.connectionState), .anonymous(Elements([Interval(8), Interval(2)])), isNegated: true))
      ),
      (#"{"limit": {"rate": 18446744073709551615, "per": "second"}}"#, .limit(packetsPerSecond: UInt64.max)),
      (
        #"{"limit": {"rate": 18446744073709551616, "per": "second"}}"#,
        .unknown(#"{"limit": {"rate": 18446744073709551616, "per": "second"}}"#)
      ),
      (#"{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": 256}}"#, nil),
      (#"{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "nonsense"}}"#, nil),
      (#"{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"range": [9, 5]}}}"#, nil),
      (
        #"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "1.1.1.1", "len": 33}}}}"#,
        nil
      ),
      (#"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "::1"}}"#, nil),
      (#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": 6}}"#, nil),
      (#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": []}}"#, nil),
      (#"{"accept": 1}"#, nil), (#"{"accept": null, "drop": null}"#, nil), ("{}", nil), ("[]", nil), ("5", nil),
      (#""accept""#, nil),
    ] as [(String, Expression?)])
  func statements(json: String, expected: Expression?) throws {
    #expect(try Self.rule(json) == [expected ?? .unknown(json)])
  }

  // MARK: - Bad text

  @Test(arguments: [
    "", " ", "{", "[", "nonsense", "[]", "{}", #"{"nftables": {}}"#, #"{"nftables": [5]}"#, #"{"nftables": []}"#,
    #"{"nftables": [{"table": {"family": "inet", "name": "other"}}]}"#,
    #"{"nftables": [{"table": {"family": "ip", "name": "cordon"}}]}"#,
    #"{"nftables": [{"table": {"family": "inet", "name": "cordon"}}]} x"#,
    #"{"nftables": [{"table": {"family": "inet", "name": "cordon"}},]}"#,
    #"{"nftables": [{"table": {"family": "inet", "name": "cordon", }}]}"#,
    #"{"nftables": [{"table": {"family": "inet", "name": "cor\qdon"}}]}"#, "[01]", "[1.]", "[1e]", "[-]", "[+1]", "[.5]",
    "[tru]",
    "[\"\u{1}\"]", "[\"\\u12g4\"]", "[1 2]", "[\"a\" : 1]", "{1: 2}", "{\"a\" 1}",
  ])
  func refused(text: String) {
    #expect(throws: JSONReader.ReadError.self) { try JSONReader.read(Array(text.utf8), table: "cordon") }
  }

  @Test func invalidUTF8() {
    #expect(throws: JSONReader.ReadError.malformed(offset: 2, problem: "a string is not UTF-8")) {
      try JSONReader.read([0x5B, 0x22, 0xFF, 0x22, 0x5D], table: "cordon")
    }
  }

  @Test(arguments: ["[", "{\"a\":", "[{\"a\":["])
  func deepNesting(unit: String) {
    for text in [String(repeating: unit, count: 100_000), "{\"nftables\": " + String(repeating: unit, count: 100_000)] {
      #expect(throws: JSONReader.ReadError.self) { try JSONReader.read(Array(text.utf8), table: "cordon") }
    }
  }

  @Test func strings() throws {
    let chain = #"{"chain": {"family": "inet", "table": "cordon", "name": "a\/b\u00e9\ud83d\ude00\ud800"}}"#
    #expect(try Self.read(chain).chains.map(\.name) == ["a/bé😀\u{FFFD}"])
  }

  // MARK: - Fuzzing

  @Test(.requireNamespaces) func mutations() throws {
    var generator = SeededGenerator(seed: 20_261_124)
    let text = Self.frame + Self.rules.map { $0.0 + "\n" }.joined() + "}\n}\n"
    let json = try Listing.json(text)
    let tokens = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "null", "-1", "99999999999999999999", "1e9", "\"@\"", "\"*\"", "{}", "[]",
      "\u{0}",
    ]
    var readable = 0
    for _ in 0..<3_000 {
      var mutated = json
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let at = Int.random(in: 0..<mutated.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: mutated[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: mutated.removeSubrange(at..<min(mutated.count, at + Int.random(in: 1...40, using: &generator)))
        case 2: mutated.insert(contentsOf: Array(tokens.randomElement(using: &generator)!.utf8), at: at)
        case 3: mutated.removeLast(min(mutated.count - 1, Int.random(in: 0...200, using: &generator)))
        default:
          // a digit or letter for another one: it often stays JSON
          if let letter = mutated[at...].firstIndex(where: { (0x30...0x39).contains($0) }) {
            mutated[letter] = UInt8.random(in: 0x30...0x39, using: &generator)
          }
        }
      }
      if (try? JSONReader.read(mutated, table: "cordon")) != nil { readable += 1 }
    }
    #expect(readable > 100, "\(generator)")
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(throws: JSONReader.ReadError.self, "\(generator)") { try JSONReader.read(bytes, table: "cordon") }
    }
  }
}
