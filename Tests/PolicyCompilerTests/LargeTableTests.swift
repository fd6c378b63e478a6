import Nftables
import PacketSpace
import PolicyLanguage
import TestSupport
import Testing

@testable import PolicyCompiler

/// What is done in large tables only, tried on small ones.
@Suite struct LargeTableTests {
  /// The same compile with a large table's thresholds.
  static func large(_ text: String, host: String? = nil, observes: Bool = false) throws -> Compilation {
    let small = try CompiledPolicy(text, host: host, observes: observes).compilation
    let (ruleset, provenance, profiles) = Lowering(
      policy: small.policy, enforcement: small.enforcement, tableName: "cordon", observes: observes, thresholds: .large
    ).lower()
    return Compilation(
      policy: small.policy, enforcement: small.enforcement, ruleset: ruleset, provenance: provenance, observes: observes,
      profiles: profiles)
  }

  static func prove(_ compilation: Compilation, _ text: String) throws {
    let problems = RulesetValidator.validate(compilation.ruleset)
    #expect(problems.isEmpty, "\(problems)\n\(text)")
    let wrong = try compilation.verify()
    #expect(wrong == nil, "\(wrong!)\n\(text)\n\(String(decoding: compilation.text(), as: UTF8.self))")
  }

  /// Whatever the policy, its ruleset is proved; for each the gateway's and a machine's, observing every third.
  @Test(arguments: 0..<40) func manyAreProved(_ block: UInt64) throws {
    for number in block * 10..<block * 10 + 10 {
      var generator = SeededGenerator(seed: 50_000 + number)
      let random = RandomPolicy(using: &generator)
      try LargeTableTests.prove(LargeTableTests.large(random.text, observes: number % 3 == 0), random.text)
      guard let host = random.instances.first else { continue }
      do {
        try LargeTableTests.prove(LargeTableTests.large(random.text, host: host, observes: number % 3 == 0), random.text)
      } catch let refusal as CompiledPolicy.Refusal {
        #expect(refusal.codes.allSatisfy { ["mixed-types", "host-without-group"].contains($0) }, "\(refusal)")
      }
    }
  }

  // MARK: - Rules that change nothing

  /// Rules of a group, and which of them aren't written: those that never decide, and those that are redundant.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var type = "basic"
    var direction = "egress"
    var rules: [String]
    var never: [Int] = []
    var redundant: [Int] = []
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "what the default says", rules: ["allow: ssh, to: any"], redundant: [1]),
    Case(name: "what the default doesn't say", rules: ["deny: ssh, to: any"]),
    Case(name: "the default of ingress", direction: "ingress", rules: ["deny: ssh, from: any"], redundant: [1]),
    Case(name: "the default of an advanced group", type: "advanced", rules: ["deny: ssh, to: any"], redundant: [1]),
    Case(name: "an exception", rules: ["allow: ssh, to: 10.0.0.1", "deny: ssh, to: 10.0.0.0/8, priority: 2"]),
    Case(
      name: "an exception from other ports",
      rules: ["allow: ssh, to: 10.0.0.1", "deny: [telnet, udp/22], to: 10.0.0.0/8, priority: 2"], redundant: [1]),
    Case(
      name: "an exception from other addresses",
      rules: ["allow: all, to: 10.0.0.1", "deny: all, to: [11.0.0.0/8, \"::/0\"], priority: 2"], redundant: [1]),
    Case(
      name: "an exception at other own ends",
      rules: ["allow: all, to: any, from: 10.1.0.1", "deny: all, to: any, from: 10.1.0.2, priority: 2"], redundant: [1]),
    Case(
      name: "an exception from other source ports",
      rules: ["allow: tcp, to: any, source-ports: 1-9", "deny: tcp, to: any, source-ports: 10-19, priority: 2"], redundant: [1]),
    Case(
      name: "an exception where source ports meet",
      rules: ["allow: tcp, to: any, source-ports: 1-10", "deny: tcp, to: any, source-ports: 10-19, priority: 2"]),
    Case(
      name: "a whole protocol meets its ports", rules: ["allow: tcp/22, to: any", "deny: tcp, to: any, priority: 2"]),
    Case(name: "types meet their codes", rules: ["allow: icmp/8/0, to: any", "deny: icmp/8, to: any, priority: 2"]),
    Case(
      name: "a group may be anybody", rules: ["allow: ssh, to: other", "deny: ssh, to: 192.0.2.0/24, priority: 2"]),
    Case(
      name: "what is behind says the same",
      rules: ["deny: ssh, to: 10.0.0.1", "deny: [ssh, http], to: 10.0.0.0/8, priority: 2"],
      redundant: [1]),
    Case(
      name: "what is behind says the same of a group", rules: ["deny: ssh, to: other", "deny: tcp, to: other, priority: 2"],
      redundant: [1]),
    Case(
      name: "members are no reason", rules: ["deny: ssh, to: other", "deny: ssh, to: 198.51.100.7, priority: 2"]),
    Case(
      name: "something else comes between",
      rules: ["deny: ssh, to: 10.0.0.1", "allow: ssh, to: 10.0.0.0/30, priority: 2", "deny: ssh, to: 10.0.0.0/8, priority: 3"]),
    // the second goes since the default says it, and then nothing comes between the first and the third
    Case(
      name: "what came between is gone",
      rules: ["allow: ssh, to: 10.0.0.1", "deny: ssh, to: 11.0.0.0/8, priority: 2", "allow: tcp, to: any, priority: 3"],
      redundant: [1, 3]),
    Case(
      name: "a chain of exceptions",
      rules: [
        "allow: ssh, to: 10.0.0.1", "deny: ssh, to: 10.0.0.0/30, priority: 2", "allow: ssh, to: 10.0.0.0/8, priority: 3",
        "deny: ssh, to: any, priority: 4",
      ]),
    Case(name: "twice", rules: ["deny: ssh, to: any", "deny: ssh, to: any"], never: [2]),
    Case(name: "stronger and opposite", rules: ["allow: ssh, to: any, priority: 2", "deny: ssh, to: any"], never: [1]),
    Case(
      name: "stronger and wider", rules: ["deny: tcp, to: 10.0.0.0/8", "allow: [ssh, http], to: [10.0.0.1, 10.1.0.0/16]"],
      never: [2]),
    Case(
      name: "stronger and only almost as wide", rules: ["deny: tcp, to: 10.0.0.0/8", "deny: [ssh, udp/22], to: 10.0.0.1"]),
    Case(
      name: "members of one group, who are let through before", direction: "ingress",
      rules: ["deny: ssh, from: own", "allow: ssh, from: any"],
      never: [1]),
    Case(
      name: "exempt peers", direction: "ingress",
      rules: ["allow: ssh, from: 192.0.2.9", "allow: tcp, from: [192.0.2.9, other]"], never: [1]),
  ]

  @Test(arguments: cases) func areLeftOut(_ item: Case) throws {
    let text = """
      options: { exempt-from: 192.0.2.9 }
      groups:
        own:
          type: \(item.type)
          \(item.direction):
      \(item.rules.map { "      - { \($0) }" }.joined(separator: "\n"))
        other: { external: true, members: 198.51.100.7 }
      instances:
        own-1: { addresses: [10.1.0.1, "fd00::1"], groups: own }
      """
    let compilation = try LargeTableTests.large(text)
    try LargeTableTests.prove(compilation, text)
    let chain = try #require(compilation.ruleset.chains.first { $0.name == "\(item.direction)/own" })
    func line(_ reason: String, _ numbers: [Int]) -> [String] {
      numbers.isEmpty ? [] : ["left out, \(reason): own \(item.direction) \(numbers.map { "\($0)" }.joined(separator: " "))"]
    }
    #expect(Array(chain.annotations.dropFirst()) == line("never decides", item.never) + line("changes nothing", item.redundant))
    // and nothing else is missing
    let written = Set(chain.rules.compactMap(\.origin).flatMap { compilation.provenance.rules($0).map { $0.index + 1 } })
    #expect(written == Set(1...item.rules.count).subtracting(item.never + item.redundant))
  }

  /// In a small table a rule that decides is written, whether it changes something or not.
  @Test func aSmallTableSaysWhatThePolicySays() throws {
    let text = """
      groups:
        own: { egress: [{ allow: ssh, to: any }, { deny: smtp, to: any }, { deny: smtp, to: 192.0.2.1, priority: 2 }] }
      instances: { own-1: { addresses: 10.1.0.1, groups: own } }
      """
    let compiled = try CompiledPolicy(text)
    let chain = try #require(compiled.ruleset.chains.first { $0.name == "egress/own" })
    #expect(chain.rules.map(\.comment) == ["invalid", "own egress 2", "own egress 1", "default"])
    #expect(chain.annotations.last == "left out, never decides: own egress 3")
  }

  // MARK: - Chains that rules call

  static let called = """
    prefix-lists:
      office: [203.0.113.0/24, 198.51.100.0/25, 192.0.2.128/25, "2001:db8:12::/48"]
    services:
      app: [tcp/8080, tcp/8443]
    groups:
      web:
        ingress:
          - { allow: ssh, from: office }
          - { allow: [http, udp/443], from: office }
          - { allow: app, from: 10.9.0.0/16 }
          - { deny: app, from: 10.9.9.9 }
          - { allow: app, from: 192.0.2.1, to: 172.16.1.10 }
          - { allow: [ping, esp], from: database }
        egress:
          - { deny: [mysql, tcp/9000-9100], to: database }
          - { deny: all, to: database, priority: 2 }
          - { deny: icmp/8, to: database, priority: 1 }
      database:
        type: advanced
        ingress:
          - { allow: [mysql, redis], from: web }
          - { allow: ntp, from: any, source-ports: 123 }
        egress:
          - { allow: [https, ntp], to: web }
    instances:
      web-1: { addresses: [172.16.1.10, "fd00:1::10"], groups: web }
      web-2: { addresses: [172.16.1.11, "fd00:1::11"], groups: web }
      db-1: { addresses: [172.16.2.10, "fd00:2::11"], groups: database }
    """

  /// A chain's rules, without comments.
  static func rules(_ compilation: Compilation, _ chain: String) throws -> [String] {
    let found = try #require(compilation.ruleset.chains.first { $0.name == chain }, "no \(chain)")
    return found.rules.map { TextWriter.line(Nftables.Rule($0.expressions)) }
  }

  @Test func rulesCallChains() throws {
    let compilation = try LargeTableTests.large(LargeTableTests.called)
    try LargeTableTests.prove(compilation, LargeTableTests.called)
    #expect(
      try LargeTableTests.rules(compilation, "ingress/web") == [
        "ct state invalid drop", "jump accept-from/web",
        "ip saddr 10.9.9.9 tcp dport 8080 drop", "ip saddr 10.9.9.9 tcp dport 8443 drop",
        "tcp dport 22 jump accept-from/office",
        "tcp dport 80 jump accept-from/office", "udp dport 443 jump accept-from/office",
        "ip saddr 10.9.0.0/16 jump accept/app",
        "ip saddr 192.0.2.1 ip daddr 172.16.1.10 jump accept/app",
        "ip saddr @group-ipv4/database icmp type echo-request accept",
        "ip6 saddr @group-ipv6/database icmpv6 type echo-request accept",
        "ip saddr @group-ipv4/database meta l4proto esp accept", "ip6 saddr @group-ipv6/database meta l4proto esp accept",
        "drop",
      ])
    #expect(
      try LargeTableTests.rules(compilation, "accept-from/office") == [
        "ip saddr @list-ipv4/office accept", "ip6 saddr 2001:db8:12::/48 accept",
      ])
    #expect(try LargeTableTests.rules(compilation, "accept/app") == ["tcp dport 8080 accept", "tcp dport 8443 accept"])
  }

  /// What a return or a chain of the profile's own would have to say in a called chain, it can't.
  @Test func rulesThatGoElsewhereStayWhole() throws {
    let compilation = try LargeTableTests.large(LargeTableTests.called)
    #expect(
      try LargeTableTests.rules(compilation, "egress/database").filter { $0.contains("return") } == [
        "ip daddr @group-ipv4/web tcp dport 443 return", "ip6 daddr @group-ipv6/web tcp dport 443 return",
        "ip daddr @group-ipv4/web udp dport 123 return", "ip6 daddr @group-ipv6/web udp dport 123 return",
      ])
    for logged in [true, false] {
      let text = logged ? "options: { log: denied }\n" + LargeTableTests.called : LargeTableTests.called
      let compilation = try LargeTableTests.large(text, observes: !logged)
      try LargeTableTests.prove(compilation, text)
      #expect(!compilation.ruleset.chains.contains { $0.name.hasPrefix("drop") })
      #expect(compilation.ruleset.chains.contains { $0.name == "accept-from/office" })
    }
  }

  /// A machine's egress is the last to be asked, so what it allows may be said in a called chain.
  @Test func aMachineCallsChainsInBothDirections() throws {
    let compilation = try LargeTableTests.large(LargeTableTests.called, host: "db-1")
    try LargeTableTests.prove(compilation, LargeTableTests.called)
    #expect(
      try LargeTableTests.rules(compilation, "egress/database") == [
        "ct state invalid drop", "tcp dport 443 jump accept-to/web", "udp dport 123 jump accept-to/web", "drop",
      ])
  }

  /// A small table has no such chains.
  @Test func aSmallTableCallsNone() throws {
    let compilation = try CompiledPolicy(LargeTableTests.called).compilation
    #expect(compilation.ruleset.chains.allSatisfy { !$0.name.hasPrefix("accept") && !$0.name.hasPrefix("drop") })
  }

  @Test(arguments: [
    SeededFaultTests.verdict("a called chain that drops", "accept-from/office", "list-ipv4", .drop),
    SeededFaultTests.verdict("a called chain that accepts", "drop-to/database", "ip6", .accept),
    SeededFaultTests.verdict("a called chain that returns", "accept/app", "8443", .return),
    SeededFaultTests.rule("a family forgotten", "drop-to/database", "ip6") { $0.remove(at: $1) },
    SeededFaultTests.rule("a port forgotten", "accept/app", "8443") { $0.remove(at: $1) },
    SeededFaultTests.widened("an end forgotten", "accept-from/office", "list-ipv4", .ipSource),
    SeededFaultTests.value("another port", "accept/app", "8443", .destinationPort, Interval(8444)),
    SeededFaultTests.rule("a call forgotten", "ingress/web", "accept-from/office") { $0.remove(at: $1) },
    SeededFaultTests.verdict("another chain called", "ingress/web", "accept-from/office", .jump("accept/app")),
    SeededFaultTests.verdict("no way back", "ingress/web", "accept-from/office", .goto("accept-from/office")),
    SeededFaultTests.widened("a service forgotten", "ingress/web", "accept-from/office", .destinationPort),
    SeededFaultTests.rule("an exception behind the call", "ingress/web", "10.9.9.9") {
      $0.insert($0.remove(at: $1), at: $0.count - 1)
    },
    SeededFaultTests.Fault(name: "an empty called chain") { ruleset in
      guard let place = ruleset.chains.firstIndex(where: { $0.name == "drop-to/database" }) else { return false }
      ruleset.chains[place].rules = []
      return true
    },
    SeededFaultTests.Fault(name: "a chain that isn't there") { ruleset in
      let count = ruleset.chains.count
      ruleset.chains.removeAll { $0.name == "drop-to/database" }
      return ruleset.chains.count < count
    },
  ]) func isCaught(_ fault: SeededFaultTests.Fault) throws {
    let compilation = try LargeTableTests.large(LargeTableTests.called)
    var broken = compilation.ruleset
    let isDamaged = fault.damage(&broken)
    #expect(isDamaged, "nothing to break")
    #expect(try Verifier(compilation.policy, compilation.enforcement, broken, compilation.profiles).verify() != nil)
  }
}
