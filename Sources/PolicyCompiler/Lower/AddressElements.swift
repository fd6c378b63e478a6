import PacketSpace
import PolicyLanguage

/// How stretches of addresses become elements of sets and maps: cut where instances meet.
///
///     instances 10.0.0.1 and 10.0.0.2 of web       { 10.0.0.1, 10.0.0.2 }, not { 10.0.0.1-10.0.0.2 }
///
/// An instance then has elements of its own: a set of single addresses is exact, which is the cheaper kind of set, and when an
/// instance comes or goes its own elements do, and no neighbour's.
struct AddressElements {
  /// The instances' intervals of each family, ascending.
  private let instances: [IPFamily: [Interval]]
  /// The widest stretch that is written address by address where no instance has it.
  private static let widestSpelled: UInt128 = 4

  init(_ policy: Policy) {
    var instances: [IPFamily: [Interval]] = [:]
    for family in IPFamily.allCases {
      instances[family] = policy.instances.flatMap { $0.addresses[family].intervals }.sorted()
    }
    self.instances = instances
  }

  /// The same addresses as `interval`, in pieces.
  func cut(_ interval: Interval, _ family: IPFamily, into output: (Interval) -> Void) {
    if interval.isSingle { return output(interval) }
    let known = instances[family]!
    // the first instance that ends behind the beginning of the interval
    var low = 0
    var high = known.count
    while low < high {
      let middle = (low + high) / 2
      if known[middle].upper < interval.lower { low = middle + 1 } else { high = middle }
    }
    var at = interval.lower
    while low < known.count, known[low].lower <= interval.upper {
      let lower = max(known[low].lower, interval.lower)
      let upper = min(known[low].upper, interval.upper)
      if lower > at { spell(Interval(at, lower - 1), into: output) }
      spell(Interval(lower, upper), into: output)
      if upper == interval.upper { return }
      at = upper + 1
      low += 1
    }
    spell(Interval(at, interval.upper), into: output)
  }

  private func spell(_ interval: Interval, into output: (Interval) -> Void) {
    if interval.upper - interval.lower >= AddressElements.widestSpelled { return output(interval) }
    for value in interval.lower...interval.upper { output(Interval(value)) }
  }

  func cut(_ set: IntervalSet, _ family: IPFamily) -> [Interval] {
    var result: [Interval] = []
    result.reserveCapacity(set.intervals.count)
    for interval in set.intervals { cut(interval, family) { result.append($0) } }
    return result
  }
}
