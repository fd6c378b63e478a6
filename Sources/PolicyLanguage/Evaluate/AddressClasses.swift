public import PacketSpace

/// The addresses of a policy, put together where they have the same groups: whatever the policy says of one address of a class it
/// says, own ends aside, of each.
public struct AddressClasses: Sendable {
  public struct Class: Sendable {
    /// Indices into `Policy.groups`, ascending, external groups aside; empty for the addresses that aren't protected.
    public var groups: [Int]
    public var addresses: AddressSet
  }

  /// The class of the unprotected first, which is everything that the others leave; each other one has an address.
  public let classes: [Class]

  public init(_ policy: Policy) {
    var places: [[Int32]: Int] = [:]
    var groups: [[Int32]] = []
    var intervals: [[IPFamily: [Interval]]] = []
    var unprotected = AddressSet()
    for family in IPFamily.allCases {
      var labelled: [(interval: Interval, label: Int32)] = []
      for (index, group) in policy.groups.enumerated() where !group.isExternal {
        labelled += group.members[family].intervals.map { ($0, Int32(index)) }
      }
      let pieces = IntervalPartition.pieces(labelled)
      for piece in pieces {
        if places[piece.labels] == nil {
          places[piece.labels] = groups.count
          groups.append(piece.labels)
          intervals.append([:])
        }
        intervals[places[piece.labels]!][family, default: []].append(piece.interval)
      }
      unprotected[family] = IntervalSet([Interval(0, family.maximum)]).subtracting(IntervalSet(pieces.map(\.interval)))
    }
    var result = [Class(groups: [], addresses: unprotected)]
    for (labels, own) in zip(groups, intervals) {
      let addresses = AddressSet(v4: IntervalSet(own[.ipv4] ?? []), v6: IntervalSet(own[.ipv6] ?? []))
      result.append(Class(groups: labels.map(Int.init), addresses: addresses))
    }
    classes = result
  }
}
