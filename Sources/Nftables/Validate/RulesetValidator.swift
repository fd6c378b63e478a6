import PacketSpace

/// Finds what nft 1.0.6 or the kernel would refuse, and what they would read otherwise than it is meant: each is a bug of the
/// ruleset's maker.
///
/// Takes O(n) for n rules and elements whose sets ascend, O(n log n) otherwise.
public struct RulesetValidator {
  private let ruleset: Ruleset
  private var problems: [RulesetProblem] = []
  private var chains: [String: Int] = [:]
  private var sets: [String: Int] = [:]
  private var maps: [String: Int] = [:]
  private var limits: Set<String> = []

  /// All problems, in the order of the ruleset; none for what loads and means what the model says.
  public static func validate(_ ruleset: Ruleset) -> [RulesetProblem] {
    var validator = RulesetValidator(ruleset)
    validator.validateTable()
    return validator.problems
  }

  private init(_ ruleset: Ruleset) { self.ruleset = ruleset }

  private mutating func report(_ kind: RulesetProblem.Kind, _ place: Place, _ message: String) {
    problems.append(RulesetProblem(kind: kind, place: place.description, message: message))
  }

  private enum Place: CustomStringConvertible {
    case table(String)
    case limit(String)
    case set(String)
    case map(String)
    case chain(String)
    case rule(chain: String, index: Int)

    var description: String {
      switch self {
      case .table(let name): "table \(name)"
      case .limit(let name): "limit \(name)"
      case .set(let name): "set \(name)"
      case .map(let name): "map \(name)"
      case .chain(let name): "chain \(name)"
      case .rule(let chain, let index): "rule \(index + 1) of chain \(chain)"
      }
    }
  }

  // MARK: - Table

  private mutating func validateTable() {
    let table = Place.table(ruleset.tableName)
    validate(name: ruleset.tableName, table)
    if ruleset.hasTableFlags { report(.unknown, table, "it has flags") }
    for text in ruleset.unknown { report(.unknown, table, "it has \(text)") }
    for limit in ruleset.limits {
      let place = Place.limit(limit.name)
      validate(name: limit.name, place)
      validate(rate: limit.packetsPerSecond, place)
      if !limits.insert(limit.name).inserted { report(.duplicateName, place, "there are two") }
    }
    // sets and maps share one space of names
    for (i, set) in ruleset.sets.enumerated() {
      validate(name: set.name, .set(set.name))
      if sets.updateValue(i, forKey: set.name) != nil { report(.duplicateName, .set(set.name), "there are two") }
    }
    for (i, map) in ruleset.maps.enumerated() {
      validate(name: map.name, .map(map.name))
      if maps.updateValue(i, forKey: map.name) != nil || sets[map.name] != nil {
        report(.duplicateName, .map(map.name), "there is another map or set of this name")
      }
    }
    for (i, chain) in ruleset.chains.enumerated() {
      validate(name: chain.name, .chain(chain.name))
      if chains.updateValue(i, forKey: chain.name) != nil { report(.duplicateName, .chain(chain.name), "there are two") }
    }
    for set in ruleset.sets { validate(set) }
    for map in ruleset.maps { validate(map) }
    for chain in ruleset.chains { validate(chain) }
    validatePaths()
  }

  private mutating func validate(name: String, _ place: Place) {
    var copy = name
    let isWellFormed = copy.withUTF8 { bytes in
      guard let first = bytes.first, bytes.count <= 255 else { return false }
      return (first | 0x20) >= 0x61 && (first | 0x20) <= 0x7A && bytes.allSatisfy(SafeText.isName)
    }
    if !isWellFormed {
      report(.name, place, "a name has 1 to 255 ASCII letters, digits, `/`, `_`, `.` and `-`, the first a letter")
    } else if TableName.reserved.contains(name[...]) {
      report(.name, place, "its name is one of nft's own words")
    }
  }

  private mutating func validate(rate: UInt64, _ place: Place) {
    if rate == 0 || rate > UInt64(UInt32.max) { report(.rate, place, "a rate is from 1 to 4294967295 a second") }
  }

  // MARK: - Sets

  private mutating func validate(_ set: NamedSet) {
    let place = Place.set(set.name)
    if !set.unknown.isEmpty { report(.unknown, place, "it has \(set.unknown.joined(separator: ", "))") }
    validate(types: set.types, set.isInterval, place)
    validate(size: set.size, of: set.elements, place)
    validate(set.elements, set.types, isInterval: set.isInterval, place)
  }

  private mutating func validate(_ map: VerdictMap) {
    let place = Place.map(map.name)
    if !map.unknown.isEmpty { report(.unknown, place, "it has \(map.unknown.joined(separator: ", "))") }
    validate(types: map.types, map.isInterval, place)
    validate(size: map.size, of: map.elements.keys, place)
    validate(map.elements.keys, map.types, isInterval: map.isInterval, place)
    for verdict in map.elements.verdicts { validate(verdict, place) }
  }

  private mutating func validate(types: [DataType], _ isInterval: Bool, _ place: Place) {
    // nft 1.0.6 crashes when it lists such a set
    if isInterval, types == [.connectionState] {
      report(.intervalFlag, place, "a set of connection states has no intervals")
    }
    if types.isEmpty || types.reduce(0, { $0 + $1.registerSize }) > 64 {
      report(.keySize, place, "a key has 1 to 64 bytes")
    }
  }

  private mutating func validate(size: Int?, of elements: Elements, _ place: Place) {
    guard let size else { return }
    if size < 1 || size > Int(UInt32.max) { report(.size, place, "a size is from 1 to 4294967295") }
    if elements.count > size { report(.size, place, "it has \(elements.count) elements, and room for \(size)") }
  }

  private mutating func validate(_ elements: Elements, _ types: [DataType], isInterval: Bool, _ place: Place) {
    guard elements.stride == types.count else {
      report(.keyType, place, "its elements have \(elements.stride) fields and its key \(types.count)")
      return
    }
    if !isInterval, elements.hasIntervals {
      report(.missingIntervalFlag, place, "an element is a range, and the set has no `flags interval`")
    }
    for (i, type) in types.enumerated() {
      var at = i
      while at < elements.intervals.count {
        if !type.holds(elements.intervals[at]) {
          report(.value, place, "element \(at / types.count + 1) has a value that \(type.rawValue) can't hold")
          break
        }
        at += types.count
      }
    }
    if let (a, b) = elements.overlap() {
      report(.overlap, place, "elements \(min(a, b) + 1) and \(max(a, b) + 1) overlap")
    }
  }

  // MARK: - Chains

  private mutating func validate(_ chain: Chain) {
    if let base = chain.base {
      switch base.policy {
      case .accept, .drop: break
      case .return, .continue, .jump, .goto: report(.policy, .chain(chain.name), "a policy is accept or drop")
      }
      if base.type != "filter" { report(.chainType, .chain(chain.name), "its type is \(base.type) and not filter") }
    }
    for (i, rule) in chain.rules.enumerated() { validate(rule, .rule(chain: chain.name, index: i)) }
  }

  private mutating func validate(_ rule: Rule, _ place: Place) {
    if rule.expressions.isEmpty { report(.emptyRule, place, "it has no expression") }
    // the kernel takes 128 bytes with the zero behind the text
    if var comment = rule.comment, !comment.withUTF8({ $0.count <= 127 && $0.allSatisfy(SafeText.isQuoted) }) {
      report(.comment, place, "a comment has at most 127 bytes, printable ASCII without `\"`, `\\` and `$`")
    }
    var said = SaidProtocols()
    for (i, expression) in rule.expressions.enumerated() {
      switch expression {
      case .match(let match):
        validate(match, place)
        if !said.enter(match.key, match) { reportContradiction(place) }
      case .lookup(let lookup):
        validate(lookup, place)
        if !said.enter(lookup.key, nil) { reportContradiction(place) }
      case .verdict(let verdict):
        validate(verdict, place)
        if verdict != .continue, i + 1 < rule.expressions.count {
          report(.afterVerdict, place, "a verdict is the last of a rule")
        }
      case .namedLimit(let name):
        if !limits.contains(name) { report(.unknownLimit, place, "there is no limit \(name)") }
      case .limit(let rate):
        validate(rate: rate, place)
      case .log(var prefix, _):
        if !prefix.withUTF8({ $0.count <= 127 && $0.allSatisfy(SafeText.isQuoted) }) {
          report(.logPrefix, place, "a log prefix has at most 127 bytes, printable ASCII without `\"`, `\\` and `$`")
        }
      case .counter:
        break
      case .unknown(let text):
        report(.unknown, place, "it has \(text)")
      }
    }
  }

  private mutating func reportContradiction(_ place: Place) {
    report(.contradiction, place, "no packet has all of its fields, or nft would leave out what one of them implies")
  }

  private mutating func validate(_ match: Match, _ place: Place) {
    switch match.operand {
    case .value(let value):
      guard case .field(let field) = match.key else {
        report(.keyType, place, "a concatenation is compared with one value")
        return
      }
      if !field.dataType.holds(value) { report(.value, place, "it has a value that \(field.dataType.rawValue) can't hold") }
    case .anonymous(let elements):
      validate(anonymous: elements, match.key, place)
    case .named(let name):
      guard let index = sets[name] else {
        report(.unknownSet, place, "there is no set \(name)")
        return
      }
      if !match.key.has(ruleset.sets[index].types) { report(.keyType, place, "the set \(name) is of other types") }
    }
  }

  private mutating func validate(_ lookup: VerdictLookup, _ place: Place) {
    switch lookup.source {
    case .anonymous(let elements):
      validate(anonymous: elements.keys, lookup.key, place)
      for verdict in elements.verdicts { validate(verdict, place) }
    case .named(let name):
      guard let index = maps[name] else {
        report(.unknownMap, place, "there is no map \(name)")
        return
      }
      if !lookup.key.has(ruleset.maps[index].types) { report(.keyType, place, "the map \(name) is of other types") }
    }
  }

  private mutating func validate(anonymous elements: Elements, _ key: Key, _ place: Place) {
    if elements.isEmpty { report(.emptySet, place, "an anonymous set must not be empty") }
    validate(elements, key.fields.map(\.dataType), isInterval: true, place)
  }

  private mutating func validate(_ verdict: Verdict, _ place: Place) {
    switch verdict {
    case .accept, .drop, .return, .continue: break
    case .jump(let name), .goto(let name):
      guard let index = chains[name] else {
        report(.unknownChain, place, "there is no chain \(name)")
        return
      }
      if ruleset.chains[index].base != nil { report(.jumpToBaseChain, place, "\(name) is a base chain") }
    }
  }

  // MARK: - Paths

  /// How deep chains lead below a base chain: the kernel takes 15 chains, whether by jump or by goto, and no circle.
  private mutating func validatePaths() {
    let paths = ChainGraph(ruleset, chains, maps).paths()
    if let chain = paths.loop { report(.loop, .chain(ruleset.chains[chain].name), "it leads back to itself") }
    if let chain = paths.deepest, paths.depth > 15 {
      report(.depth, .chain(ruleset.chains[chain].name), "\(paths.depth) chains lie below it, and the kernel takes 15")
    }
  }
}

extension Key {
  fileprivate func has(_ types: [DataType]) -> Bool {
    switch self {
    case .field(let field): types.count == 1 && types[0] == field.dataType
    case .concatenation(let fields): types.count == fields.count && zip(types, fields).allSatisfy { $0 == $1.dataType }
    }
  }
}

extension DataType {
  /// Bytes of a key in the kernel, which rounds up to 4.
  fileprivate var registerSize: Int {
    switch self {
    case .ipv6Address, .interfaceName: 16
    case .nfproto, .inetProto, .ipv4Address, .inetService, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code, .connectionState: 4
    }
  }

  fileprivate func holds(_ value: Interval) -> Bool {
    switch self {
    case .nfproto, .inetProto, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code: value.upper <= 0xFF
    case .inetService: value.upper <= 0xFFFF
    case .ipv4Address: value.upper <= 0xFFFF_FFFF
    case .ipv6Address: true
    case .interfaceName: LinkPattern(value) != nil
    // nft reads any other number as several states at once
    case .connectionState: value.isSingle && symbol(value.lower) != nil
    }
  }
}
