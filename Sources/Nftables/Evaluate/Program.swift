import PacketSpace

/// A chain made ready to run: names are places, and sets can be searched.
struct Program: Sendable {
  struct Rule: Sendable {
    var operations: [Operation]
    var origin: Origin?
  }

  enum Operation: Sendable {
    case compare(Field, Interval, isNegated: Bool)
    case find([Field], ElementIndex, isNegated: Bool)
    /// Targets and verdicts are in step with the elements.
    case lookup([Field], ElementIndex, [Target], [Verdict])
    case verdict(Target, Verdict)
    case limit
    case log
    case unknown(String)
  }

  var name: String
  var base: BaseChain?
  var rules: [Rule]
}

/// A verdict whose chain is a place.
enum Target: Sendable {
  case accept, drop, `return`, `continue`
  case jump(Int)
  case goto(Int)
  case missing(String)
}

struct ProgramBuilder {
  private var chains: [String: Int] = [:]
  /// Nil for a set of which not all is known.
  private var sets: [String: ElementIndex?] = [:]
  private var strides: [String: Int] = [:]
  private var maps: [String: (index: ElementIndex, targets: [Target], verdicts: [Verdict])?] = [:]

  init(_ ruleset: Ruleset) {
    for (i, chain) in ruleset.chains.enumerated() where chains[chain.name] == nil { chains[chain.name] = i }
    for set in ruleset.sets where strides[set.name] == nil {
      strides[set.name] = set.elements.stride
      sets[set.name] = .some(set.unknown.isEmpty ? ElementIndex(set.elements) : nil)
    }
    for map in ruleset.maps where strides[map.name] == nil {
      strides[map.name] = map.elements.keys.stride
      let isKnown = map.unknown.isEmpty
      maps[map.name] = .some(
        isKnown ? (ElementIndex(map.elements.keys), map.elements.verdicts.map(target), map.elements.verdicts) : nil)
    }
  }

  func program(_ chain: Chain) -> Program {
    Program(
      name: chain.name, base: chain.base,
      rules: chain.rules.map { Program.Rule(operations: $0.expressions.compactMap(operation), origin: $0.origin) })
  }

  private func operation(_ expression: Expression) -> Program.Operation? {
    switch expression {
    case .match(let match):
      let fields = match.key.fields
      switch match.operand {
      case .value(let interval):
        guard fields.count == 1 else { return .unknown("a concatenation is compared with one value") }
        return .compare(fields[0], interval, isNegated: match.isNegated)
      case .anonymous(let elements):
        guard elements.stride == fields.count else { return .unknown("elements don't have as many fields as their key") }
        return .find(fields, ElementIndex(elements), isNegated: match.isNegated)
      case .named(let name):
        guard let set = sets[name] ?? nil, strides[name] == fields.count else {
          return .unknown("the set \(name) is not known")
        }
        return .find(fields, set, isNegated: match.isNegated)
      }
    case .lookup(let lookup):
      let fields = lookup.key.fields
      switch lookup.source {
      case .anonymous(let map):
        guard map.keys.stride == fields.count else { return .unknown("elements don't have as many fields as their key") }
        return .lookup(fields, ElementIndex(map.keys), map.verdicts.map(target), map.verdicts)
      case .named(let name):
        guard let map = maps[name] ?? nil, strides[name] == fields.count else {
          return .unknown("the map \(name) is not known")
        }
        return .lookup(fields, map.index, map.targets, map.verdicts)
      }
    case .verdict(let verdict): return .verdict(target(verdict), verdict)
    case .namedLimit, .limit: return .limit
    case .log: return .log
    case .counter: return nil
    case .unknown(let text): return .unknown("the effect of \(text) is not known")
    }
  }

  private func target(_ verdict: Verdict) -> Target {
    switch verdict {
    case .accept: .accept
    case .drop: .drop
    case .return: .return
    case .continue: .continue
    case .jump(let name): chains[name].map { .jump($0) } ?? .missing(name)
    case .goto(let name): chains[name].map { .goto($0) } ?? .missing(name)
    }
  }
}
