import PacketSpace

/// What becomes of the elements of a set or map that keeps its declaration.
struct ElementChange {
  let name: String
  let types: [DataType]
  let isMap: Bool
  let isInterval: Bool
  private let size: Int?
  let live: Elements
  let planned: Elements
  /// Of maps, in step with the elements.
  private let liveVerdicts: [Verdict]
  private let plannedVerdicts: [Verdict]
  /// Places of the elements that go and that come, each taken whole.
  let removed: [Int]
  let added: [Int]

  init(_ live: SetContent, _ planned: SetContent) {
    name = planned.name
    types = planned.types
    isMap = planned.declaration.isMap
    isInterval = planned.declaration.isInterval
    size = planned.declaration.size
    self.live = live.keys
    self.planned = planned.keys
    liveVerdicts = live.verdicts ?? []
    plannedVerdicts = planned.verdicts ?? []
    let a = ElementChange.order(live.keys)
    let b = ElementChange.order(planned.keys)
    var removed: [Int] = []
    var added: [Int] = []
    var i = 0
    var j = 0
    while i < a.count || j < b.count {
      if j == b.count || (i < a.count && live.keys[a[i]].lexicographicallyPrecedes(planned.keys[b[j]])) {
        removed.append(a[i])
        i += 1
      } else if i == a.count || planned.keys[b[j]].lexicographicallyPrecedes(live.keys[a[i]]) {
        added.append(b[j])
        j += 1
      } else {
        if live.content(a[i]) != planned.content(b[j]) {
          removed.append(a[i])
          added.append(b[j])
        }
        i += 1
        j += 1
      }
    }
    self.removed = removed
    self.added = added
  }

  private static func order(_ keys: Elements) -> [Int] {
    (0..<keys.count).sorted { keys[$0].lexicographicallyPrecedes(keys[$1]) }
  }

  /// Whether the kernel changes the elements with no moment in which one is missing. A verdict of an interval map that changes
  /// has one.
  var isEditable: Bool { !isMap || !isInterval || removed.isEmpty || added.isEmpty }

  /// Whether it is about addresses of a family, and nothing beside them.
  func isOf(_ family: IPFamily) -> Bool { types == [family == .ipv4 ? .ipv4Address : .ipv6Address] }

  /// The values of the fields for which something changes.
  var changedKeys: Elements {
    var result = Elements(stride: types.count)
    for index in removed { result.append(contentsOf: live[index]) }
    for index in added { result.append(contentsOf: planned[index]) }
    return result
  }

  /// Adds the change to a transaction.
  fileprivate func enter(_ edit: inout ChangePlan.Edit) {
    if !removed.isEmpty {
      var keys = Elements(stride: types.count)
      for index in removed { keys.append(contentsOf: live[index]) }
      edit.removed.append(.init(set: name, types: types, isInterval: isInterval, keys: keys))
    }
    if added.isEmpty { return }
    if isMap {
      var elements = VerdictElements(stride: types.count)
      for index in added { elements.append(contentsOf: planned[index], verdict: plannedVerdicts[index]) }
      edit.added.maps.append(VerdictMap(name, types: types, isInterval: isInterval, size: size, elements: elements))
    } else {
      var elements = Elements(stride: types.count)
      for index in added { elements.append(contentsOf: planned[index]) }
      edit.added.sets.append(NamedSet(name, types: types, isInterval: isInterval, size: size, elements: elements))
    }
  }
}

extension ChangePlan.Edit {
  /// The changes of elements of a table.
  init(_ changes: [ElementChange], table: String) {
    self.init(.elements, table: table)
    for change in changes { change.enter(&self) }
  }
}
