import Nftables
import PolicyLanguage
import TestSupport
import Testing

@testable import PolicyCompiler

/// Where the intra-group step stands among the rules of a chain. Each chain is proved besides: step and rules decide as if the
/// step came first.
@Suite struct IntraGroupStepTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    /// The rules of group `own`, ingress.
    var rules: [String]
    var ownMembers = #"[10.1.0.1, 10.1.0.2, "fd00::1"]"#
    var options = "{}"
    var isLarge = false
    /// What stands between the check of the state and the default.
    var expected: [String]
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "behind what is allowed", rules: ["allow: https, from: any", "allow: ssh, from: 192.0.2.0/24, priority: 9"],
      expected: ["tcp dport 443 accept", "tcp dport 22 ip saddr 192.0.2.0/24 accept", "STEP"]),
    Case(
      name: "behind denies that leave the members out",
      rules: ["deny: ssh, from: [192.0.2.66, '2001:db8::66', friend]", "allow: ssh, from: any"],
      expected: [
        "tcp dport 22 ip saddr 192.0.2.66 ip saddr != @group-ipv4/own drop",
        "tcp dport 22 ip saddr @group-ipv4/friend ip saddr != @group-ipv4/own drop",
        "tcp dport 22 ip6 saddr 2001:db8::66 ip6 saddr != @group-ipv6/own drop",
        "tcp dport 22 ip6 saddr @group-ipv6/friend ip6 saddr != @group-ipv6/own drop", "tcp dport 22 accept", "STEP",
      ]),
    Case(
      name: "in front of a deny of every address",
      rules: [
        "allow: https, from: any", "deny: ssh, from: 192.0.2.66, priority: 2", "deny: telnet, from: any, priority: 3",
        "deny: ftp, from: 192.0.2.67, priority: 4",
      ],
      expected: [
        "tcp dport 443 accept", "tcp dport 22 ip saddr 192.0.2.66 ip saddr != @group-ipv4/own drop", "STEP",
        "tcp dport 23 drop", "tcp dport 21 ip saddr 192.0.2.67 drop",
      ]),
    Case(
      name: "a family without members is denied whole", rules: ["deny: ssh, from: ['2001:db8::/32', 192.0.2.0/24]"],
      ownMembers: "10.1.0.1",
      expected: [
        "tcp dport 22 ip saddr 192.0.2.0/24 ip saddr != @group-ipv4/own drop", "tcp dport 22 ip6 saddr 2001:db8::/32 drop",
        "ip saddr @group-ipv4/own accept",
      ]),
    Case(
      name: "behind an allow of everything it is never asked", rules: ["deny: ssh, from: 192.0.2.66", "allow: all, from: any"],
      expected: ["tcp dport 22 ip saddr 192.0.2.66 ip saddr != @group-ipv4/own drop"]),
    Case(
      name: "of one family at once a deny of every address leaves the members out", rules: ["deny: ping, from: any"],
      expected: [
        "icmp type echo-request ip saddr != @group-ipv4/own drop", "icmpv6 type echo-request ip6 saddr != @group-ipv6/own drop",
        "STEP",
      ]),
    Case(
      name: "what is denied is logged for whoever is no member", rules: ["deny: ssh, from: 192.0.2.66"],
      options: "{ log: denied }",
      expected: ["tcp dport 22 ip saddr 192.0.2.66 ip saddr != @group-ipv4/own goto denied-ingress/own", "STEP"]),
    Case(
      name: "denies that leave the members out call no chain of their peer",
      rules: ["deny: [ssh, rdp], from: friend", "allow: tcp, from: any"], isLarge: true,
      expected: [
        "tcp dport 22 ip saddr @group-ipv4/friend ip saddr != @group-ipv4/own drop",
        "tcp dport 22 ip6 saddr @group-ipv6/friend ip6 saddr != @group-ipv6/own drop",
        "tcp dport 3389 ip saddr @group-ipv4/friend ip saddr != @group-ipv4/own drop",
        "tcp dport 3389 ip6 saddr @group-ipv6/friend ip6 saddr != @group-ipv6/own drop", "meta l4proto tcp accept", "STEP",
      ]),
  ]

  static let step = ["ip saddr @group-ipv4/own accept", "ip6 saddr @group-ipv6/own accept"]

  @Test(arguments: cases) func standsWhereItCostsLeast(_ item: Case) throws {
    let text = """
      options: \(item.options)
      groups:
        own: { ingress: [\(item.rules.map { "{ \($0) }" }.joined(separator: ", "))] }
        friend: { external: true, members: [10.2.0.1, 'fd00:2::1'] }
        watcher: { egress: [{ deny: ssh, to: own }] }
      instances:
        own-1: { addresses: \(item.ownMembers), groups: own }
        watcher-1: { addresses: 10.3.0.1, groups: watcher }
      """
    var compilation = try CompiledPolicy(text).compilation
    if item.isLarge { compilation = try LargeTableTests.large(text) }
    try LargeTableTests.prove(compilation, text)
    let rules = try LargeTableTests.rules(compilation, "ingress/own").dropFirst().dropLast()
    #expect(Array(rules) == item.expected.flatMap { $0 == "STEP" ? IntraGroupStepTests.step : [$0] })
  }

  /// With members in several groups of one profile a deny leaves out eight of a family, and no more.
  @Test(arguments: [(2, true), (8, true), (9, false)]) func groupsAreLeftOut(_ count: Int, _ isSpared: Bool) throws {
    let names = (1...count).map { "g\($0)" }
    let groups = names.map { "\($0): { ingress: [{ deny: ssh, from: 192.0.2.66 }, { allow: ssh, from: any }] }" }
    let text = """
      groups:
        \(groups.joined(separator: "\n  "))
        watcher: { egress: [{ deny: ssh, to: [\(names.joined(separator: ", "))] }] }
      instances:
        several: { addresses: 10.1.0.1, groups: [\(names.joined(separator: ", "))] }
        watcher-1: { addresses: 10.3.0.1, groups: watcher }
      """
    let compilation = try CompiledPolicy(text).compilation
    try LargeTableTests.prove(compilation, text)
    let rules = try LargeTableTests.rules(compilation, "ingress/" + names.joined(separator: "//"))
    let strangers = names.map { " ip saddr != @group-ipv4/\($0)" }.joined()
    #expect(rules[1] == (isSpared ? "tcp dport 22 ip saddr 192.0.2.66\(strangers) drop" : "ip saddr @group-ipv4/g1 accept"))
  }

  /// In egress, where members may reach each other too, the default allows what the step would.
  @Test func egressThatAllowsNeedsNoStep() throws {
    let text = """
      options: { intra-group-egress: allow }
      groups: { own: { egress: [{ deny: ssh, to: 10.0.0.0/8 }] } }
      instances: { own-1: { addresses: 10.1.0.1, groups: own } }
      """
    let compilation = try CompiledPolicy(text).compilation
    try LargeTableTests.prove(compilation, text)
    #expect(
      try LargeTableTests.rules(compilation, "egress/own")
        == ["ct state invalid drop", "tcp dport 22 ip daddr 10.0.0.0/8 ip daddr != 10.1.0.1 drop", "return"])
  }

  /// Neither is a set made for a step that nothing needs.
  @Test func whereAllIsAllowedNobodyIsAsked() throws {
    let text = """
      groups: { own: { ingress: [{ allow: all, from: any }] } }
      instances: { own-1: { addresses: [10.1.0.1, 10.1.0.5, 10.1.0.9], groups: own } }
      """
    let compilation = try CompiledPolicy(text).compilation
    try LargeTableTests.prove(compilation, text)
    #expect(compilation.ruleset.sets.isEmpty)
  }

  /// A member more is a matter of elements, or of rules that name it: nothing else moves.
  @Test(arguments: 1..<12) func aMemberMovesNoRule(_ count: Int) throws {
    func chain(_ members: Int) throws -> [String] {
      let addresses = (0..<members).map { "10.1.0.\($0 * 2 + 1)" } + ["'fd00::1'"]
      let rules = (0..<29).map { ", { allow: tcp/\(1000 + $0 * 2), from: any, priority: 9 }" }.joined()
      let text = """
        groups:
          own: { ingress: [{ deny: ssh, from: 192.0.2.66 }, { deny: telnet, from: any, priority: 2 }\(rules)] }
        instances: { own-1: { addresses: [\(addresses.joined(separator: ", "))], groups: own } }
        """
      return try LargeTableTests.rules(LargeTableTests.large(text), "ingress/own").map {
        $0.hasPrefix("tcp dport 22") ? "the deny" : $0
      }.filter { !$0.contains("10.1.0.") && !$0.contains("fd00::1") && !$0.contains("group-ipv") }
    }
    #expect(try chain(count) == chain(count + 1))
  }
}
