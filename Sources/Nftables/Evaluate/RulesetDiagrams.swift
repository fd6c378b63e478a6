public import PacketSpace

/// What a ruleset does with packets, for all of them at once: its chains walked as the kernel walks them, with sets of packets
/// in the place of a packet.
public struct RulesetDiagrams: Sendable {
  /// What comes of a packet in a chain: the decisions of the diagrams here.
  public enum Outcome: Int, Sendable {
    case drop, accept
    /// Back to behind the last jump.
    case returns
    /// An expression stands in the way whose effect on a verdict isn't known here.
    case unknown
    /// The first decision that a caller may take for outcomes of its own (`assume`).
    case other
  }

  private let ruleset: RulesetIndex
  /// What chains are taken to do.
  private var assumed: [String: Diagram] = [:]
  /// What chains do, as far as they have been walked.
  private var known: [Diagram?]
  /// What is known of the packets that are asked about: their addresses at one end.
  private var given: (axis: PacketAxis, addresses: [IPFamily: IntervalSet])?

  public init(_ ruleset: Ruleset) { self.init(RulesetIndex(ruleset)) }

  init(_ ruleset: RulesetIndex) {
    self.ruleset = ruleset
    known = Array(repeating: nil, count: ruleset.chains.count)
  }

  /// The same ruleset, asked about packets with some addresses at one end only: the diagrams are right for these, and say nothing of
  /// others. Where it is one address, no rule asks for it, and most rules come to nothing.
  func asked(about addresses: [IPFamily: IntervalSet], at axis: PacketAxis) -> RulesetDiagrams {
    var result = self
    result.given = (axis, addresses)
    result.assumed = [:]
    result.known = Array(repeating: nil, count: known.count)
    return result
  }

  /// Takes a chain to decide as `diagram` does, instead of looking at its rules.
  public mutating func assume(_ name: String, _ diagram: Diagram) { assumed[name] = diagram }

  /// What comes of a packet that enters the chain of this name. A chain that isn't there is `unknown` for every packet.
  public mutating func chain(_ name: String, in store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Diagram {
    if let diagram = assumed[name] { return diagram }
    guard let place = ruleset.place(ofChain: name) else { return .leaf(Outcome.unknown.rawValue) }
    if let diagram = known[place] { return diagram }
    // a ruleset that was read may have a loop, which the kernel would have refused: it ends here
    known[place] = .leaf(Outcome.unknown.rawValue)
    let result = try walk(ruleset.chains[place].rules, for: PacketBox(), in: &store)
    known[place] = result
    return result
  }

  /// What comes of a packet at a base chain: never `returns`.
  ///
  /// - Parameters:
  ///   - found: for named maps in the chain's own rules what they are taken to find, or nil for nothing, instead of looking: for
  ///     packets of which that is known.
  ///   - box: the packets that are asked about: of others nothing is said.
  public mutating func baseChain(
    _ name: String, found: [String: Verdict?] = [:], of box: PacketBox = PacketBox(), in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    guard let place = ruleset.place(ofChain: name) else { return .leaf(Outcome.unknown.rawValue) }
    let policy: Outcome = ruleset.chains[place].base?.policy == .drop ? .drop : .accept
    let result = try walk(ruleset.chains[place].rules, for: box, found, in: &store)
    return try store.replace(Outcome.returns.rawValue, in: result, by: .leaf(policy.rawValue))
  }

  /// What a chain's rules do with the packets of a box.
  private mutating func walk(
    _ rules: [Rule], for box: PacketBox, _ found: [String: Verdict?] = [:], in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var result = Diagram.leaf(Outcome.returns.rawValue)
    for index in rules.indices.reversed() {
      result = try rule(rules[index].expressions[...], box, then: result, found, in: &store)
    }
    return result
  }

  /// A rule for the packets of a box, and `rest` for those of them that go on behind it.
  private mutating func rule(
    _ expressions: ArraySlice<Expression>, _ box: PacketBox, then rest: Diagram, _ found: [String: Verdict?],
    in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var boxes = [box]
    var isUncertain = false
    for place in expressions.indices {
      switch expressions[place] {
      case .match(let match):
        if !isUncertain, let condition = try linkPairs(match, in: &store) {
          // the packets that match go on with the rest of the rule, and the others behind it
          let matched = try rule(expressions[(place + 1)...], box, then: rest, found, in: &store)
          return try overlay(boxes, store.choose(condition, matched, else: rest), on: rest, in: &store)
        }
        narrow(&boxes, to: match)
        if boxes.isEmpty { return rest }
      case .log, .counter:
        break
      case .namedLimit, .limit, .unknown:
        isUncertain = true
      case .verdict(let verdict):
        return try self.verdict(verdict, boxes, isUncertain, then: rest, in: &store)
      case .lookup(let lookup):
        if case .named(let name) = lookup.source, let known = found[name] {
          guard let verdict = known else { return rest }
          return try self.verdict(verdict, boxes, isUncertain, then: rest, in: &store)
        }
        return try self.lookup(lookup, boxes, isUncertain, then: rest, in: &store)
      }
    }
    // no verdict: every packet goes on, unless what isn't known here has one
    let hasUnknown = expressions.contains { if case .unknown = $0 { true } else { false } }
    return hasUnknown ? try overlay(boxes, .leaf(Outcome.unknown.rawValue), on: rest, in: &store) : rest
  }

  /// A verdict for the packets of some boxes, and `rest` for all others.
  private mutating func verdict(
    _ verdict: Verdict, _ boxes: [PacketBox], _ isUncertain: Bool, then rest: Diagram, in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    if case .jump(let name) = verdict, !isUncertain {
      // cut to the packets that come there: the called chain's diagram meets but a part of what stands behind the rule
      let returns = Outcome.returns.rawValue
      let called = try overlay(boxes, chain(name, in: &store), on: .leaf(returns), in: &store)
      return try store.replace(returns, in: called, by: rest)
    }
    let outcome = isUncertain ? .leaf(Outcome.unknown.rawValue) : try target(verdict, then: rest, in: &store)
    return try overlay(boxes, outcome, on: rest, in: &store)
  }

  private mutating func target(
    _ verdict: Verdict, then rest: Diagram, in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    switch verdict {
    case .accept: return .leaf(Outcome.accept.rawValue)
    case .drop: return .leaf(Outcome.drop.rawValue)
    case .return: return .leaf(Outcome.returns.rawValue)
    case .continue: return rest
    case .goto(let name): return try chain(name, in: &store)
    case .jump(let name):
      let called = try chain(name, in: &store)
      return try store.replace(Outcome.returns.rawValue, in: called, by: rest)
    }
  }

  private mutating func lookup(
    _ lookup: VerdictLookup, _ boxes: [PacketBox], _ isUncertain: Bool, then rest: Diagram, in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    let elements: VerdictElements
    switch lookup.source {
    case .anonymous(let own): elements = own
    case .named(let name):
      guard let map = ruleset.maps[name], map.unknown.isEmpty else {
        return try overlay(boxes, .leaf(Outcome.unknown.rawValue), on: rest, in: &store)
      }
      elements = map.elements
    }
    var places: [Verdict: Int] = [:]
    var groups: [(verdict: Verdict, keys: Elements)] = []
    for (index, verdict) in elements.verdicts.enumerated() {
      if let place = places[verdict] {
        groups[place].keys.append(contentsOf: elements.keys[index])
      } else {
        places[verdict] = groups.count
        groups.append((verdict, Elements(stride: elements.keys.stride, Array(elements.keys[index]))))
      }
    }
    var targets: [Diagram] = []
    var keys: [Elements] = []
    for group in groups {
      let target =
        isUncertain ? .leaf(Outcome.unknown.rawValue) : try self.target(group.verdict, then: rest, in: &store)
      if target == rest { continue }
      targets.append(target)
      keys.append(group.keys)
    }
    if case .field(let field) = lookup.key, let (axis, family) = field.addressAxis, targets.allSatisfy({ $0.decision != nil }) {
      return try selected(axis, family, keys, targets, boxes, then: rest, in: &store)
    }
    var result = rest
    for (keys, target) in zip(keys, targets) {
      let matched = packets(lookup.key, .anonymous(keys), isNegated: false)
      result = try overlay(PacketBox.intersect(boxes, matched), target, on: result, in: &store)
    }
    return result
  }

  /// A lookup of an address among many, each of which leads to one decision: in one step, as going through them one by one
  /// would take the square of their number.
  private func selected(
    _ axis: PacketAxis, _ family: IPFamily, _ keys: [Elements], _ targets: [Diagram], _ boxes: [PacketBox],
    then rest: Diagram, in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var pieces: [(Interval, Int)] = []
    for (elements, target) in zip(keys, targets) {
      for interval in elements.intervals {
        let isLast = family == .ipv4 && interval.upper == family.maximum
        pieces.append((isLast ? Interval(interval.lower, axis.maximum) : interval, target.decision!))
      }
    }
    pieces.sort { $0.0 < $1.0 }
    let selector = try store.selector(axis, pieces, otherwise: RulesetDiagrams.notFound)
    let inFamily = PacketBox().narrowed(.family, to: Interval(UInt128(family.rawValue)))
    // of the other family nothing is found, and what stands behind for it would be made again for each piece
    let behind = try store.overlay(inFamily, rest, on: .leaf(0))
    let chosen = try store.replace(RulesetDiagrams.notFound, in: selector, by: behind)
    return try overlay(PacketBox.intersect(boxes, [inFamily]), chosen, on: rest, in: &store)
  }

  /// Stands for what a lookup doesn't find; no outcome has this number.
  private static let notFound = Int(Int32.max) - 1

  private func overlay(
    _ boxes: [PacketBox], _ top: Diagram, on bottom: Diagram, in store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var result = bottom
    for box in boxes { result = try store.overlay(box, top, on: result) }
    return result
  }

  /// 1 for the packets that a match of many pairs of a link and an address lets through, made in one step: going through the
  /// pairs one by one would take the square of their number. Nil for every other match.
  private func linkPairs(_ match: Match, in store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Diagram? {
    guard case .concatenation(let fields) = match.key, fields.count == 2, let linkAt = fields.firstIndex(of: .inputInterface),
      !match.isNegated, let (axis, family) = fields[1 - linkAt].addressAxis, case .named(let name) = match.operand,
      let set = ruleset.sets[name],
      set.elements.count > 16
    else { return nil }
    var addresses: [Interval: [Interval]] = [:]
    for index in 0..<set.elements.count {
      let element = Array(set.elements[index])
      addresses[element[linkAt], default: []].append(element[1 - linkAt])
    }
    let links = addresses.keys.sorted()
    guard zip(links, links.dropFirst()).allSatisfy({ $0.upper < $1.lower }) else { return nil }
    var pieces: [(Interval, Diagram)] = []
    for link in links {
      let box = PacketBox().narrowed(axis, toAddresses: IntervalSet(addresses[link]!), of: family)
      pieces.append((link, try store.overlay(box, .leaf(1), on: .leaf(0))))
    }
    return try store.switching(.inputLink, pieces, otherwise: .leaf(0))
  }

  // MARK: - Matches

  /// Narrows boxes to the packets that a match lets through.
  private func narrow(_ boxes: inout [PacketBox], to match: Match) {
    guard case .field(let field) = match.key, !match.isNegated else {
      boxes = PacketBox.intersect(boxes, packets(match.key, match.operand, isNegated: match.isNegated))
      return
    }
    // the plain case makes no box in between
    let values =
      switch match.operand {
      case .value(let interval): IntervalSet(interval)
      case .anonymous(let own): IntervalSet(own.intervals)
      case .named(let name): IntervalSet(ruleset.sets[name]?.elements.intervals ?? [])
      }
    if let given, let (axis, family) = field.addressAxis, axis == given.axis {
      // among packets that all have one of these addresses
      let addresses = given.addresses[family] ?? IntervalSet()
      let rest = values.intersection(addresses)
      if rest == addresses, !rest.isEmpty {
        for index in boxes.indices { boxes[index].narrow(.family, to: IntervalSet(Interval(UInt128(family.rawValue)))) }
      } else {
        for index in boxes.indices { field.narrow(&boxes[index], to: rest) }
      }
      boxes.removeAll { $0.isEmpty }
      return
    }
    for index in boxes.indices { field.narrow(&boxes[index], to: values) }
    boxes.removeAll { $0.isEmpty }
  }

  /// The packets that a match lets through: those that have the fields, and whose values are among the operand's, or, negated,
  /// are not.
  private func packets(_ key: Key, _ operand: Operand, isNegated: Bool) -> [PacketBox] {
    switch operand {
    case .value(let interval): PacketBox.matching(key, Elements([interval]), isNegated: isNegated)
    case .anonymous(let own): PacketBox.matching(key, own, isNegated: isNegated)
    case .named(let name): PacketBox.matching(key, ruleset.sets[name]?.elements ?? Elements(), isNegated: isNegated)
    }
  }
}

extension PacketBox {
  /// The packets that have the fields of `key`, and whose values are among the elements, or, negated, are not.
  static func matching(_ key: Key, _ elements: Elements, isNegated: Bool) -> [PacketBox] {
    switch key {
    case .field(let field):
      var values = IntervalSet(elements.intervals)
      if isNegated { values = IntervalSet([Interval(0, field.maximum)]).subtracting(values) }
      return values.isEmpty ? [] : [field.packets(values)]
    case .concatenation(let fields):
      if isNegated {
        // those that have all fields, less one element after the other
        var rest = [fields.reduce(PacketBox()) { $0.intersection($1.packets(IntervalSet([Interval(0, $1.maximum)]))) }]
        for index in 0..<elements.count {
          let element = Array(elements[index])
          rest = rest.flatMap { box in
            fields.indices.compactMap { i in
              let outside = IntervalSet([Interval(0, fields[i].maximum)]).subtracting(IntervalSet([element[i]]))
              if outside.isEmpty { return nil }
              let before = (0..<i).reduce(box) { $0.intersection(fields[$1].packets(IntervalSet([element[$1]]))) }
              let piece = before.intersection(fields[i].packets(outside))
              return piece.isEmpty ? nil : piece
            }
          }
        }
        return rest
      }
      // elements that differ in the last field only make one box
      var boxes: [(head: [Interval], last: [Interval])] = []
      for index in 0..<elements.count {
        let element = Array(elements[index])
        let head = Array(element.dropLast())
        if let place = boxes.lastIndex(where: { $0.head == head }), place == boxes.count - 1 {
          boxes[place].last.append(element[element.count - 1])
        } else {
          boxes.append((head, [element[element.count - 1]]))
        }
      }
      return boxes.map { head, last in
        var box = fields[fields.count - 1].packets(IntervalSet(last))
        for (field, interval) in zip(fields, head) { box = box.intersection(field.packets(IntervalSet([interval]))) }
        return box
      }.filter { !$0.isEmpty }
    }
  }
}

extension PacketBox {
  fileprivate func intersection(_ other: PacketBox) -> PacketBox {
    other.conditions.reduce(self) { $0.narrowed($1.axis, to: $1.values) }
  }

  /// The packets that are in a box of `a` and in one of `b`.
  static func intersect(_ a: [PacketBox], _ b: [PacketBox]) -> [PacketBox] {
    a.flatMap { x in b.map { x.intersection($0) }.filter { !$0.isEmpty } }
  }
}

extension Field {
  /// The axis and family of a field that is an address.
  var addressAxis: (PacketAxis, IPFamily)? {
    switch self {
    case .ipSource: (.source, .ipv4)
    case .ipDestination: (.destination, .ipv4)
    case .ip6Source: (.source, .ipv6)
    case .ip6Destination: (.destination, .ipv6)
    case .nfproto, .l4proto, .ipProtocol, .sourcePort, .destinationPort, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code,
      .inputInterface, .outputInterface, .connectionState:
      nil
    }
  }

  /// The packets that have the field, with one of these values. What nft adds to a match by itself, such as the protocol in
  /// front of an ICMP type, is asked for as well.
  fileprivate func packets(_ values: IntervalSet) -> PacketBox {
    var box = PacketBox()
    narrow(&box, to: values)
    return box
  }

  /// Narrows a box to those packets.
  fileprivate func narrow(_ box: inout PacketBox, to values: IntervalSet) {
    switch self {
    case .nfproto:
      // 2 and 10 are the families' numbers in nft
      let families = [(UInt128(2), UInt128(4)), (10, 6)].filter { values.contains($0.0) }.map { Interval($0.1) }
      box.narrow(.family, to: IntervalSet(families))
    case .l4proto: box.narrow(.ipProtocol, to: values)
    case .ipProtocol:
      box.narrow(.family, to: IntervalSet(Interval(4)))
      box.narrow(.ipProtocol, to: values)
    case .sourcePort: box.narrow(.firstWord, to: values)
    case .destinationPort: box.narrow(.secondWord, to: values)
    case .icmpType: Field.narrowICMP(&box, 4, 1, IntervalSet(values.intervals.flatMap { PacketAxis.types($0) }))
    case .icmpv6Type: Field.narrowICMP(&box, 6, 58, IntervalSet(values.intervals.flatMap { PacketAxis.types($0) }))
    case .icmpCode: Field.narrowICMP(&box, 4, 1, Field.codes(values))
    case .icmpv6Code: Field.narrowICMP(&box, 6, 58, Field.codes(values))
    case .inputInterface: box.narrow(.inputLink, to: values)
    case .outputInterface: box.narrow(.outputLink, to: values)
    case .connectionState: box.narrow(.connectionState, to: values)
    case .ipSource: box.narrow(.source, toAddresses: values, of: .ipv4)
    case .ipDestination: box.narrow(.destination, toAddresses: values, of: .ipv4)
    case .ip6Source: box.narrow(.source, toAddresses: values, of: .ipv6)
    case .ip6Destination: box.narrow(.destination, toAddresses: values, of: .ipv6)
    }
  }

  private static func narrowICMP(_ box: inout PacketBox, _ family: UInt128, _ ipProtocol: UInt128, _ firstWords: IntervalSet) {
    box.narrow(.family, to: IntervalSet(Interval(family)))
    box.narrow(.ipProtocol, to: IntervalSet(Interval(ipProtocol)))
    box.narrow(.firstWord, to: firstWords)
  }

  /// The first words of whatever type that have one of these codes.
  private static func codes(_ values: IntervalSet) -> IntervalSet {
    IntervalSet(
      (0..<UInt128(256)).flatMap { type in values.intervals.map { Interval(type << 8 | $0.lower, type << 8 | $0.upper) } })
  }
}
