import PacketSpace

/// A rule in the one form that all its spellings share: equal values mean the same.
///
///     icmp type 8 accept                                             {nfproto 2, l4proto 1, icmp type 8} accept
///     meta l4proto icmp icmp type { 8 } accept                       the same
///     meta l4proto tcp th dport 53 th sport 53                       {l4proto 6, dport 53, sport 53}
///     udp sport 53 udp dport { 53-55, 56 }                           {l4proto 17, dport 53-56, sport 53}
///
/// Why it means the same: matches that stand side by side only load and compare, and the rule ends at the first that fails or
/// that finds nothing to load, so neither their order nor one said twice matters. A match that another one implies is added, not
/// left out, so that it doesn't matter which of the two nft lists. Values that nft joins in an anonymous set are joined.
/// Measured on nft 1.0.6.
struct CanonicalRule: Hashable {
  enum Step: Hashable {
    case matches(Set<Test>)
    case lookup([Field], Source)
    case other(Expression)
  }

  struct Test: Hashable {
    var fields: [Field]
    var isNegated: Bool
    var operand: Operand
  }

  enum Operand: Hashable {
    /// Of one field sorted and joined, of several sorted.
    case values([[Interval]])
    case named(String)
  }

  enum Source: Hashable {
    /// Of one field sorted and joined where verdicts are equal, of several sorted.
    case verdicts([[Interval]], [Verdict])
    case named(String)
  }

  private(set) var steps: [Step] = []
  let comment: String?

  init(_ rule: Rule) {
    comment = rule.comment
    // what the steps before the current one have left over
    var known: Set<Test> = []
    var current: Set<Test> = []
    func flush(_ steps: inout [Step]) {
      if !current.isEmpty { steps.append(.matches(current)) }
      known.formUnion(current)
      current = []
    }

    for expression in rule.expressions {
      switch expression {
      case .match(let match):
        current.formUnion(CanonicalRule.implied(match.key).subtracting(known))
        let test = Test(
          fields: match.key.fields.map(CanonicalRule.plain), isNegated: match.isNegated,
          operand: CanonicalRule.operand(match.operand))
        if !known.contains(test) { current.insert(test) }
      case .lookup(let lookup):
        current.formUnion(CanonicalRule.implied(lookup.key).subtracting(known))
        flush(&steps)
        steps.append(.lookup(lookup.key.fields.map(CanonicalRule.plain), CanonicalRule.source(lookup.source)))
      case .verdict, .namedLimit, .limit, .log, .counter:
        flush(&steps)
        steps.append(.other(expression))
      case .unknown:
        flush(&steps)
        steps.append(.other(expression))
        known = []  // it may have written to the packet
      }
    }
    flush(&steps)
  }

  /// Of an IPv4 packet `ip protocol` is `meta l4proto`.
  private static func plain(_ field: Field) -> Field { field == .ipProtocol ? .l4proto : field }

  /// What nft itself matches in front of these fields, so that there is something to load.
  private static func implied(_ key: Key) -> Set<Test> {
    var tests: Set<Test> = []
    func add(_ field: Field, _ value: UInt128) {
      tests.insert(Test(fields: [field], isNegated: false, operand: .values([[Interval(value)]])))
    }
    for field in key.fields {
      switch field {
      case .ipProtocol, .ipSource, .ipDestination:
        add(.nfproto, 2)
      case .ip6Source, .ip6Destination:
        add(.nfproto, 10)
      case .icmpType, .icmpCode:
        add(.nfproto, 2)
        add(.l4proto, 1)
      case .icmpv6Type, .icmpv6Code:
        add(.nfproto, 10)
        add(.l4proto, 58)
      case .nfproto, .l4proto, .sourcePort, .destinationPort, .inputInterface, .outputInterface, .connectionState:
        break
      }
    }
    return tests
  }

  private static func operand(_ operand: Nftables.Operand) -> Operand {
    switch operand {
    case .value(let value): .values([[value]])
    case .named(let name): .named(name)
    case .anonymous(let elements):
      if elements.stride == 1 {
        .values(IntervalSet(elements.intervals).intervals.map { [$0] })
      } else {
        .values(Set((0..<elements.count).map { Array(elements[$0]) }).sorted { $0.lexicographicallyPrecedes($1) })
      }
    }
  }

  private static func source(_ source: VerdictLookup.Source) -> Source {
    switch source {
    case .named(let name): return .named(name)
    case .anonymous(let elements):
      let order = (0..<elements.count).sorted { elements.keys[$0].lexicographicallyPrecedes(elements.keys[$1]) }
      var keys: [[Interval]] = []
      var verdicts: [Verdict] = []
      for index in order {
        let key = Array(elements.keys[index])
        let verdict = elements.verdicts[index]
        if elements.keys.stride == 1, let last = keys.last, verdicts.last == verdict, last[0].upper != UInt128.max,
          last[0].upper + 1 == key[0].lower
        {
          keys[keys.count - 1][0].upper = key[0].upper
        } else {
          keys.append(key)
          verdicts.append(verdict)
        }
      }
      return .verdicts(keys, verdicts)
    }
  }
}
