import PacketSpace

/// A set or a map: what the two have in common for a comparison.
struct SetContent {
  var name: String
  var declaration: RulesetDifference.Declaration
  var keys: Elements
  /// Of a map, in step with the keys.
  var verdicts: [Verdict]?
  var properties: [String]

  init(_ set: NamedSet) {
    name = set.name
    declaration = .init(isMap: false, types: set.types, isInterval: set.isInterval, size: set.size)
    keys = set.elements
    properties = set.unknown
  }

  init(_ map: VerdictMap) {
    name = map.name
    declaration = .init(isMap: true, types: map.types, isInterval: map.isInterval, size: map.size)
    keys = map.elements.keys
    verdicts = map.elements.verdicts
    properties = map.unknown
  }

  var types: [DataType] { declaration.types }

  func content(_ index: Int) -> RulesetDifference.Content { verdicts.map { .verdict($0[index]) } ?? .member }
}

extension RulesetDifference.SetDifference {
  init?(_ live: SetContent?, _ planned: SetContent?) {
    guard let name = (planned ?? live)?.name else { return nil }
    self.name = name
    presence = live == nil ? .added : planned == nil ? .removed : .changed
    declaration = RulesetDifference.Change(live: live?.declaration, planned: planned?.declaration)
    properties = RulesetDifference.texts(live?.properties ?? [], planned?.properties ?? [])
    if let live, let planned, live.types == planned.types {
      // a link's name is no number: cut in two it would be none at all
      let isLine = live.types.count == 1 && live.types[0] != .interfaceName
      elements = isLine ? SetContent.parts(live, planned) : SetContent.whole(live, planned)
    } else {
      elements = SetContent.whole(live, nil) + SetContent.whole(nil, planned)
    }
    if presence == .changed, declaration.live == declaration.planned, properties.isEmpty, elements.isEmpty { return nil }
  }
}

extension SetContent {
  /// Elements of one field that are on one side only or say something else, cut where the sides part.
  fileprivate static func parts(_ live: SetContent, _ planned: SetContent) -> [RulesetDifference.ElementChange] {
    var result: [RulesetDifference.ElementChange] = []
    func emit(_ lower: UInt128, _ upper: UInt128, _ a: RulesetDifference.Content?, _ b: RulesetDifference.Content?) {
      if a == b { return }
      result.append(.init(key: [Interval(lower, upper)], types: live.types, content: .init(live: a, planned: b)))
    }
    let liveOrder = live.order
    let plannedOrder = planned.order
    var i = 0
    var j = 0
    // up to where the current element of each side is done with
    var a: Interval? = liveOrder.first.map { live.keys.intervals[$0] }
    var b: Interval? = plannedOrder.first.map { planned.keys.intervals[$0] }
    func nextLive() {
      i += 1
      a = i < liveOrder.count ? live.keys.intervals[liveOrder[i]] : nil
    }
    func nextPlanned() {
      j += 1
      b = j < plannedOrder.count ? planned.keys.intervals[plannedOrder[j]] : nil
    }
    while a != nil || b != nil {
      guard let left = a else {
        emit(b!.lower, b!.upper, nil, planned.content(plannedOrder[j]))
        nextPlanned()
        continue
      }
      guard let right = b else {
        emit(left.lower, left.upper, live.content(liveOrder[i]), nil)
        nextLive()
        continue
      }
      if left.lower < right.lower {
        let upper = min(left.upper, right.lower - 1)
        emit(left.lower, upper, live.content(liveOrder[i]), nil)
        if upper == left.upper { nextLive() } else { a = Interval(upper + 1, left.upper) }
      } else if right.lower < left.lower {
        let upper = min(right.upper, left.lower - 1)
        emit(right.lower, upper, nil, planned.content(plannedOrder[j]))
        if upper == right.upper { nextPlanned() } else { b = Interval(upper + 1, right.upper) }
      } else {
        let upper = min(left.upper, right.upper)
        emit(left.lower, upper, live.content(liveOrder[i]), planned.content(plannedOrder[j]))
        if upper == left.upper { nextLive() } else { a = Interval(upper + 1, left.upper) }
        if upper == right.upper { nextPlanned() } else { b = Interval(upper + 1, right.upper) }
      }
    }
    return result
  }

  /// The elements of one field by their numbers.
  private var order: [Int] { keys.intervals.indices.sorted { keys.intervals[$0] < keys.intervals[$1] } }

  /// Elements that are on one side only or have another verdict, each taken whole.
  fileprivate static func whole(_ live: SetContent?, _ planned: SetContent?) -> [RulesetDifference.ElementChange] {
    var changes: [[Interval]: RulesetDifference.Change<RulesetDifference.Content>] = [:]
    if let live {
      for index in 0..<live.keys.count { changes[Array(live.keys[index]), default: .init()].live = live.content(index) }
    }
    if let planned {
      for index in 0..<planned.keys.count {
        changes[Array(planned.keys[index]), default: .init()].planned = planned.content(index)
      }
    }
    return changes.filter { $0.value.live != $0.value.planned }.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
      .init(key: $0.key, types: ($0.value.live == nil ? planned : live)!.types, content: $0.value)
    }
  }
}

extension Ruleset {
  /// Whether the sets and maps of another table have the same elements here, and not only such as mean the same: 10.0.0.0/24 can be
  /// one element or two.
  ///
  /// - Parameter names: of sets and maps that aren't looked at.
  public func hasElements(of other: Ruleset, butFor names: Set<ObjectName>) -> Bool {
    let index = RulesetIndex(self)
    func isAlike(_ name: String, _ own: Elements?, _ theirs: Elements) -> Bool {
      own == theirs || names.contains(.set(name)) || own?.sorted == theirs.sorted
    }
    return other.sets.allSatisfy { isAlike($0.name, index.sets[$0.name]?.elements, $0.elements) }
      && other.maps.allSatisfy { isAlike($0.name, index.maps[$0.name]?.elements.keys, $0.elements.keys) }
  }
}
