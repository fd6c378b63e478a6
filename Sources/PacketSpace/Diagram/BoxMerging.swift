extension PacketBox {
  /// Boxes that don't overlap as fewer boxes that don't: two that differ on one axis only become one, until there are none.
  ///
  /// The result is in the order in which the first part of each box came.
  public static func merged(_ boxes: [PacketBox]) -> [PacketBox] {
    var result = boxes
    var isDone = false
    while !isDone {
      isDone = true
      for axis in PacketAxis.allCases.reversed() {
        var places: [PacketBox: Int] = [:]
        var next: [PacketBox] = []
        for box in result {
          var others = PacketBox()
          for condition in box.conditions where condition.axis != axis { others.narrow(condition.axis, to: condition.values) }
          if let place = places[others] {
            next[place] = others.narrowed(axis, to: next[place][axis].union(box[axis]))
            isDone = false
          } else {
            places[others] = next.count
            next.append(box)
          }
        }
        result = next
      }
    }
    return result
  }
}
