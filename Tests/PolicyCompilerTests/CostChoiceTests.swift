import Nftables
import PacketSpace
import TestSupport
import Testing

@testable import PolicyCompiler

/// What `CostModel` chooses in the lowering.
struct CostChoiceTests {
  private func rules(_ addresses: [Interval]) -> [LoweredRule] {
    addresses.enumerated().map { index, address in
      LoweredRule([.match(Match(.ipSource, address))], index % 2 == 0 ? .drop : .accept, origin: UInt32(index))
    }
  }

  private func isOneLookup(_ addresses: [Interval]) -> Bool {
    FlattenRuns.flatten(rules(addresses), from: Thresholds.small.flatten).count == 1
  }

  private func address(_ index: Int, length: Int) -> Interval {
    let size = UInt128(1) << UInt128(32 - length)
    let lower = 0x0A00_0000 + 2 * UInt128(index) * size
    return Interval(lower, lower + size - 1)
  }

  /// A lookup of intervals is dearer than a few comparisons of two bytes, and as dear as four of three bytes. Among single
  /// addresses it is in a hash, and cheaper.
  @Test func runsBecomeALookupWhereItIsNotClearlyDearer() {
    #expect(!isOneLookup((0..<4).map { address($0, length: 16) }))
    #expect(isOneLookup((0..<4).map { address($0, length: 24) }))
    #expect(isOneLookup((0..<9).map { address($0, length: 16) }))
    #expect(isOneLookup((0..<4).map { address($0, length: 32) }))
    #expect(!isOneLookup((0..<3).map { address($0, length: 24) }), "for a reader")
  }

  @Test func thresholdsComeFromTheModel() {
    #expect(Thresholds.small.set == 2 && Thresholds.small.dispatch == 32 && Thresholds.small.flatten == 4)
    #expect(Thresholds.large.set == 9 && Thresholds.large.dispatch == 100 && Thresholds.large.flatten == 11)
  }

  /// Many services, and many addresses of one link: no lookup goes through all of them.
  @Test func lookupsAmongIntervalsBeginWithWhatDiffers() throws {
    var text = "groups:\n  web:\n    ingress:\n"
    for index in 0..<60 {
      text += "      - { allow: tcp/\(1000 + 10 * index)-\(1004 + 10 * index), from: 10.0.\(index).0/24 }\n"
    }
    text += "instances:\n"
    for index in 0..<60 {
      text += "  i\(index): { addresses: 172.16.\(index).0/28, groups: web, interface: tap0 }\n"
    }
    let ruleset = try CompiledPolicy(text).ruleset
    let lookups = ruleset.chains.flatMap(\.rules).compactMap { rule -> VerdictElements? in
      guard case .lookup(let lookup) = rule.expressions.last, case .anonymous(let elements) = lookup.source else { return nil }
      return elements.keys.stride == 2 ? elements : nil
    }
    #expect(lookups.count == 1 && lookups[0].count == 60)
    let pairs = try #require(ruleset.sets.first { $0.name == "bindings-ipv4" }).elements
    for elements in lookups.map(\.keys) + [pairs] {
      #expect(Set((0..<elements.count).map { elements[$0].first! }).count == 60)
    }
    #expect(RulesetCost(ruleset).chains.first { $0.name == "links" }!.worst.nanoseconds < 700)
  }
}
