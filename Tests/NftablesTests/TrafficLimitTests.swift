import Nftables
import PacketSpace
import TestSupport
import Testing

/// How much of a traffic difference is told.
@Suite struct TrafficLimitTests {
  private static func ruleset(_ egress: String, _ member: String) throws -> Ruleset {
    var text = """
      groups:
        web: { type: advanced, intra-group: isolate, egress: [\(egress)]\(member) }
        other: { ingress: [{ allow: all, from: any, priority: 50 }] }

      """
    for port in 1...30 { text += "  peer-\(port): { ingress: [{ allow: tcp/\(port), from: any }] }\n" }
    text += "instances:\n  web-1: { addresses: 10.0.0.1, groups: web }\n"
    for port in 1...30 { text += "  peer-\(port)-1: { addresses: 10.0.1.\(port), groups: peer-\(port) }\n" }
    return try CompiledPolicy(text).ruleset
  }

  /// What opens is told however much closes: many peers of one end close, and the other way one port opens at a last one.
  @Test func opensIsFoundBesideWhatCloses() throws {
    let live = try Self.ruleset("{ allow: tcp, to: 10.0.1.0/24 }", "")
    let planned = try Self.ruleset("{ allow: udp/7, to: 10.0.2.1 }, { allow: tcp/30, to: 10.0.1.30 }", "")
    let all = try TrafficComparison.compare(live: live, planned: planned)
    #expect(all.isComplete)
    #expect(Set(all.changes.map(\.kind)) == [.opens, .closes])
    let some = try TrafficComparison.compare(live: live, planned: planned, limit: 2)
    #expect(!some.isComplete)
    #expect(Set(some.changes.map(\.kind)) == [.opens, .closes])
  }

  /// A new member of a group that was nobody's before: nothing opens to it, and that much is said without a walk through all peers.
  @Test func aNewMember() throws {
    let live = try Self.ruleset("{ allow: tcp, to: any }", "")
    let planned = try Self.ruleset("{ allow: tcp, to: any }", ", members: 10.0.0.9")
    let all = try TrafficComparison.compare(live: live, planned: planned)
    #expect(all.isComplete && Set(all.changes.map(\.kind)) == [.closes])
    let some = try TrafficComparison.compare(live: live, planned: planned, limit: 1)
    #expect(!some.isComplete && some.changes.count == 1)
  }

  /// Chains of both ends that are written otherwise and do the same: that nothing changes is known, and not left open.
  @Test func rewrittenAlike() throws {
    func ruleset(_ services: [String]) throws -> Ruleset {
      let rules = { (end: String) in services.map { "{ allow: [\($0)], \(end): any }" }.joined(separator: ", ") }
      return try CompiledPolicy(
        """
        groups:
          web: { type: advanced, ingress: [\(rules("from"))], egress: [\(rules("to"))] }
        instances:
          web-1: { addresses: [10.0.0.1, "fd00::1"], groups: web }
          web-2: { addresses: 10.0.0.2, groups: web }

        """
      ).ruleset
    }
    let difference = try TrafficComparison.compare(
      live: ruleset(["tcp/1-10, udp/7"]), planned: ruleset(["tcp/1-5", "tcp/6-10", "udp/7"]))
    #expect(difference.isComplete && difference.changes.isEmpty)
  }

  /// Where there was no table nothing can open, and what closes is told as far as the limit goes, however many groups there are.
  @Test func aFirstTable() throws {
    let planned = try Self.ruleset("{ allow: tcp, to: any }", "")
    let nothing = Ruleset(tableName: planned.tableName)
    let some = try TrafficComparison.compare(live: nothing, planned: planned, limit: 3)
    #expect(!some.isComplete && Set(some.changes.map(\.kind)) == [.closes])
    let back = try TrafficComparison.compare(live: planned, planned: nothing, limit: 3)
    #expect(!back.isComplete && Set(back.changes.map(\.kind)) == [.opens])
  }
}
