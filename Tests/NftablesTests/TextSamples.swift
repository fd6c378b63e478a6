import Nftables
import PacketSpace
import TestSupport

/// Rulesets for tests: one that has every kind of field, operand and expression, and others made at random. All are valid.
enum Samples {
  /// Ascending, disjoint values of a field that nft can write; single ones only where `exact`.
  static func values(_ field: Field, exact: Bool) -> [Interval] {
    switch field {
    case .connectionState:
      return [1, 2, 4, 8, 64].map { Interval($0) }
    case .inputInterface, .outputInterface:
      let names: [Interval] = [.link("eth0"), .link("tap-3@x.1"), .link("z23456789012345")]
      return exact ? names : names + [.links("zz")]
    case .nfproto, .l4proto, .ipProtocol, .ipSource, .ipDestination, .ip6Source, .ip6Destination, .sourcePort, .destinationPort,
      .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code:
      let maximum = field.maximum
      if exact { return [Interval(0), Interval(2), Interval(6), Interval(8), Interval(128), Interval(maximum)] }
      return [
        Interval(0), Interval(2, 5), Interval(6), Interval(8, 15), Interval(17, 18), Interval(128),
        Interval(maximum - 3, maximum),
      ]
    }
  }

  /// A field that can stand in a concatenation with `field`.
  static func partner(_ field: Field) -> Field {
    switch field {
    case .inputInterface: .outputInterface
    default: .inputInterface
    }
  }

  static let verdicts: [Verdict] = [.accept, .drop, .return, .continue, .jump("leaf/a"), .goto("leaf/b")]

  /// A rule for each way in which each field can be looked at, and one for each other expression.
  static func everything() -> Ruleset {
    var ruleset = Ruleset(tableName: "cordon", limits: [NamedLimit("denied", packetsPerSecond: 10)])
    var rules: [Rule] = []
    func add(_ field: Field, _ match: Match) {
      rules.append(Rule([.match(match), .verdict(.accept)], comment: "\(field) \(rules.count)"))
    }
    for field in Field.allCases {
      let exact = values(field, exact: true)
      let intervals = values(field, exact: false)
      let key = Key.field(field)
      let pair = Key.concatenation([field, partner(field)])
      for negated in [false, true] {
        for value in intervals { add(field, Match(key, .value(value), isNegated: negated)) }
        for elements in [exact, intervals] {
          let isInterval = elements.contains { !$0.isSingle }
          let name = "\(field)-\(isInterval ? "intervals" : "exact")"
          add(field, Match(key, .anonymous(Elements(elements)), isNegated: negated))
          add(field, Match(key, .named(name), isNegated: negated))
          let pairs = Elements(stride: 2, elements.flatMap { [$0, .link("eth1")] })
          add(field, Match(pair, .anonymous(pairs), isNegated: negated))
          add(field, Match(pair, .named("pair-\(name)"), isNegated: negated))
          if negated { continue }
          if !ruleset.sets.contains(where: { $0.name == name }) {
            ruleset.sets.append(
              NamedSet(name, types: [field.dataType], isInterval: isInterval, elements: Elements(elements)))
            ruleset.sets.append(
              NamedSet(
                "pair-\(name)", types: [field.dataType, .interfaceName], isInterval: isInterval, elements: pairs))
            var map = VerdictElements()
            var pairMap = VerdictElements(stride: 2)
            for (i, element) in elements.enumerated() {
              map.append(element, verdict: verdicts[i % verdicts.count])
              pairMap.append(element, .link("eth1"), verdict: verdicts[i % verdicts.count])
            }
            ruleset.maps.append(
              VerdictMap("map-\(name)", types: [field.dataType], isInterval: isInterval, elements: map))
            ruleset.maps.append(
              VerdictMap(
                "pair-map-\(name)", types: [field.dataType, .interfaceName], isInterval: isInterval, elements: pairMap))
            rules.append(Rule([.lookup(VerdictLookup(key, .anonymous(map)))]))
            rules.append(Rule([.lookup(VerdictLookup(key, .named("map-\(name)")))], comment: "c"))
            rules.append(Rule([.lookup(VerdictLookup(pair, .anonymous(pairMap)))]))
            rules.append(Rule([.lookup(VerdictLookup(pair, .named("pair-map-\(name)")))]))
          }
        }
      }
    }
    for transport: UInt128 in [6, 17, 132] {
      for port in [Field.sourcePort, .destinationPort] {
        rules.append(Rule([.match(Match(.l4proto, Interval(transport))), .match(Match(port, Interval(22))), .verdict(.drop)]))
        rules.append(
          Rule([
            .match(Match(.l4proto, Interval(transport))), .match(Match(.ipSource, .v4(10, 0, 0, 0, length: 8))),
            .match(Match(port, Interval(80, 90))), .verdict(.drop),
          ]))
      }
    }
    for verdict in verdicts { rules.append(Rule([.verdict(verdict)])) }
    rules.append(
      Rule(
        [.namedLimit("denied"), .log(prefix: "cordon db//web ingress: ", group: nil), .counter, .verdict(.drop)],
        comment: "web ingress 1"))
    rules.append(Rule([.limit(packetsPerSecond: 7), .log(prefix: "", group: 5)]))
    rules.append(Rule([.log(prefix: "x", group: 0)]))
    rules.append(Rule([.match(Match(.l4proto, Interval(47))), .counter]))
    ruleset.chains = [
      Chain("leaf/a"), Chain("leaf/b", rules: [Rule([.verdict(.return)])]),
      Chain("every", rules: rules),
      Chain("forward", base: BaseChain(hook: .forward, policy: .accept), rules: [Rule([.verdict(.jump("every"))])]),
    ]
    for hook in Hook.allCases where hook != .forward {
      ruleset.chains.append(
        Chain("hook-\(hook)", base: BaseChain(hook: hook, priority: hook == .input ? -150 : 7, policy: .drop)))
    }
    return ruleset
  }

  // MARK: - At random

  private static func chance(_ n: Int, _ g: inout SeededGenerator) -> Bool { Int.random(in: 0..<n, using: &g) == 0 }

  /// Disjoint ascending values near each other, so that packets made of `packet` hit them.
  static func randomValues(_ field: Field, _ count: Int, exact: Bool, _ g: inout SeededGenerator) -> [Interval] {
    switch field {
    case .connectionState, .inputInterface, .outputInterface:
      return Array(values(field, exact: exact).shuffled(using: &g).prefix(count)).sorted()
    case .nfproto:
      return count == 1 ? [Interval(Bool.random(using: &g) ? 2 : 10)] : [Interval(2), Interval(10)]
    case .l4proto, .ipProtocol:
      return Array([1, 6, 17, 47, 58, 99, 132].map { Interval($0) }.shuffled(using: &g).prefix(count)).sorted()
    case .ipSource, .ipDestination, .ip6Source, .ip6Destination, .sourcePort, .destinationPort, .icmpType, .icmpCode,
      .icmpv6Type, .icmpv6Code:
      let base: UInt128 =
        switch field {
        case .ipSource, .ipDestination: 0x0A00_0000
        case .ip6Source, .ip6Destination: 0xfd << 120
        default: 0
        }
      var result: [Interval] = []
      var at = base + UInt128.random(in: 0...4, using: &g)
      for _ in 0..<count {
        let upper = exact || Bool.random(using: &g) ? at : at + UInt128.random(in: 1...6, using: &g)
        if upper - base > 60 { break }
        result.append(Interval(at, upper))
        at = upper + 1 + UInt128.random(in: 0...4, using: &g)
      }
      return result
    }
  }

  static func packet(_ g: inout SeededGenerator) -> Packet {
    let family: IPFamily = Bool.random(using: &g) ? .ipv4 : .ipv6
    func address() -> IPAddress {
      IPAddress(family, (family == .ipv4 ? 0x0A00_0000 : 0xfd << 120) + UInt128.random(in: 0...40, using: &g))
    }
    let protocols: [UInt8] = [1, 6, 17, 47, 58, 99, 132]
    let ipProtocol = IPProtocol(rawValue: protocols.randomElement(using: &g)!)
    var bytes = UInt32.random(in: 0...40, using: &g) << 16 | UInt32.random(in: 0...40, using: &g)
    if ipProtocol == .icmp || ipProtocol == .icmpv6 { bytes = bytes << 8 | UInt32.random(in: 0...40, using: &g) << 16 }
    let links = ["", "eth0", "eth1", "tap-3@x.1", "zz1", "zzz"]
    return Packet(
      source: address(), destination: address(), ipProtocol: ipProtocol,
      transport: TransportHeader(bytes: bytes, count: chance(4, &g) ? Int.random(in: 0...3, using: &g) : 4),
      state: ConnectionState.allCases.randomElement(using: &g)!, inputInterface: links.randomElement(using: &g)!,
      outputInterface: links.randomElement(using: &g)!)
  }

  /// Fields that nft takes together in one rule: of one family and one protocol.
  private static func compatibleFields(_ g: inout SeededGenerator) -> [Field] {
    let common: [Field] = [.l4proto, .sourcePort, .destinationPort, .inputInterface, .outputInterface, .connectionState]
    let v4: [Field] = [.ipSource, .ipDestination]
    let v6: [Field] = [.ip6Source, .ip6Destination]
    switch Int.random(in: 0..<6, using: &g) {
    case 0: return [.nfproto, .inputInterface, .connectionState, .l4proto]
    case 1: return v4 + [.icmpType, .icmpCode, .inputInterface, .connectionState]
    case 2: return v6 + [.icmpv6Type, .icmpv6Code, .inputInterface, .connectionState]
    case 3: return common + v6
    case 4: return v4 + [.ipProtocol, .sourcePort, .destinationPort, .outputInterface]
    default: return common + v4
    }
  }

  /// A table of base chains, chains that lead to later ones only, sets and maps.
  static func random(_ g: inout SeededGenerator) -> Ruleset {
    var ruleset = Ruleset(tableName: "cordon", limits: [NamedLimit("denied", packetsPerSecond: 10)])
    let names = (0..<Int.random(in: 1...6, using: &g)).map { "chain-\($0)/x" }
    let hooks = Array(Hook.allCases.shuffled(using: &g).prefix(Int.random(in: 1...3, using: &g)))
    for (i, hook) in hooks.enumerated() {
      let base = BaseChain(
        hook: hook, priority: Int32.random(in: -5...5, using: &g), policy: Bool.random(using: &g) ? .accept : .drop)
      let rules = (0..<Int.random(in: 0...5, using: &g)).map { _ in rule(to: names[...], &ruleset, &g) }
      ruleset.chains.append(Chain("base-\(i)", base: base, rules: rules))
    }
    for i in names.indices {
      let rules = (0..<Int.random(in: 0...5, using: &g)).map { _ in rule(to: names[(i + 1)...], &ruleset, &g) }
      ruleset.chains.append(Chain(names[i], rules: rules))
    }
    ruleset.chains.shuffle(using: &g)
    return ruleset
  }

  private static func verdict(to names: ArraySlice<String>, _ g: inout SeededGenerator) -> Verdict {
    var all: [Verdict] = [.accept, .drop, .return, .continue]
    if let name = names.randomElement(using: &g) { all += [.jump(name), .goto(name), .jump(name), .goto(name)] }
    return all.randomElement(using: &g)!
  }

  private static func elements(_ key: Key, _ g: inout SeededGenerator) -> Elements {
    let exact = Bool.random(using: &g)
    let count = Int.random(in: 1...4, using: &g)
    let fields = key.fields
    if fields.count == 1 { return Elements(randomValues(fields[0], count, exact: exact, &g)) }
    // disjoint in the first field, whatever the others hold
    var result = Elements(stride: fields.count)
    for first in randomValues(fields[0], count, exact: exact, &g) {
      result.append(contentsOf: [first] + fields.dropFirst().map { randomValues($0, 1, exact: exact, &g)[0] })
    }
    return result
  }

  private static func rule(to names: ArraySlice<String>, _ ruleset: inout Ruleset, _ g: inout SeededGenerator) -> Rule {
    let fields = compatibleFields(&g)
    var expressions: [Expression] = []
    func key() -> Key {
      chance(3, &g) ? .concatenation(Array(fields.shuffled(using: &g).prefix(2))) : .field(fields.randomElement(using: &g)!)
    }
    for _ in 0..<Int.random(in: 0...2, using: &g) {
      let key = key()
      let elements = elements(key, &g)
      let isNegated = chance(4, &g)
      if case .field(.l4proto) = key, !isNegated, chance(2, &g) {
        expressions.append(.match(Match(.l4proto, Interval([6, 17, 132].randomElement(using: &g)!))))
      } else if elements.count == 1, elements.stride == 1 {
        // a single protocol would have to go with all other fields of the rule
        if case .field(.nfproto) = key { continue }
        if case .field(.l4proto) = key { continue }
        if case .field(.ipProtocol) = key { continue }
        expressions.append(.match(Match(key, .value(elements.intervals[0]), isNegated: isNegated)))
      } else if Bool.random(using: &g) {
        if case .field(let field) = key, elements.count == 1, field == .nfproto { continue }
        expressions.append(.match(Match(key, .anonymous(elements), isNegated: isNegated)))
      } else {
        let name = "set-\(ruleset.sets.count)"
        ruleset.sets.append(
          NamedSet(
            name, types: key.fields.map(\.dataType),
            isInterval: elements.hasIntervals || (key != .field(.connectionState) && chance(3, &g)), elements: elements))
        expressions.append(.match(Match(key, .named(name), isNegated: isNegated)))
      }
    }
    // two protocols in one rule contradict each other, which nft refuses
    var seen = false
    expressions.removeAll {
      guard case .match(let match) = $0, case .field(.l4proto) = match.key else { return false }
      defer { seen = true }
      return seen
    }
    if chance(4, &g) { expressions.append(.namedLimit("denied")) }
    if chance(4, &g) { expressions.append(.log(prefix: "p \(expressions.count): ", group: Bool.random(using: &g) ? 3 : nil)) }
    if chance(5, &g) { expressions.append(.counter) }
    if chance(3, &g) {
      let key = key()
      let keys = elements(key, &g)
      var map = VerdictElements(stride: keys.stride)
      for i in 0..<keys.count { map.append(contentsOf: keys[i], verdict: verdict(to: names, &g)) }
      if Bool.random(using: &g) {
        expressions.append(.lookup(VerdictLookup(key, .anonymous(map))))
      } else {
        let name = "map-\(ruleset.maps.count)"
        ruleset.maps.append(VerdictMap(name, types: key.fields.map(\.dataType), isInterval: keys.hasIntervals, elements: map))
        expressions.append(.lookup(VerdictLookup(key, .named(name))))
      }
    } else {
      expressions.append(.verdict(verdict(to: names, &g)))
    }
    return Rule(expressions, comment: chance(2, &g) ? "comment \(expressions.count)" : nil, origin: Origin(rawValue: 7))
  }
}
