import Nftables
import PacketSpace
import TestSupport
import Testing

@Suite struct JSONWriterTests {
  /// The kernel holds the same table, however it was loaded.
  private func expectSame(_ ruleset: Ruleset, _ note: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws {
    let text = try Nft.load(TextWriter.write(ruleset))
    #expect(text.isLoaded, "\(note) \(text.said.prefix(2000))", sourceLocation: sourceLocation)
    let file = JSONWriter.write(ruleset)
    let json = try Nft.load(file, .json, times: 2)
    #expect(json.isLoaded, "\(note) \(json.said.prefix(2000))", sourceLocation: sourceLocation)
    // sets and chains come in the order in which they were made, and rules stand in their chain's order
    func blocks(_ listing: String) -> [String] { listing.split(separator: "\n\n").map(normalized).sorted() }
    let difference = lineDifference(
      from: blocks(text.listing).joined(separator: "\n"), to: blocks(json.listing).joined(separator: "\n"))
    #expect(
      difference.isEmpty || blocks(text.listing) == blocks(json.listing), "\(note)\n\(difference)",
      sourceLocation: sourceLocation)
  }

  /// A block without the table's own lines, which stand with the first and the last.
  private func normalized(_ block: Substring) -> String {
    block.split(separator: "\n").filter { !$0.hasPrefix("table ") && $0 != "}" }.joined(separator: "\n")
  }

  @Test(.requireNamespaces, .requireNft) func loadsEverythingAsTheTextDoes() throws { try expectSame(Samples.everything()) }

  @Test(.requireNamespaces, .requireNft) func loadsAtRandom() throws {
    var g = SeededGenerator(seed: 7)
    for round in 0..<30 { try expectSame(Samples.random(&g), "\(g), round \(round)") }
  }

  @Test func isOneOperationALine() {
    var map = VerdictElements()
    map.append(.v4(10, 0, 0, 0, length: 8), verdict: .jump("c"))
    let ruleset = Ruleset(
      tableName: "t", limits: [NamedLimit("l", packetsPerSecond: 10)],
      sets: [NamedSet("s", types: [.ipv4Address], isInterval: true, elements: Elements([Interval(1, 2), Interval(9)]))],
      maps: [VerdictMap("m", types: [.ipv4Address], isInterval: true, elements: map)],
      chains: [
        Chain(
          "c", base: BaseChain(hook: .input, priority: -5, policy: .drop),
          rules: [
            Rule(
              [.match(Match(.l4proto, Interval(6))), .match(Match(.destinationPort, Interval(22))), .verdict(.accept)],
              comment: "a \"b\" \\ \n")
          ])
      ])
    #expect(
      String(decoding: JSONWriter.write(ruleset), as: UTF8.self) == #"""
        {"nftables": [
        {"metainfo": {"json_schema_version": 1}},
        {"add": {"table": {"family": "inet", "name": "t"}}},
        {"delete": {"table": {"family": "inet", "name": "t"}}},
        {"add": {"table": {"family": "inet", "name": "t"}}},
        {"add": {"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": -5, "policy": "drop"}}},
        {"add": {"limit": {"family": "inet", "table": "t", "name": "l", "rate": 10, "per": "second", "burst": 5}}},
        {"add": {"set": {"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr", "flags": ["interval"], "elem": [{"range": ["0.0.0.1", "0.0.0.2"]}, "0.0.0.9"]}}},
        {"add": {"map": {"family": "inet", "table": "t", "name": "m", "map": "verdict", "type": "ipv4_addr", "flags": ["interval"], "elem": [[{"prefix": {"addr": "10.0.0.0", "len": 8}}, {"jump": {"target": "c"}}]]}}},
        {"add": {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null}], "comment": "a ?b? ? ?"}}}
        ]}

        """#)
  }
}
