import PacketSpace
import Testing

@testable import Nftables

/// The way of all packets through a base chain that looks both ends up, of both families.
struct DispatchDiagramTests {
  /// What is found of one family isn't multiplied by what stands behind for the other.
  @Test(arguments: [
    [Field.ipSource, .ip6Source, .ipDestination, .ip6Destination], [.ipSource, .ipDestination, .ip6Source, .ip6Destination],
  ]) func growsByTheNumberOfProfiles(_ fields: [Field]) throws {
    let profiles = 300
    var ruleset = Ruleset(tableName: "t")
    var rules: [Rule] = []
    for field in fields {
      var elements = VerdictElements()
      for number in 0..<profiles { elements.append(Interval(UInt128(number * 2)), verdict: .jump("\(field)/\(number)")) }
      let isIPv4 = field == .ipSource || field == .ipDestination
      let map = VerdictMap("\(field)", types: [isIPv4 ? .ipv4Address : .ipv6Address], isInterval: false, elements: elements)
      ruleset.maps.append(map)
      rules.append(Rule([.lookup(VerdictLookup(.field(field), .named(map.name)))]))
    }
    ruleset.chains = [Chain("forward", base: BaseChain(hook: .forward, policy: .accept), rules: rules)]
    var diagrams = RulesetDiagrams(ruleset)
    for (place, field) in fields.enumerated() {
      for number in 0..<profiles {
        diagrams.assume("\(field)/\(number)", .leaf(RulesetDiagrams.Outcome.other.rawValue + place * profiles + number))
      }
    }
    var store = DiagramStore(budget: 10_000)
    #expect(try diagrams.baseChain("forward", in: &store).decision == nil)
  }
}
