import PacketSpace

/// Translates rules to nft's expressions.
struct RuleTranslator {
  private var sets: [String: LookupCost] = [:]
  private var maps: [String: LookupCost] = [:]

  /// For rules that ask no named set.
  init() {}

  init(_ ruleset: Ruleset) {
    for set in ruleset.sets { sets[set.name] = LookupCost(set.elements, isInterval: set.isInterval) }
    for map in ruleset.maps { maps[map.name] = LookupCost(map.elements.keys, isInterval: map.isInterval) }
  }

  func instructions(_ rule: Rule) -> [Instruction] {
    var writer = InstructionWriter()
    for expression in rule.expressions {
      switch expression {
      case .match(let match): self.match(match, &writer)
      case .lookup(let lookup):
        let cost: LookupCost? =
          switch lookup.source {
          case .anonymous(let elements): LookupCost(elements.keys, isInterval: elements.keys.hasIntervals)
          case .named(let name): maps[name]
          }
        find(lookup.key, cost, &writer)
      case .verdict: writer.write(.verdict)
      case .counter: writer.write(.counter)
      case .limit: writer.write(.limit)
      case .namedLimit: writer.write(.limitObject)
      case .log: writer.write(.log)
      case .unknown: writer.write(.unknown)
      }
    }
    return writer.instructions
  }

  private func match(_ match: Match, _ writer: inout InstructionWriter) {
    switch match.operand {
    case .named(let name): find(match.key, sets[name], &writer)
    case .value(let value): writer.compare(match.key.fields[0], value, isNegated: match.isNegated)
    case .anonymous(let elements):
      if match.isStateList {
        writer.states()
      } else if elements.count == 1, case .field(let field) = match.key {
        // nft makes no set of one value
        writer.compare(field, elements.intervals[0], isNegated: match.isNegated)
      } else {
        find(match.key, LookupCost(elements, isInterval: elements.hasIntervals), &writer)
      }
    }
  }

  private func find(_ key: Key, _ cost: LookupCost?, _ writer: inout InstructionWriter) {
    writer.find(key, cost ?? LookupCost(Elements(stride: key.fields.count), isInterval: false))
  }
}

/// Writes the expressions of one rule.
private struct InstructionWriter {
  private(set) var instructions: [Instruction] = []
  /// What the rule has said, so that nft doesn't put it in front again.
  private var family: UInt128?
  private var transport: UInt128?
  /// The field that the last two expressions compare with one value.
  private var compared: Field?

  mutating func write(_ kind: Instruction.Kind, _ test: Instruction.Test = .none) {
    instructions.append(Instruction(kind, test))
    compared = nil
  }

  mutating func compare(_ field: Field, _ value: Interval, isNegated: Bool) {
    need(field)
    if let last = compared, value.isSingle, !isNegated, field.isBeside(last) {
      // two neighbours are one load of both and one comparison
      return
    }
    let test = field.test(value, isNegated)
    switch field {
    case .connectionState:
      load(field)
      if !isNegated, value.isSingle {
        // states are bits, of which a packet has one
        write(.mask(bytes: 4))
        write(.equal, test)
      } else {
        order(value, isNegated, test)
      }
    case .ipSource, .ipDestination, .ip6Source, .ip6Destination:
      guard let length = value.prefixLength(bits: field.bits) else {
        load(field)
        return order(value, isNegated, test)
      }
      let isWhole = length > 0 && length % 8 == 0
      write(.payload(bytes: isWhole ? length / 8 : field.bits / 8))
      if !isWhole { write(.mask(bytes: field.bits / 8)) }
      write(.equal, test)
    case .inputInterface, .outputInterface:
      // a wildcard compares the bytes in front of it
      load(field)
      write(.equal, test)
    case .nfproto, .l4proto, .ipProtocol, .sourcePort, .destinationPort, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code:
      load(field)
      order(value, isNegated, test)
      if value.isSingle, !isNegated { compared = field }
    }
    if !isNegated, value.isSingle {
      if field == .nfproto { family = value.lower }
      if field == .l4proto { transport = value.lower }
    }
  }

  /// `ct state established,related`.
  mutating func states() {
    load(.connectionState)
    write(.mask(bytes: 4))
    write(.equal, .open)
  }

  mutating func find(_ key: Key, _ cost: LookupCost) {
    for field in key.fields { need(field) }
    for field in key.fields {
      load(field)
      if cost.kind == .concatenated, field.isOfTheMachine { write(.byteOrder) }
    }
    instructions.append(Instruction(cost))
    compared = nil
  }

  /// One value, or both ends of a range; a negated range is one expression.
  private mutating func order(_ value: Interval, _ isNegated: Bool, _ test: Instruction.Test) {
    if value.isSingle { return write(.equal, test) }
    if isNegated { return write(.range, test) }
    write(.order, test)
    write(.order, test)
  }

  private mutating func load(_ field: Field) {
    switch field {
    case .nfproto, .l4proto: write(.meta)
    case .inputInterface, .outputInterface: write(.linkName)
    case .connectionState: write(.connectionState)
    case .ipProtocol, .ipSource, .ipDestination, .ip6Source, .ip6Destination, .sourcePort, .destinationPort, .icmpType,
      .icmpCode,
      .icmpv6Type, .icmpv6Code:
      write(.payload(bytes: field.bits / 8))
    }
  }

  /// What nft puts in front of a field.
  private mutating func need(_ field: Field) {
    switch field {
    case .ipProtocol, .ipSource, .ipDestination: need(family: 2)
    case .ip6Source, .ip6Destination: need(family: 10)
    case .icmpType, .icmpCode:
      need(family: 2)
      need(transport: 1)
    case .icmpv6Type, .icmpv6Code:
      need(family: 10)
      need(transport: 58)
    case .nfproto, .l4proto, .sourcePort, .destinationPort, .inputInterface, .outputInterface, .connectionState: break
    }
  }

  private mutating func need(family needed: UInt128) {
    if family == needed { return }
    write(.meta)
    write(.equal, .family(Interval(needed), isNegated: false))
    family = needed
  }

  private mutating func need(transport needed: UInt128) {
    if transport == needed { return }
    write(.meta)
    write(.equal, .transport(Interval(needed), isNegated: false))
    transport = needed
  }
}

extension Field {
  /// The width of what is loaded.
  fileprivate var bits: Int {
    switch self {
    case .nfproto, .l4proto, .ipProtocol, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code: 8
    case .sourcePort, .destinationPort: 16
    case .ipSource, .ipDestination, .connectionState: 32
    case .ip6Source, .ip6Destination, .inputInterface, .outputInterface: 128
    }
  }

  /// Whether it is a number in the machine's own byte order.
  fileprivate var isOfTheMachine: Bool { self == .nfproto || self == .l4proto || self == .connectionState }

  /// Whether the two lie beside each other in a packet and are 4 bytes or less together.
  fileprivate func isBeside(_ other: Field) -> Bool {
    let pair: Set<Field> = [self, other]
    return pair == [.sourcePort, .destinationPort] || pair == [.icmpType, .icmpCode] || pair == [.icmpv6Type, .icmpv6Code]
  }

  fileprivate func test(_ value: Interval, _ isNegated: Bool) -> Instruction.Test {
    switch self {
    case .nfproto: .family(value, isNegated: isNegated)
    case .l4proto, .ipProtocol: .transport(value, isNegated: isNegated)
    case .ipSource, .ipDestination, .ip6Source, .ip6Destination, .sourcePort, .destinationPort, .icmpType, .icmpCode,
      .icmpv6Type, .icmpv6Code, .inputInterface, .outputInterface, .connectionState:
      .open
    }
  }
}

extension Interval {
  /// The length of the prefix that holds just these values, or nil.
  fileprivate func prefixLength(bits: Int) -> Int? {
    let size = upper - lower
    if size & (size &+ 1) != 0 || lower & size != 0 { return nil }
    return bits - (UInt128.bitWidth - size.leadingZeroBitCount)
  }
}
