/// A box of packets: on each axis the values that are in, all of them where nothing is said.
public struct PacketBox: Hashable, Sendable {
  /// Ascending by axis; no set is empty or everything.
  public private(set) var conditions: [(axis: PacketAxis, values: IntervalSet)]
  /// Whether some axis has no value left: then no packet is in.
  public private(set) var isEmpty = false

  /// All packets.
  public init() { conditions = [] }

  /// Narrows the box to the packets that are in `values` on `axis` as well.
  public mutating func narrow(_ axis: PacketAxis, to values: IntervalSet) {
    if values.intervals.count == 1, values.intervals[0] == Interval(0, axis.maximum) { return }
    let at = conditions.firstIndex { $0.axis >= axis } ?? conditions.count
    if at < conditions.count, conditions[at].axis == axis {
      conditions[at].values = conditions[at].values.intersection(values)
    } else {
      conditions.insert((axis, values), at: at)
    }
    if conditions[at].values.isEmpty { isEmpty = true }
  }

  public func narrowed(_ axis: PacketAxis, to values: IntervalSet) -> PacketBox {
    var result = self
    result.narrow(axis, to: values)
    return result
  }

  public func narrowed(_ axis: PacketAxis, to value: Interval) -> PacketBox { narrowed(axis, to: IntervalSet(value)) }

  /// The packets of `family` whose address on `axis`, source or destination, is in `addresses`.
  ///
  /// An IPv4 address fills a small part of the axis. What lies beyond goes with 255.255.255.255, so that sets which cover the
  /// family are everything and no question about addresses that there can't be makes two functions different.
  public mutating func narrow(_ axis: PacketAxis, toAddresses addresses: IntervalSet, of family: IPFamily) {
    narrow(.family, to: IntervalSet(Interval(UInt128(family.rawValue))))
    if family == .ipv4, addresses.intervals.last?.upper == family.maximum {
      var intervals = addresses.intervals
      intervals[intervals.count - 1].upper = axis.maximum
      narrow(axis, to: IntervalSet(intervals))
    } else {
      narrow(axis, to: addresses)
    }
  }

  /// The packets of the box that `narrow` leaves.
  public func narrowed(_ axis: PacketAxis, toAddresses addresses: IntervalSet, of family: IPFamily) -> PacketBox {
    var result = self
    result.narrow(axis, toAddresses: addresses, of: family)
    return result
  }

  public func contains(_ packet: Packet) -> Bool {
    !isEmpty && conditions.allSatisfy { $0.values.contains(packet[$0.axis]) }
  }

  public static func == (a: PacketBox, b: PacketBox) -> Bool {
    a.isEmpty == b.isEmpty && a.conditions.elementsEqual(b.conditions) { $0.axis == $1.axis && $0.values == $1.values }
  }

  public func hash(into hasher: inout Hasher) {
    for condition in conditions {
      hasher.combine(condition.axis)
      hasher.combine(condition.values)
    }
  }
}
