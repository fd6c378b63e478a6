import PacketSpace

/// The elements of a set, to be found by what a packet has.
struct ElementIndex: Sendable {
  private let stride: Int
  /// The elements by the lower end of their first interval, end to end.
  private var intervals: [Interval]
  /// Of those, their number in the set.
  private var numbers: [Int32]
  /// The highest upper end of a first interval among the elements up to this one.
  private var reach: [UInt128]

  init(_ elements: Elements) {
    stride = elements.stride
    intervals = elements.intervals
    numbers = (0..<Int32(elements.count)).map { $0 }
    reach = []
    reach.reserveCapacity(elements.count)
    let isSorted = (1..<max(1, elements.count)).allSatisfy {
      elements.intervals[($0 - 1) * stride].lower <= elements.intervals[$0 * stride].lower
    }
    if !isSorted {
      numbers.sort { elements.intervals[Int($0) * stride].lower < elements.intervals[Int($1) * stride].lower }
      intervals.removeAll(keepingCapacity: true)
      for number in numbers { intervals.append(contentsOf: elements[Int(number)]) }
    }
    var highest: UInt128 = 0
    for i in numbers.indices {
      highest = max(highest, intervals[i * stride].upper)
      reach.append(highest)
    }
  }

  /// The number of the element that holds a packet's values, one a field; of several the first, as the kernel does.
  func find(_ values: [UInt128]) -> Int? { find(values[0]) { field in values[field] } }

  /// The same of a key of one field.
  func find(_ value: UInt128) -> Int? { find(value) { _ in value } }

  private func find(_ first: UInt128, _ value: (Int) -> UInt128) -> Int? {
    // behind the last element that begins at `first` or before
    var low = 0
    var high = numbers.count
    while low < high {
      let middle = (low + high) / 2
      if intervals[middle * stride].lower <= first { low = middle + 1 } else { high = middle }
    }
    var found: Int32?
    var at = low - 1
    while at >= 0, reach[at] >= first {
      let start = at * stride
      if (0..<stride).allSatisfy({ intervals[start + $0].contains($0 == 0 ? first : value($0)) }) {
        found = min(found ?? Int32.max, numbers[at])
      }
      at -= 1
    }
    return found.map { Int($0) }
  }
}
