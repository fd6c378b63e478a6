import Nftables
import PacketSpace

/// Turns a run of rules that ask for nothing but an address into one lookup.
///
///     ip saddr 10.1.2.3 drop              ip saddr vmap { 10.0.0.0-10.1.2.2 : accept,
///     ip saddr 10.0.0.0/8 accept                          10.1.2.3 : drop,
///     ip saddr 192.0.2.0/24 accept                        10.1.2.4-10.255.255.255 : accept,
///     ip6 saddr 2001:db8::/32 accept                      192.0.2.0/24 : accept }
///                                         ip6 saddr 2001:db8::/32 accept
///
/// The first rule of the run that holds an address decides it, so the intervals are cut where rules meet and each piece takes
/// the verdict of the first that covers it. What no piece holds goes on behind the run, as before. Rules of the two families
/// concern different packets and may pass each other; a rule on the other end of the same family may not, and ends the run.
///
/// A lookup among intervals costs a packet as much as ten comparisons with an address, or as four with prefixes of 24 bits, so
/// what a run becomes is decided by its cost.
enum FlattenRuns {
  /// How many times what the rules cost the lookup may cost: it is shorter to read and to load.
  private static let tolerance = 1.5

  /// - Parameter smallest: fewer intervals than these stay rules.
  static func flatten(_ rules: [LoweredRule], from smallest: Int) -> [LoweredRule] {
    var result: [LoweredRule] = []
    var run: [(field: Field, intervals: [Interval], verdict: Verdict, rule: LoweredRule)] = []
    func close() {
      var fields: [Field] = []
      for item in run where !fields.contains(item.field) { fields.append(item.field) }
      for field in fields {
        let items = run.filter { $0.field == field }
        let count = items.reduce(0) { $0 + $1.intervals.count }
        if items.count < 2 || count < smallest {
          result += items.map(\.rule)
          continue
        }
        var labelled: [(interval: Interval, label: Int32)] = []
        for (index, item) in items.enumerated() { labelled += item.intervals.map { ($0, Int32(index)) } }
        var elements = VerdictElements()
        var open: (interval: Interval, label: Int32)?
        for piece in IntervalPartition.pieces(labelled) {
          if let last = open, last.label == piece.labels[0], last.interval.upper + 1 == piece.interval.lower {
            open!.interval.upper = piece.interval.upper
            continue
          }
          if let last = open { elements.append(last.interval, verdict: items[Int(last.label)].verdict) }
          open = (piece.interval, piece.labels[0])
        }
        if let last = open { elements.append(last.interval, verdict: items[Int(last.label)].verdict) }
        let lookup = Expression.lookup(VerdictLookup(.field(field), .anonymous(elements)))
        let inLine = items.reduce(0) { $0 + CostModel.passing($1.rule.matches) }
        if CostModel.passing([lookup]) > tolerance * inLine {
          result += items.map(\.rule)
          continue
        }
        result.append(LoweredRule([], lookup, origins: items.flatMap(\.rule.origins).withoutRepetition, note: ""))
      }
      run = []
    }
    for rule in rules {
      if let item = addressOnly(rule) {
        if run.contains(where: { $0.field != item.field && $0.field.isIPv4Address == item.field.isIPv4Address }) { close() }
        run.append((item.field, item.intervals, item.verdict, rule))
      } else {
        close()
        result.append(rule)
      }
    }
    close()
    return result
  }

  /// The field, values and verdict of a rule that asks for one address and nothing else.
  private static func addressOnly(_ rule: LoweredRule) -> (field: Field, intervals: [Interval], verdict: Verdict)? {
    guard rule.matches.count == 1, case .match(let match) = rule.matches[0], !match.isNegated,
      case .field(let field) = match.key, case .verdict(let verdict) = rule.verdict
    else { return nil }
    // behind a jump the packet may go on, and then the next rule that holds its address has its say
    if case .jump = verdict { return nil }
    switch field {
    case .ipSource, .ipDestination, .ip6Source, .ip6Destination: break
    case .nfproto, .l4proto, .ipProtocol, .sourcePort, .destinationPort, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code,
      .inputInterface, .outputInterface, .connectionState:
      return nil
    }
    switch match.operand {
    case .value(let interval): return (field, [interval], verdict)
    case .anonymous(let elements): return (field, elements.intervals, verdict)
    case .named: return nil
    }
  }
}

extension Field {
  /// Of two fields that are addresses, whether they are of one family.
  fileprivate var isIPv4Address: Bool { self == .ipSource || self == .ipDestination }
}

extension [UInt32] {
  /// Ascending, each once.
  var withoutRepetition: [UInt32] {
    sorted().reduce(into: []) { if $0.last != $1 { $0.append($1) } }
  }
}
