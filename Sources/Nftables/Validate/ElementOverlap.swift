import PacketSpace

extension Elements {
  /// Two elements that have a value in common, or nil where all are disjoint.
  func overlap() -> (Int, Int)? {
    stride == 1 ? overlapOfOneField() : overlapOfSeveralFields()
  }

  private func overlapOfOneField() -> (Int, Int)? {
    var isAscending = true
    for i in 1..<Swift.max(1, count) where intervals[i].lower <= intervals[i - 1].upper {
      isAscending = false
      break
    }
    if isAscending { return nil }
    let order = intervals.indices.sorted { intervals[$0] < intervals[$1] }
    for (a, b) in zip(order, order.dropFirst()) where intervals[b].lower <= intervals[a].upper { return (a, b) }
    return nil
  }

  /// Sweeps along the field that tells elements apart best, and compares those that meet there.
  private func overlapOfSeveralFields() -> (Int, Int)? {
    if count < 2 { return nil }
    let field = (0..<stride).max { distinctValues($0) < distinctValues($1) }!
    func interval(_ element: Int) -> Interval { intervals[element * stride + field] }
    let order = (0..<count).sorted { interval($0).lower < interval($1).lower }
    var open: [Int] = []
    for element in order {
      let own = interval(element)
      open.removeAll { interval($0).upper < own.lower }
      for other in open {
        let meets = (0..<stride).allSatisfy { intervals[element * stride + $0].overlaps(intervals[other * stride + $0]) }
        if meets { return (other, element) }
      }
      open.append(element)
    }
    return nil
  }

  private func distinctValues(_ field: Int) -> Int {
    var seen = Set<Interval>()
    for element in 0..<count { seen.insert(intervals[element * stride + field]) }
    return seen.count
  }
}
