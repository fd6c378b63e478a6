import PacketSpace

extension RulesetDifference {
  /// Compares a table as it was read with the one that is meant. A `live` of nil is a table that isn't there.
  public static func compare(live: Ruleset?, planned: Ruleset) -> RulesetDifference {
    var difference = RulesetDifference(
      tableName: planned.tableName, table: tableState(live, planned), limits: [], chains: [], sets: [], unknown: [])
    guard let live, difference.table != .flaggedAndCutOff else { return difference }
    difference.limits = pairs(live.limits, planned.limits, \.name, isAlike: ==).map { Change(live: $0, planned: $1) }
    difference.chains = pairs(live.chains, planned.chains, \.name) { $0.isWritten(like: $1) }
      .compactMap { ChainDifference(live: $0, planned: $1) }
    difference.sets =
      pairs(live.maps, planned.maps, \.name) { $0.isSame(as: $1) }
      .compactMap { SetDifference($0.map(SetContent.init), $1.map(SetContent.init)) }
      + pairs(live.sets, planned.sets, \.name) { $0.isSame(as: $1) }
      .compactMap { SetDifference($0.map(SetContent.init), $1.map(SetContent.init)) }
    difference.unknown = texts(live.unknown, planned.unknown)
    return difference
  }

  private static func tableState(_ live: Ruleset?, _ planned: Ruleset) -> TableState? {
    guard let live else { return .missing }
    if live.isCutOff || planned.isCutOff { return .flaggedAndCutOff }
    if live.hasTableFlags == planned.hasTableFlags { return nil }
    return live.hasTableFlags ? .flagged : .unflagged
  }

  /// What has the same name on both sides side by side, in the planned order; then what is live only. Without pairs that are
  /// alike: nearly all of a large table's, which needn't be looked at any more.
  private static func pairs<Item>(
    _ live: [Item], _ planned: [Item], _ name: (Item) -> String, isAlike: (Item, Item) -> Bool
  ) -> [(Item?, Item?)] {
    var result: [(Item?, Item?)] = []
    // tables that have one compiler name the same things in the same order
    if live.count == planned.count, live.indices.allSatisfy({ name(live[$0]) == name(planned[$0]) }) {
      for place in live.indices where !isAlike(live[place], planned[place]) { result.append((live[place], planned[place])) }
      return result
    }
    let byName = Dictionary(live.map { (name($0), $0) }) { first, _ in first }
    for item in planned {
      let own = byName[name(item)]
      if own.map({ isAlike($0, item) }) != true { result.append((own, item)) }
    }
    let names = Set(planned.map(name))
    return result + live.filter { !names.contains(name($0)) }.map { ($0, nil) }
  }

  /// Texts that are on one side only, however often they stand on the other.
  static func texts(_ live: [String], _ planned: [String]) -> [Change<String>] {
    let live = live.sorted()
    let planned = planned.sorted()
    return RuleAlignment(live: live, planned: planned).steps.compactMap { step in
      switch step {
      case .removed(let place): Change(live: live[place], planned: nil)
      case .added(let place): Change(live: nil, planned: planned[place])
      case .moved: nil  // on both sides
      }
    }
  }
}

// most sets are alike to the order of their elements, and then needn't be compared by their content
extension NamedSet {
  fileprivate func isSame(as other: NamedSet) -> Bool {
    types == other.types && isInterval == other.isInterval && size == other.size && elements == other.elements
      && unknown == other.unknown
  }
}

extension VerdictMap {
  fileprivate func isSame(as other: VerdictMap) -> Bool {
    types == other.types && isInterval == other.isInterval && size == other.size && elements == other.elements
      && unknown == other.unknown
  }
}

extension Chain {
  /// Whether it is the same in all that a difference tells of; false also where that isn't seen at once.
  fileprivate func isWritten(like other: Chain) -> Bool { base == other.base && rules.sharesStorage(with: other.rules) }
}

extension RulesetDifference.ChainDifference {
  fileprivate init?(live: Chain?, planned: Chain?) {
    guard let name = (planned ?? live)?.name else { return nil }
    self.name = name
    presence = live == nil ? .added : planned == nil ? .removed : .changed
    base = live?.base == planned?.base ? nil : RulesetDifference.Change(live: live?.base, planned: planned?.base)
    rules = RulesetDifference.ChainDifference.rules(live?.rules ?? [], planned?.rules ?? [])
    if presence == .changed, base == nil, rules.isEmpty { return nil }
  }

  private static func rules(_ live: [Rule], _ planned: [Rule]) -> [RulesetDifference.RuleChange] {
    // most rules are spelled alike on both sides, and then needn't be brought into another form
    func isAlike(_ a: Rule, _ b: Rule) -> Bool { a.comment == b.comment && a.expressions == b.expressions }
    let shorter = min(live.count, planned.count)
    let start = (0..<shorter).first { !isAlike(live[$0], planned[$0]) } ?? shorter
    let rest = shorter - start
    let end = (0..<rest).first { !isAlike(live[live.count - 1 - $0], planned[planned.count - 1 - $0]) } ?? rest

    let alignment = RuleAlignment(
      live: live[start..<live.count - end].map(CanonicalRule.init),
      planned: planned[start..<planned.count - end].map(CanonicalRule.init))
    return alignment.steps.map { step in
      switch step {
      case .removed(let place): .removed(live[start + place], position: start + place)
      case .added(let place): .added(planned[start + place], position: start + place)
      case .moved(let from, let to): .moved(planned[start + to], from: start + from, to: start + to)
      }
    }
  }
}

extension Array {
  /// Whether both are one array in memory, and so alike.
  fileprivate func sharesStorage(with other: [Element]) -> Bool {
    withUnsafeBufferPointer { own in
      other.withUnsafeBufferPointer { $0.baseAddress == own.baseAddress && $0.count == own.count }
    }
  }
}
