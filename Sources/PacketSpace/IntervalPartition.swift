/// Cuts the line of numbers at the ends of labelled intervals, so that each piece has one set of labels.
public enum IntervalPartition {
  /// A piece, with the labels of all intervals that cover it, ascending and without repetition.
  public struct Piece: Hashable, Sendable {
    public var interval: Interval
    public var labels: [Int32]
  }

  /// The pieces that at least one interval covers, in ascending order; neighbours with equal labels are joined only where
  /// one interval made them both.
  ///
  /// Time: O(n log n) for n intervals plus the size of the labels in the result.
  public static func pieces(_ labelled: [(interval: Interval, label: Int32)]) -> [Piece] {
    let sorted = labelled.sorted { ($0.interval.lower, $0.interval.upper) < ($1.interval.lower, $1.interval.upper) }
    var result: [Piece] = []
    result.reserveCapacity(sorted.count)
    // `active` holds the intervals that cover the point reached; nearly always one or two
    var active: [(upper: UInt128, label: Int32)] = []
    var point: UInt128 = 0
    var next = 0
    while next < sorted.count || !active.isEmpty {
      if active.isEmpty { point = sorted[next].interval.lower }
      while next < sorted.count, sorted[next].interval.lower == point {
        active.append((sorted[next].interval.upper, sorted[next].label))
        next += 1
      }
      var end = active[0].upper
      for entry in active where entry.upper < end { end = entry.upper }
      if next < sorted.count, sorted[next].interval.lower <= end { end = sorted[next].interval.lower - 1 }
      var labels: [Int32] = active.count == 1 ? [active[0].label] : active.map(\.label).sorted()
      if labels.count > 1 { labels = labels.reduce(into: []) { if $0.last != $1 { $0.append($1) } } }
      result.append(Piece(interval: Interval(point, end), labels: labels))
      active.removeAll { $0.upper == end }
      if active.isEmpty && next == sorted.count { break }
      if end == UInt128.max { break }
      point = end + 1
    }
    return result
  }

  /// The values of a line put together where the same intervals cover them, in the order in which they first come; what no
  /// interval covers is the last, without labels, where there is any.
  public static func classes(
    _ labelled: [(interval: Interval, label: Int32)], of line: Interval
  ) -> [(labels: [Int32], values: IntervalSet)] {
    var places: [[Int32]: Int] = [:]
    var groups: [(labels: [Int32], intervals: [Interval])] = []
    var covered: [Interval] = []
    var last = (labels: [Int32](), place: 0)
    for piece in pieces(labelled) {
      // neighbours mostly have the same labels, and then none are hashed
      if groups.isEmpty || piece.labels != last.labels {
        let place = places[piece.labels] ?? groups.count
        if place == groups.count {
          places[piece.labels] = place
          groups.append((piece.labels, []))
        }
        last = (piece.labels, place)
      }
      groups[last.place].intervals.append(piece.interval)
      covered.append(piece.interval)
    }
    let rest = IntervalSet([line]).subtracting(IntervalSet(covered))
    let classes = groups.map { (labels: $0.labels, values: IntervalSet($0.intervals)) }
    return rest.isEmpty ? classes : classes + [(labels: [], values: rest)]
  }
}
