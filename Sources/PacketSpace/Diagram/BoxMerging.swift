extension PacketBox {
  /// Boxes that don't overlap as fewer boxes that don't: two that differ on one axis only become one, until there are none.
  ///
  /// The result is in the order in which the first part of each box came.
  public static func merged(_ boxes: [PacketBox]) -> [PacketBox] {
    // sets by numbers, of which equal ones have one, so that none is compared twice; nil is where nothing is said
    var sets: [IntervalSet] = []
    var numbers: [IntervalSet: Int] = [:]
    func number(_ set: IntervalSet) -> Int {
      if let known = numbers[set] { return known }
      numbers[set] = sets.count
      sets.append(set)
      return sets.count - 1
    }
    var rows = boxes.map { box in
      var row = [Int?](repeating: nil, count: PacketAxis.allCases.count)
      for condition in box.conditions { row[Int(condition.axis.rawValue)] = number(condition.values) }
      return row
    }
    var isDone = false
    while !isDone {
      isDone = true
      for axis in PacketAxis.allCases.reversed() {
        var places: [[Int?]: Int] = [:]
        var next: [(row: [Int?], values: [Int?])] = []
        for row in rows {
          var others = row
          others[Int(axis.rawValue)] = nil
          if let place = places[others] {
            next[place].values.append(row[Int(axis.rawValue)])
            isDone = false
          } else {
            places[others] = next.count
            next.append((row, [row[Int(axis.rawValue)]]))
          }
        }
        rows = next.map { row, values in
          if values.count == 1 { return row }
          var result = row
          let said = values.compactMap { $0 }
          let union = IntervalSet(said.flatMap { sets[$0].intervals })
          let isEverything = said.count < values.count || union.intervals == [Interval(0, axis.maximum)]
          result[Int(axis.rawValue)] = isEverything ? nil : number(union)
          return result
        }
      }
    }
    return rows.map { row in
      PacketAxis.allCases.reduce(into: PacketBox()) { box, axis in
        if let set = row[Int(axis.rawValue)] { box.narrow(axis, to: sets[set]) }
      }
    }
  }
}
