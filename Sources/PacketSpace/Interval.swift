/// An inclusive interval of numbers: the common form of every field's values (addresses, ports, protocols, types, and
/// names of interfaces as 16 bytes).
public struct Interval: Hashable, Sendable, Comparable {
  public var lower: UInt128
  /// `lower <= upper`.
  public var upper: UInt128

  @inlinable
  public init(_ lower: UInt128, _ upper: UInt128) {
    precondition(lower <= upper, "an interval holds at least one value")
    self.lower = lower
    self.upper = upper
  }

  @inlinable
  public init(_ value: UInt128) {
    self.lower = value
    self.upper = value
  }

  @inlinable public var isSingle: Bool { lower == upper }
  @inlinable public func contains(_ value: UInt128) -> Bool { lower <= value && value <= upper }
  @inlinable public func overlaps(_ other: Interval) -> Bool { lower <= other.upper && other.lower <= upper }
  /// By lower end, then by upper end.
  @inlinable public static func < (a: Interval, b: Interval) -> Bool { (a.lower, a.upper) < (b.lower, b.upper) }
}

/// A set of numbers as disjoint intervals in ascending order, neighbours joined: equal sets are equal values.
public struct IntervalSet: Hashable, Sendable {
  /// Ascending, disjoint, not adjacent.
  public private(set) var intervals: [Interval]

  public init() { intervals = [] }

  public init(_ interval: Interval) { intervals = [interval] }

  /// The union of the intervals, which may overlap and stand in any order.
  @inlinable
  public init(_ unsorted: some Sequence<Interval>) {
    self.init(array: Array(unsorted))
  }

  @usableFromInline
  init(array: [Interval]) {
    var sorted = array
    if sorted.count <= 1 {
      intervals = sorted
      return
    }
    // ascending, and as they have to be
    var isOrdered = true
    var isApart = true
    for i in 1..<sorted.count {
      if sorted[i] < sorted[i - 1] {
        isOrdered = false
        break
      }
      if sorted[i].lower <= sorted[i - 1].upper || sorted[i].lower - sorted[i - 1].upper == 1 { isApart = false }
    }
    if isOrdered, isApart {
      intervals = sorted
      return
    }
    if !isOrdered { sorted.sort() }
    intervals = []
    intervals.reserveCapacity(sorted.count)
    for next in sorted {
      if let last = intervals.last, last.upper == UInt128.max || next.lower <= last.upper + 1 {
        if next.upper > last.upper { intervals[intervals.count - 1].upper = next.upper }
      } else {
        intervals.append(next)
      }
    }
  }

  public var isEmpty: Bool { intervals.isEmpty }

  public func contains(_ value: UInt128) -> Bool {
    let place = firstPlace(endingFrom: value)
    return place < intervals.count && intervals[place].lower <= value
  }

  /// Where the first interval stands that ends at `value` or behind it; `intervals.count` where none does.
  private func firstPlace(endingFrom value: UInt128) -> Int {
    var low = 0
    var high = intervals.count
    while low < high {
      let middle = (low + high) / 2
      if intervals[middle].upper < value { low = middle + 1 } else { high = middle }
    }
    return low
  }

  public func union(_ other: IntervalSet) -> IntervalSet {
    if isEmpty { return other }
    if other.isEmpty { return self }
    return IntervalSet(intervals + other.intervals)
  }

  public func intersection(_ other: IntervalSet) -> IntervalSet {
    if intervals == other.intervals { return self }
    // no two pieces touch, since neighbours are joined in both
    var result = IntervalSet()
    // of a long set little counts where the other is short
    var i = other.intervals.first.map { firstPlace(endingFrom: $0.lower) } ?? 0
    var j = intervals.first.map { other.firstPlace(endingFrom: $0.lower) } ?? 0
    while i < intervals.count, j < other.intervals.count {
      let a = intervals[i]
      let b = other.intervals[j]
      if a.overlaps(b) { result.intervals.append(Interval(max(a.lower, b.lower), min(a.upper, b.upper))) }
      if a.upper < b.upper { i += 1 } else { j += 1 }
    }
    return result
  }

  public func subtracting(_ other: IntervalSet) -> IntervalSet {
    var result: [Interval] = []
    var j = intervals.first.map { other.firstPlace(endingFrom: $0.lower) } ?? 0
    for a in intervals {
      var lower = a.lower
      var done = false
      while j > 0, other.intervals[j - 1].upper >= lower { j -= 1 }
      while j < other.intervals.count, other.intervals[j].lower <= a.upper {
        let b = other.intervals[j]
        if b.upper >= lower {
          if b.lower > lower { result.append(Interval(lower, b.lower - 1)) }
          if b.upper >= a.upper {
            done = true
            break
          }
          lower = b.upper + 1
        }
        j += 1
      }
      if !done { result.append(Interval(lower, a.upper)) }
    }
    return IntervalSet(result)
  }

  public func isSubset(of other: IntervalSet) -> Bool {
    guard let first = intervals.first, let last = intervals.last else { return true }
    // most sets that are no subsets reach further
    guard let start = other.intervals.first, start.lower <= first.lower,
      last.upper <= other.intervals[other.intervals.count - 1].upper
    else { return false }
    // neighbours are joined, so an interval of a subset lies in one of the other's
    return intervals.allSatisfy { interval in
      let place = other.firstPlace(endingFrom: interval.lower)
      return place < other.intervals.count && other.intervals[place].lower <= interval.lower
        && interval.upper <= other.intervals[place].upper
    }
  }

  public func overlaps(_ interval: Interval) -> Bool {
    let place = firstPlace(endingFrom: interval.lower)
    return place < intervals.count && intervals[place].lower <= interval.upper
  }

  public func isDisjoint(with other: IntervalSet) -> Bool {
    // by the shorter one's intervals
    if other.intervals.count < intervals.count { return other.isDisjoint(with: self) }
    return !intervals.contains { other.overlaps($0) }
  }
}
