import Diagnostics
import Nftables
import PacketSpace
import PolicyLanguage
import TestSupport
import Testing

@testable import PolicyCompiler

/// The proof of a compile bites: a lowering that is broken in one of many ways never passes.
@Suite struct SeededFaultTests {
  static let policy = """
    options: { unmanaged: drop, exempt-from: 192.0.2.9, log: denied }
    prefix-lists:
      office: [203.0.113.0/24, 198.51.100.0/25, 192.0.2.128/25, "2001:db8:12::/48"]
    groups:
      web:
        ingress:
          - { allow: [http, https], from: any }
          - { deny: ssh, from: 203.0.113.66 }
          - { allow: ssh, from: office }
          - { allow: tcp/8000-8100, from: 10.9.0.0/16, priority: 7 }
          - { deny: tcp/8050, from: 10.9.9.0/24, priority: 6 }
          - { allow: gre, from: 192.0.2.1 }
          - { allow: icmp/8, from: any }
          - { allow: udp/53, from: 192.0.2.53, source-ports: 1024-65535 }
        egress:
          - { deny: smtp, to: any }
          - { deny: all, to: [198.18.0.0/15, "2001:db8:bad::/48"] }
      database:
        type: advanced
        ingress:
          - { allow: mysql, from: web }
          - { allow: postgresql, from: web, to: 172.16.2.10 }
        egress:
          - { allow: [dns, ntp], to: 192.0.2.53 }
      admin:
        type: advanced
        ingress:
          - { allow: ssh, from: "::/0" }
          - { allow: ssh, from: office }
    instances:
      web-1: { addresses: [172.16.1.10, "fd00:1::10"], groups: web, interface: tap1 }
      web-2: { addresses: [172.16.1.11, "fd00:1::11"], groups: web }
      db-1: { addresses: 172.16.2.10, groups: database }
      db-2: { addresses: [172.16.2.11, "fd00:2::11"], groups: [database, admin] }
    """

  /// A way to break a ruleset: it returns whether it found anything to break.
  struct Fault: Sendable, CustomTestStringConvertible {
    var name: String
    var damage: @Sendable (inout Ruleset) -> Bool
    var testDescription: String { name }
  }

  // MARK: - Kinds of damage

  /// Edits the first rule, in the chain of this name, whose text holds `text`.
  static func rule(
    _ name: String, _ chain: String, _ text: String, _ edit: @escaping @Sendable (inout [Nftables.Rule], Int) -> Void
  ) -> Fault {
    Fault(name: name) { ruleset in
      guard let place = ruleset.chains.firstIndex(where: { $0.name == chain }),
        let index = ruleset.chains[place].rules.firstIndex(where: { TextWriter.line($0).contains(text) })
      else { return false }
      edit(&ruleset.chains[place].rules, index)
      return true
    }
  }

  static func verdict(_ name: String, _ chain: String, _ text: String, _ verdict: Verdict) -> Fault {
    rule(name, chain, text) { rules, index in rules[index].expressions[rules[index].expressions.count - 1] = .verdict(verdict) }
  }

  /// Replaces the value of a field in a rule.
  static func value(_ name: String, _ chain: String, _ text: String, _ field: Field, _ value: Interval) -> Fault {
    rule(name, chain, text) { rules, index in
      for (place, expression) in rules[index].expressions.enumerated() {
        if case .match(var match) = expression, match.key == .field(field) {
          match.operand = .value(value)
          rules[index].expressions[place] = .match(match)
        }
      }
    }
  }

  /// Takes the match of a field out of a rule: what was narrow is wide.
  static func widened(_ name: String, _ chain: String, _ text: String, _ field: Field) -> Fault {
    rule(name, chain, text) { rules, index in
      rules[index].expressions.removeAll { if case .match(let match) = $0 { match.key == .field(field) } else { false } }
    }
  }

  static func set(_ name: String, _ set: String, _ edit: @escaping @Sendable ([Interval]) -> [Interval]) -> Fault {
    Fault(name: name) { ruleset in
      guard let place = ruleset.sets.firstIndex(where: { $0.name == set }), ruleset.sets[place].elements.stride == 1 else {
        return false
      }
      ruleset.sets[place].elements = Elements(edit(ruleset.sets[place].elements.intervals))
      return true
    }
  }

  /// Edits the forward chain's place in the kernel.
  static func base(_ name: String, _ edit: @escaping @Sendable (inout BaseChain) -> Void) -> Fault {
    Fault(name: name) { ruleset in
      guard let place = ruleset.chains.firstIndex(where: { $0.name == "forward" }), var base = ruleset.chains[place].base else {
        return false
      }
      edit(&base)
      ruleset.chains[place].base = base
      return true
    }
  }

  static func map(
    _ name: String, _ map: String, _ edit: @escaping @Sendable (Interval, Verdict) -> [(Interval, Verdict)]
  ) -> Fault {
    Fault(name: name) { ruleset in
      guard let place = ruleset.maps.firstIndex(where: { $0.name == map }) else { return false }
      var elements = VerdictElements()
      let old = ruleset.maps[place].elements
      for index in 0..<old.count {
        for (key, verdict) in edit(old.keys[index].first!, old.verdicts[index]) { elements.append(key, verdict: verdict) }
      }
      ruleset.maps[place].elements = elements
      return true
    }
  }

  static let firstAddress = UInt128(0xAC10_010A)  // 172.16.1.10

  static let faults: [Fault] = [
    rule("a rule dropped", "ingress/web", "tcp dport 22 ") { $0.remove(at: $1) },
    rule("a deny dropped", "ingress/web", "203.0.113.66") { $0.remove(at: $1) },
    rule("the invalid check dropped", "ingress/web", "ct state invalid") { $0.remove(at: $1) },
    rule("the exemption dropped", "ingress/web", "exempt-from") { $0.remove(at: $1) },
    rule("the intra-group step dropped", "ingress/web", "intra-group") { $0.remove(at: $1) },
    rule("members not left out of a deny", "ingress/web", "!= @group-ipv4/web") { $0[$1].expressions.remove(at: 2) },
    rule("the default dropped", "ingress/web", "default") { $0.remove(at: $1) },
    rule("a rule doubled in front", "ingress/web", "8000-8100") { $0.insert($0[$1], at: 0) },
    rule("a deny behind its allow", "ingress/web", "203.0.113.66") { $0.insert($0.remove(at: $1), at: $0.count - 1) },
    rule("two priorities swapped", "ingress/web", "8050") { $0.swapAt($1, $1 + 1) },
    verdict("an allow turned", "ingress/web", "icmp type", .drop),
    verdict("a deny turned", "ingress/web", "203.0.113.66", .accept),
    verdict("a default swapped", "egress/web", "default", .drop),
    verdict("an advanced default swapped", "egress/database", "default", .return),
    verdict("an egress that accepts", "egress/database", "udp dport", .accept),
    verdict("a deny that returns", "egress/web", "tcp dport 25", .return),
    value("an off-by-one port", "ingress/database", "3306", .destinationPort, Interval(3307)),
    value("an off-by-one range", "ingress/web", "8000-8100", .destinationPort, Interval(8000, 8101)),
    value("an off-by-one prefix", "ingress/web", "10.9.9.0/24", .ipSource, Interval(0x0A09_0900, 0x0A09_09FE)),
    value("another protocol", "ingress/web", "udp dport 53", .l4proto, Interval(6)),
    value("another ICMP type", "ingress/web", "icmp type", .icmpType, Interval(13)),
    value("an off-by-one source port", "ingress/web", "udp dport 53", .sourcePort, Interval(1023, 65535)),
    value("another state", "ingress/web", "ct state invalid", .connectionState, Interval(64)),
    widened("a peer widened", "ingress/web", "10.9.0.0/16", .ipSource),
    widened("an own end forgotten", "ingress/database", "5432", .ipDestination),
    widened("a port forgotten", "ingress/database", "3306", .destinationPort),
    widened("source ports forgotten", "ingress/web", "udp dport 53", .sourcePort),
    widened("a protocol forgotten", "ingress/web", "l4proto 47", .l4proto),
    rule("a family forgotten", "ingress/admin//database", "ip6") { $0.remove(at: $1) },
    rule("a family too many", "ingress/admin//database", "meta nfproto ipv6") {
      $0[$1].expressions.removeAll { if case .match(let match) = $0 { match.key == .field(.nfproto) } else { false } }
    },
    rule("a port asked of a protocol without", "ingress/web", "l4proto 47") {
      $0[$1].expressions.insert(.match(Match(.field(.destinationPort), .value(Interval(0, 65535)))), at: 1)
    },
    rule("a negated match", "ingress/web", "10.9.0.0/16") {
      guard case .match(var match) = $0[$1].expressions[0] else { return }
      match.isNegated = true
      $0[$1].expressions[0] = .match(match)
    },
    set("a member too many", "group-ipv4/web") { $0 + [Interval(0xAC10_010C)] },
    set("a member too few", "group-ipv4/web") { Array($0.dropLast()) },
    set("a set emptied", "group-ipv6/web") { _ in [] },
    set("a prefix too wide", "list-ipv4/office") { $0.map { Interval($0.lower, $0.upper + 1) } },
    map("an address without a profile", "ingress-ipv4") { $0.lower == firstAddress ? [] : [($0, $1)] },
    map("an address with another's profile", "ingress-ipv4") {
      [($0, $0.lower == firstAddress ? .jump("ingress/database") : $1)]
    },
    map("a stranger with a profile", "egress-ipv4") { $0.lower == firstAddress ? [($0, $1), (Interval(7), $1)] : [($0, $1)] },
    map("a goto where a jump was", "egress-ipv4") { [($0, $0.lower == firstAddress ? .goto("egress/web") : $1)] },
    map("ingress where egress was", "egress-ipv6") { [($0, $1 == .jump("egress/web") ? .jump("ingress/web") : $1)] },
    rule("egress never asked", "forward", "egress-ipv4") { $0.remove(at: $1) },
    rule("ingress never asked", "forward", "ingress-ipv6") { $0.remove(at: $1) },
    rule("links never asked", "forward", "jump links") { $0.remove(at: $1) },
    rule("links asked after sessions", "forward", "jump links") { $0.swapAt($1, $1 + 1) },
    rule("sessions forgotten", "forward", "ct state") { $0.remove(at: $1) },
    verdict("unmanaged passes", "forward", "unmanaged", .accept),
    rule("a bound address from anywhere", "links", "bound to another link") { $0.remove(at: $1) },
    rule("a bound link for anybody", "links", "not an address of this link") { $0.remove(at: $1) },
    verdict("logging that doesn't drop", "denied-ingress/web", "drop", .accept),
    base("another hook") { $0.hook = .prerouting },
    base("another priority") { $0.priority = 300 },
    base("a base chain that drops") { $0.policy = .drop },
    Fault(name: "no base chain at all") { ruleset in
      for place in ruleset.chains.indices { ruleset.chains[place].base = nil }
      return true
    },
    Fault(name: "a base chain too many") {
      $0.chains.append(Chain("more", base: BaseChain(hook: .forward, policy: .drop)))
      return true
    },
    Fault(name: "a dormant table") {
      $0.hasTableFlags = true
      return true
    },
    Fault(name: "an open policy made closed") {
      let place = $0.chains.firstIndex { $0.name == "forward" }!
      $0.chains[place].rules.removeLast()
      return true
    },
  ]

  static func compilation(host: String? = nil) throws -> Compilation {
    var sources = SourceFiles()
    _ = sources.add(SourceFile(name: "policy.yaml", bytes: Array(policy.utf8)))
    let (policy, diagnostics) = PolicyFrontend.load(sources)
    let accepted = try #require(policy, "\(PlainRenderer().render(diagnostics, in: sources))")
    var refusals: [Diagnostic] = []
    return try #require(Compiler.compile(accepted, CompilerOptions(host: host), into: &refusals), "\(refusals)")
  }

  @Test func thereAreManyKinds() { #expect(Set(SeededFaultTests.faults.map(\.name)).count >= 30) }

  @Test func theUnbrokenPasses() throws {
    #expect(try SeededFaultTests.compilation().verify() == nil)
    #expect(try SeededFaultTests.compilation(host: "web-2").verify() == nil)
  }

  @Test(arguments: faults) func isCaught(_ fault: Fault) throws {
    let compilation = try SeededFaultTests.compilation()
    var broken = compilation.ruleset
    let isDamaged = fault.damage(&broken)
    #expect(isDamaged, "nothing to break:\n\(String(decoding: TextWriter.write(broken), as: UTF8.self))")
    let verifier = Verifier(compilation.policy, compilation.enforcement, broken, compilation.profiles)
    let found = try #require(try verifier.verify(), "the fault passes")
    // a chain is named, and where there is a packet, both sides' reasons
    #expect(!found.chain.isEmpty)
    #expect(found.packet == nil || "\(found)".contains("decide"), "\(found)")
  }

  /// Chains that ought to count and log what is denied, and to let it pass.
  @Test(arguments: [
    verdict("egress that skips ingress", "denied-egress/web", "counter", .accept),
    verdict("ingress that comes back", "denied-ingress/web", "counter", .return),
    rule("nothing counted", "denied-ingress/web", "counter") { $0[$1].expressions.removeFirst() },
    rule("nothing logged", "denied-ingress/web", "log") { $0.remove(at: $1) },
    verdict("a drop that stayed", "ingress/web", "default", .drop),
  ]) func isCaughtWhereItObserves(_ fault: Fault) throws {
    let compilation = try CompiledPolicy(SeededFaultTests.policy, observes: true).compilation
    #expect(try compilation.verify() == nil)
    var broken = compilation.ruleset
    let isDamaged = fault.damage(&broken)
    #expect(isDamaged, "nothing to break")
    let verifier = Verifier(compilation.policy, compilation.enforcement, broken, compilation.profiles, observes: true)
    #expect(try verifier.verify() != nil)
  }

  @Test(arguments: [
    rule("loopback forgotten", "input", "iifname") { $0.remove(at: $1) },
    rule("discovery forgotten", "input", "neighbour") { $0.remove(at: $1) },
    value("another DHCP port", "input", "DHCPv6", .destinationPort, Interval(547)),
    rule("sessions forgotten on a host", "output", "ct state") { $0.remove(at: $1) },
    verdict("output never asked", "output", "goto", .accept),
  ]) func isCaughtOnAHost(_ fault: Fault) throws {
    let compilation = try SeededFaultTests.compilation(host: "web-2")
    var broken = compilation.ruleset
    let isDamaged = fault.damage(&broken)
    #expect(isDamaged, "nothing to break")
    #expect(try Verifier(compilation.policy, compilation.enforcement, broken, compilation.profiles).verify() != nil)
  }
}
