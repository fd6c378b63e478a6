import Nftables
import PacketSpace
import TestSupport
import Testing

@Suite struct TextWriterTests {
  private func text(_ ruleset: Ruleset, _ annotation: (Origin) -> String? = { _ in nil }) -> String {
    String(decoding: TextWriter.write(ruleset, annotation: annotation), as: UTF8.self)
  }

  @Test func readsAsAPersonWouldWriteIt() {
    var map = VerdictElements(stride: 2)
    map.append(.single(6), .single(22), verdict: .goto("ingress.tcp-22/web"))
    map.append(.single(17), Interval(8000, 8100), verdict: .drop)
    var dispatch = VerdictElements()
    dispatch.append(.v4(10, 0, 0, 0, length: 24), verdict: .jump("ingress/web"))
    let ruleset = Ruleset(
      tableName: "cordon",
      limits: [NamedLimit("denied", packetsPerSecond: 10)],
      sets: [
        NamedSet(
          "group-ipv4/web", types: [.ipv4Address], isInterval: false, elements: Elements([.v4(10, 0, 0, 1), .v4(10, 0, 0, 2)]),
          annotations: ["the members of web"]),
        NamedSet("empty", types: [.ipv6Address, .inetProto], isInterval: true, elements: Elements(stride: 2)),
      ],
      maps: [VerdictMap("ingress-ipv4", types: [.ipv4Address], isInterval: true, elements: dispatch)],
      chains: [
        Chain(
          "ingress/web",
          rules: [
            Rule(
              [.match(Match(.l4proto, .single(6))), .match(Match(.destinationPort, .single(22))), .verdict(.accept)],
              comment: "web ingress 1", origin: Origin(rawValue: 12)),
            Rule([
              .match(Match(.l4proto, .single(17))), .match(Match(.field(.ipSource), .named("group-ipv4/web"))),
              .match(Match(.field(.sourcePort), .anonymous(Elements([.single(53), Interval(60, 61)])))), .verdict(.accept),
            ]),
            Rule([
              .lookup(VerdictLookup(.concatenation([.l4proto, .destinationPort]), .anonymous(map)))
            ]),
            Rule([.match(Match(.icmpType, .single(8))), .verdict(.accept)]),
            Rule([.match(Match(.l4proto, .single(6))), .match(Match(.nfproto, .single(10))), .verdict(.return)]),
            Rule(
              [
                .namedLimit("denied"), .log(prefix: "cordon web ingress: ", group: 5), .verdict(.drop),
              ], comment: "a comment so long that nothing else has room behind it", origin: Origin(rawValue: 13)),
          ], annotations: ["web, from the policy"]),
        Chain("cordon-owned"),
        Chain(
          "forward", base: BaseChain(hook: .forward, policy: .accept),
          rules: [
            Rule([
              .match(Match(.field(.connectionState), .anonymous(Elements([.single(2), .single(4)])))), .verdict(.accept),
            ]),
            Rule([.match(Match(.field(.inputInterface), .value(.links("tap")), isNegated: true)), .counter]),
            Rule([.lookup(VerdictLookup(.field(.ipDestination), .named("ingress-ipv4")))]),
          ]),
      ], annotations: ["compiled from policy.yaml"])
    #expect(
      text(ruleset) { "policy.yaml:\($0.rawValue)" } == """
        # compiled from policy.yaml
        table inet cordon
        delete table inet cordon
        table inet cordon {
          limit denied {
            rate 10/second
          }

          chain forward {
            type filter hook forward priority filter; policy accept;
            ct state established,related accept
            iifname != "tap*" counter
            ip daddr vmap @ingress-ipv4
          }

          # web, from the policy
          chain ingress/web {
            tcp dport 22 accept comment "web ingress 1"  # policy.yaml:12
            meta l4proto udp ip saddr @group-ipv4/web udp sport { 53, 60-61 } accept
            meta l4proto . th dport vmap { tcp . 22 : goto ingress.tcp-22/web, udp . 8000-8100 : drop }
            icmp type echo-request accept
            meta l4proto tcp meta nfproto ipv6 return
            # policy.yaml:13
            limit name "denied" log prefix "cordon web ingress: " group 5 drop comment "a comment so long that nothing else has room behind it"
          }

          chain cordon-owned {
          }

          map ingress-ipv4 {
            type ipv4_addr : verdict
            flags interval
            elements = { 10.0.0.0/24 : jump ingress/web }
          }

          # the members of web
          set group-ipv4/web {
            type ipv4_addr
            elements = { 10.0.0.1, 10.0.0.2 }
          }

          set empty {
            type ipv6_addr . inet_proto
            flags interval
          }
        }

        """)
  }

  @Test func breaksLongLists() {
    let many = Elements((0..<60).map { Interval($0 * 1000) })
    var map = VerdictElements()
    for i in 0..<6 { map.append(Interval(UInt128(i)), verdict: .goto("a-chain-with-a-long-name")) }
    let ruleset = Ruleset(
      tableName: "t", sets: [NamedSet("ports", types: [.inetService], isInterval: false, elements: many)],
      chains: [
        Chain("a-chain-with-a-long-name"),
        Chain(
          "c",
          rules: [
            Rule([.match(Match(.field(.destinationPort), .anonymous(many))), .verdict(.accept)], comment: "x"),
            Rule([.lookup(VerdictLookup(.field(.destinationPort), .anonymous(map)))]),
          ]),
      ])
    let lines = text(ruleset).split(separator: "\n")
    #expect(lines.allSatisfy { $0.utf8.count <= 100 })
    #expect(lines.contains { $0.utf8.count > 90 })
    #expect(lines.contains("    } accept comment \"x\""))
    #expect(lines.contains("      3 : goto a-chain-with-a-long-name,"))
    #expect(!lines.contains { $0.hasSuffix(" ") })
  }

  @Test(.requireNamespaces, .requireNft) func loadsAloneAndAgain() throws {
    let ruleset = Samples.everything()
    let file = TextWriter.write(ruleset) { _ in "policy.yaml:1" }
    let once = try Nft.load(file)
    #expect(once.isLoaded, "\(once.said.prefix(2000))")
    let twice = try Nft.load(file, times: 3)
    #expect(twice.isLoaded, "\(twice.said.prefix(2000))")
    #expect(twice.listing == once.listing)
    // nothing was lost
    #expect(ruleset.chains.allSatisfy { once.listing.contains("chain \($0.name) {") })
    #expect(ruleset.sets.allSatisfy { once.listing.contains("set \($0.name) {") })
    #expect(ruleset.maps.allSatisfy { once.listing.contains("map \($0.name) {") })
  }

  /// What nft lists is what was written, but for its order, indentation and the words of /etc/protocols and ICMP codes.
  @Test(.requireNamespaces, .requireNft) func listsAsWritten() throws {
    let ruleset = Samples.everything()
    func rules(_ text: String) -> [Substring] {
      text.split(separator: "\n").map { $0.drop { $0 == " " || $0 == "\t" } }.filter { $0.contains("comment \"") }
    }
    func singleLine(_ rule: Rule) -> Substring { Substring(TextWriter.line(rule)) }
    let listed = Set(rules(try Nft.load(TextWriter.write(ruleset)).listing))
    for rule in ruleset.chains.flatMap(\.rules) where rule.comment != nil {
      let line = singleLine(rule)
      let isRespelled = ["l4proto", "protocol", "icmp", "counter", "{"].contains { line.contains($0) }
      if !isRespelled { #expect(listed.contains(line), "\(line)") }
    }
  }

  @Test(.requireNamespaces, .requireNft) func loadsWithoutTheListOfProtocols() throws {
    let file = TextWriter.write(Samples.everything())
    try Files.withTemporaryFolder { folder in
      try Files.write(file, to: "\(folder)/file")
      let script = "mount --bind /dev/null /etc/protocols && nft -f $0/file"
      let output = try Shell.run(["unshare", "-n", "-m", "sh", "-c", script, folder])
      #expect(output.status == 0, "\(output.stderr.prefix(1000))")
    }
  }

  @Test(.requireNamespaces, .requireNft) func loadsAtRandom() throws {
    var g = SeededGenerator(seed: 1)
    for round in 0..<40 {
      let ruleset = Samples.random(&g)
      let file = TextWriter.write(ruleset) { "line \($0.rawValue)" }
      let report = try Nft.load(file, times: 2)
      #expect(report.isLoaded, "\(g), round \(round): \(report.said)\n\(String(decoding: file, as: UTF8.self))")
    }
  }

  @Test(
    .requireNamespaces, .requireNft,
    arguments: [
      "\" accept comment \"", "}\n}\nflush ruleset\n", "a\rb", "\u{1B}[31m", "$b", "\\", "é\u{202E}x", "a # b ; c { d }", "\0",
      "\u{85}flush ruleset", "\u{2028}x",
    ])
  func keepsTextInItsPlace(_ text: String) throws {
    let plain = Ruleset(
      tableName: "t", sets: [NamedSet("s", types: [.inetProto], isInterval: false, elements: Elements(), annotations: ["x"])],
      chains: [
        Chain("c", rules: [Rule([.verdict(.accept)], comment: "x", origin: Origin(rawValue: 1))], annotations: ["x"]),
        Chain("d", rules: [Rule([.log(prefix: "x", group: nil)])]),
      ], annotations: ["x"])
    var hostile = plain
    hostile.annotations = [text]
    hostile.sets[0].annotations = [text]
    hostile.chains[0].annotations = [text]
    hostile.chains[0].rules[0].comment = text
    hostile.chains[1].rules[0].expressions = [.log(prefix: text, group: nil)]
    let bytes = TextWriter.write(hostile) { _ in text }
    #expect(bytes.allSatisfy { $0 == 0x0A || (0x20...0x7E).contains($0) })
    let lines = bytes.split(separator: 0x0A).count
    #expect(lines == TextWriter.write(plain) { _ in "x" }.split(separator: 0x0A).count)
    // one chain has one rule that accepts, and the other one that logs
    let report = try Nft.load(bytes, times: 2)
    #expect(report.isLoaded, "\(report.said)")
    let rules = report.listing.split(separator: "\n").filter { $0.hasPrefix("\t\t") }
    #expect(rules.count == 3, "\(report.listing)")
    #expect(rules.contains { $0.hasPrefix("\t\taccept comment \"") && $0.hasSuffix("\"") })
    #expect(rules.contains { $0.hasPrefix("\t\tlog prefix \"") && $0.hasSuffix("\"") })
  }

  @Test func annotatesRulesOfOneOriginOnce() {
    let rules = [1, 1, 2, nil, 2].map { (origin: UInt32?) in
      Rule([.verdict(.continue)], origin: origin.map { Origin(rawValue: $0) })
    }
    let ruleset = Ruleset(tableName: "t", chains: [Chain("c", rules: rules)])
    func notes(_ filler: String) -> [Bool] {
      text(ruleset) { "\($0.rawValue)\(filler)" }.split(separator: "\n").filter { $0.hasPrefix("    ") }.map {
        $0.contains("#")
      }
    }
    #expect(notes("") == [true, true, true, false, true])
    #expect(
      notes(String(repeating: ".", count: 100)) == [true, false, false, true, false, false, true, false])
  }

  @Test func showsOneRule() {
    let rule = Rule([.unknown("{\"fib\":1}"), .verdict(.drop)], comment: "c")
    #expect(TextWriter.line(rule) == "{\"fib\":1} drop comment \"c\"")
    let element = Elements(stride: 2, [.single(6), Interval(80, 90)])
    #expect(TextWriter.element(element[0], types: [.inetProto, .inetService]) == "tcp . 80-90")
  }
}
