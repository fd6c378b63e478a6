import Nftables
import PacketSpace
import PolicyLanguage
import TestSupport
import Testing

@testable import PolicyCompiler

/// What is done in large tables only, tried on small ones.
@Suite struct LargeTableTests {
  /// The same compile with a large table's thresholds.
  static func large(
    _ text: String, host: String? = nil, observes: Bool = false, _ thresholds: Thresholds = .large
  ) throws -> Compilation {
    let small = try CompiledPolicy(text, host: host, observes: observes).compilation
    let (ruleset, provenance, profiles) = Lowering(
      policy: small.policy, enforcement: small.enforcement, tableName: "cordon", observes: observes, thresholds: thresholds
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
    // nothing is there that nothing leads to
    let ruleset = compilation.ruleset
    let written = String(decoding: compilation.text(), as: UTF8.self)
    for chain in ruleset.chains where chain.base == nil && chain.name != Lowering.mark && chain.name != Names.links {
      #expect(
        written.contains(" \(chain.name) comment") || written.contains(" : jump \(chain.name)")
          || written.contains(" : goto \(chain.name)") || written.contains("goto \(chain.name)\n"), "\(chain.name)\n\(written)")
    }
  }

  /// Thresholds at which chains are called as soon as they can be.
  static let eager: Thresholds = {
    var result = Thresholds.large
    result.peerChain = 1
    result.serviceChain = 1
    result.sharedRules = 1
    return result
  }()

  /// Whatever the policy, its ruleset is proved; for each the gateway's and a machine's, observing every third.
  @Test(arguments: 0..<40) func manyAreProved(_ block: UInt64) throws {
    for number in block * 10..<block * 10 + 10 {
      var generator = SeededGenerator(seed: 50_000 + number)
      let random = RandomPolicy(using: &generator)
      let thresholds = number % 2 == 0 ? Thresholds.large : LargeTableTests.eager
      try LargeTableTests.prove(LargeTableTests.large(random.text, observes: number % 3 == 0, thresholds), random.text)
      guard let host = random.instances.first else { continue }
      do {
        try LargeTableTests.prove(
          LargeTableTests.large(random.text, host: host, observes: number % 3 == 0, thresholds), random.text)
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
          - { allow: ntp, to: web }
          - { allow: tcp, to: web }
          - { allow: https, to: 192.0.2.0/24 }
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
        "ct state invalid drop", "tcp dport 8080 ip saddr 10.9.9.9 ip saddr != @group-ipv4/web drop",
        "tcp dport 8443 ip saddr 10.9.9.9 ip saddr != @group-ipv4/web drop",
        "tcp dport 22 jump accept-from/office",
        "tcp dport 80 jump accept-from/office", "udp dport 443 jump accept-from/office",
        "ip saddr 10.9.0.0/16 jump accept/app",
        "ip saddr 192.0.2.1 ip daddr 172.16.1.10 jump accept/app",
        "ip saddr @group-ipv4/database icmp type echo-request accept",
        "ip6 saddr @group-ipv6/database icmpv6 type echo-request accept",
        "meta l4proto esp ip saddr @group-ipv4/database accept", "meta l4proto esp ip6 saddr @group-ipv6/database accept",
        "jump accept-from/web", "drop",
      ])
    #expect(
      try LargeTableTests.rules(compilation, "accept-from/office") == [
        "ip saddr @list-ipv4/office accept", "ip6 saddr 2001:db8:12::/48 accept",
      ])
    #expect(try LargeTableTests.rules(compilation, "accept/app") == ["tcp dport 8080 accept", "tcp dport 8443 accept"])
  }

  /// A return, or a chain of the profile's own, can't be said in a called chain.
  @Test func rulesThatGoElsewhereStayWhole() throws {
    let compilation = try LargeTableTests.large(LargeTableTests.called)
    #expect(
      try LargeTableTests.rules(compilation, "egress/database") == [
        "ct state invalid drop", "tcp dport 443 ip daddr 192.0.2.0/24 return", "udp dport 123 goto only-to/web",
        "meta l4proto tcp goto only-to/web", "drop",
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
        "ct state invalid drop", "udp dport 123 jump accept-to/web", "meta l4proto tcp jump accept-to/web",
        "tcp dport 443 ip daddr 192.0.2.0/24 accept", "drop",
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

  // MARK: - The last word on a service

  /// Rules of an advanced group's egress, and what they become.
  @Test(arguments: [
    // one for each service, the narrower first, behind all others
    (
      ["allow: ssh, to: peer", "allow: https, to: any", "allow: [http, udp/53], to: peer"],
      [
        "tcp dport 443 return", "tcp dport 22 goto only-to/peer", "tcp dport 80 goto only-to/peer",
        "udp dport 53 goto only-to/peer",
      ]
    ),
    (
      ["allow: tcp, to: peer", "allow: ssh, to: other"],
      [
        "meta l4proto tcp ip daddr @group-ipv4/peer return", "meta l4proto tcp ip6 daddr @group-ipv6/peer return",
        "tcp dport 22 goto only-to/other",
      ]
    ),
    // a weaker deny that it would pass
    (
      ["allow: ssh, to: peer", "deny: tcp, to: other, priority: 2", "allow: all, to: any, priority: 3"],
      [
        "tcp dport 22 ip daddr @group-ipv4/peer return", "tcp dport 22 ip6 daddr @group-ipv6/peer return",
        "meta l4proto tcp jump drop-to/other", "return",
      ]
    ),
    // a stronger one stays in front
    (
      ["deny: ssh, to: 10.0.0.0/8", "allow: ssh, to: peer, priority: 2"],
      ["ip daddr 10.0.0.0/8 jump drop/ssh", "tcp dport 22 goto only-to/peer"]
    ),
    // another allow of the service, which takes the packets that aren't the peer's
    (
      ["allow: ssh, to: peer", "allow: ssh, to: 10.0.0.0/8, priority: 2"],
      ["tcp dport 22 ip daddr 10.0.0.0/8 return", "tcp dport 22 goto only-to/peer"]
    ),
    (
      ["allow: ssh, to: [peer, other]"],
      [
        "tcp dport 22 ip daddr @group-ipv4/peer return", "tcp dport 22 ip daddr @group-ipv4/other return",
        "tcp dport 22 ip6 daddr @group-ipv6/peer return", "tcp dport 22 ip6 daddr @group-ipv6/other return",
      ]
    ),
    (["allow: all, to: peer"], ["ip daddr @group-ipv4/peer return", "ip6 daddr @group-ipv6/peer return"]),
  ]) func standsBehindAllOthers(_ rules: [String], _ expected: [String]) throws {
    let text = """
      groups:
        own:
          type: advanced
          egress:
      \(rules.map { "      - { \($0) }" }.joined(separator: "\n"))
        peer: { external: true, members: [192.0.2.1, "2001:db8::1"] }
        other: { external: true, members: [192.0.2.2, "2001:db8::2"] }
      instances:
        own-1: { addresses: [10.1.0.1, "fd00::1"], groups: own }
      """
    let compilation = try LargeTableTests.large(text, LargeTableTests.eager)
    try LargeTableTests.prove(compilation, text)
    let lines = try LargeTableTests.rules(compilation, "egress/own").dropFirst()
    #expect(Array(lines.last == "drop" ? lines.dropLast() : lines) == expected)
  }

  // MARK: - Rules of a group in many profiles

  static let shared = """
    groups:
      base:
        ingress:
          - { allow: ssh, from: 192.0.2.0/24 }
          - { allow: tcp/9100, from: 192.0.2.9 }
          - { allow: snmp, from: 192.0.2.9 }
          - { deny: ssh, from: 192.0.2.66 }
          - { allow: ntp, from: any, priority: 7 }
        egress:
          - { deny: smtp, to: any }
          - { deny: telnet, to: any }
          - { deny: ftp, to: any }
      web: { ingress: [{ allow: https, from: any }, { deny: tcp/9100, from: 192.0.2.8/30, priority: 1 }] }
      mail: { egress: [{ deny: ssh, to: any }, { allow: smtp, to: any }] }
    instances:
      web-1: { addresses: 10.1.0.1, groups: [base, web] }
      mail-1: { addresses: 10.1.0.2, groups: [base, mail] }
      base-1: { addresses: [10.1.0.3, "fd00::3"], groups: base }
    """

  @Test func rulesOfAGroupAreWrittenOnce() throws {
    let compilation = try LargeTableTests.large(LargeTableTests.shared)
    try LargeTableTests.prove(compilation, LargeTableTests.shared)
    for profile in ["base", "base//mail", "base//web"] {
      let ingress = try LargeTableTests.rules(compilation, "ingress/\(profile)")
      #expect(ingress.filter { $0.hasPrefix("jump ingress.allow-1/base") }.count == 1)
      #expect(try LargeTableTests.rules(compilation, "egress/\(profile)").contains("jump egress.deny-1/base"))
    }
    #expect(
      try LargeTableTests.rules(compilation, "ingress/base//web") == [
        "ct state invalid drop",
        "ip saddr 192.0.2.66 ip saddr != 10.1.0.1-10.1.0.3 ip saddr != 10.1.0.1 jump drop/ssh",
        "tcp dport 9100 ip saddr 192.0.2.8/30 ip saddr != 10.1.0.1-10.1.0.3 ip saddr != 10.1.0.1 drop",
        "jump ingress.allow-1/base", "tcp dport 443 accept", "udp dport 123 accept",
        "ip saddr 10.1.0.1-10.1.0.3 accept", "ip6 saddr fd00::3 accept", "ip saddr 10.1.0.1 accept", "drop",
      ])
    #expect(
      try LargeTableTests.rules(compilation, "egress.deny-1/base") == [
        "tcp dport 25 drop", "tcp dport 23 drop", "tcp dport 21 drop",
      ])
    let call = try #require(
      compilation.ruleset.chains.first { $0.name == "egress/base//mail" }?.rules.first { $0.comment == "base egress 1 2 3" })
    #expect(compilation.provenance.rules(try #require(call.origin)).map(\.index) == [0, 1, 2])
  }

  @Test(arguments: [
    SeededFaultTests.rule("a rule of many profiles forgotten", "egress.deny-1/base", "23") { $0.remove(at: $1) },
    SeededFaultTests.rule("a call forgotten", "ingress/base//web", "jump ingress.allow-1") { $0.remove(at: $1) },
    SeededFaultTests.rule("a call too early", "ingress/base//web", "jump ingress.allow-1") {
      $0.insert($0.remove(at: $1), at: 1)
    },
  ]) func isCaughtInManyProfiles(_ fault: SeededFaultTests.Fault) throws {
    let compilation = try LargeTableTests.large(LargeTableTests.shared)
    var broken = compilation.ruleset
    let isDamaged = fault.damage(&broken)
    #expect(isDamaged, "nothing to break")
    #expect(try Verifier(compilation.policy, compilation.enforcement, broken, compilation.profiles).verify() != nil)
  }

  @Test(arguments: [
    SeededFaultTests.rule("a last word too early", "egress/database", "goto") { $0.swapAt($1, $1 - 1) },
    SeededFaultTests.verdict("a last word that comes back", "only-to/web", "default", .return),
    SeededFaultTests.verdict("a last word that skips ingress", "only-to/web", "ip6", .accept),
    SeededFaultTests.rule("a last word without a family", "only-to/web", "ip6") { $0.remove(at: $1) },
    SeededFaultTests.widened("a last word on everything", "egress/database", "goto", .destinationPort),
  ]) func isCaughtAtTheLastWord(_ fault: SeededFaultTests.Fault) throws {
    let text = LargeTableTests.called.replacing("allow: tcp, to: web", with: "allow: [tcp/22, udp/1], to: 192.0.2.1")
      .replacing("allow: ntp, to: web", with: "allow: [ntp, udp/2], to: web")
      .replacing("allow: https, to: 192.0.2.0/24", with: "allow: udp, to: 198.51.100.0/24")
    let compilation = try LargeTableTests.large(text)
    try LargeTableTests.prove(compilation, text)
    var broken = compilation.ruleset
    let isDamaged = fault.damage(&broken)
    #expect(isDamaged, "nothing to break")
    #expect(try Verifier(compilation.policy, compilation.enforcement, broken, compilation.profiles).verify() != nil)
  }
}
