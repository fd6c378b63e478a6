/// A set of addresses of both families.
public struct AddressSet: Hashable, Sendable {
  public var v4: IntervalSet
  public var v6: IntervalSet

  public init() {
    v4 = IntervalSet()
    v6 = IntervalSet()
  }

  public init(v4: IntervalSet, v6: IntervalSet) {
    self.v4 = v4
    self.v6 = v6
  }

  @inlinable
  public init(_ ranges: some Sequence<AddressRange>) {
    var four: [Interval] = []
    var six: [Interval] = []
    for range in ranges {
      // mostly one; a literal is made with less ado than an array grows
      let interval = Interval(range.lower, range.upper)
      if range.family == .ipv4 {
        if four.isEmpty { four = [interval] } else { four.append(interval) }
      } else {
        if six.isEmpty { six = [interval] } else { six.append(interval) }
      }
    }
    v4 = IntervalSet(array: four)
    v6 = IntervalSet(array: six)
  }

  /// Every address of both families.
  public static let all = AddressSet(IPFamily.allCases.map(AddressRange.all))

  public subscript(family: IPFamily) -> IntervalSet {
    get { family == .ipv4 ? v4 : v6 }
    set { if family == .ipv4 { v4 = newValue } else { v6 = newValue } }
  }

  public var isEmpty: Bool { v4.isEmpty && v6.isEmpty }
  public func contains(_ address: IPAddress) -> Bool { self[address.family].contains(address.value) }
  public func union(_ other: AddressSet) -> AddressSet { AddressSet(v4: v4.union(other.v4), v6: v6.union(other.v6)) }
  public func intersection(_ other: AddressSet) -> AddressSet {
    AddressSet(v4: v4.intersection(other.v4), v6: v6.intersection(other.v6))
  }
  public func subtracting(_ other: AddressSet) -> AddressSet {
    AddressSet(v4: v4.subtracting(other.v4), v6: v6.subtracting(other.v6))
  }

  /// The ranges in ascending order, IPv4 first.
  public var ranges: [AddressRange] {
    v4.intervals.map { AddressRange(.ipv4, $0.lower, $0.upper) } + v6.intervals.map { AddressRange(.ipv6, $0.lower, $0.upper) }
  }
}
