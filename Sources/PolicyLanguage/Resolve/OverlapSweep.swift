import Diagnostics
import PacketSpace

/// Addresses that somebody has, and where that is written.
struct OwnedAddresses {
  var addresses: AddressRange
  var owner: Int32
  var range: SourceRange
}

/// Finds addresses that more than one has.
enum OverlapSweep {
  /// For each entry that has an address in common with an earlier one (by lower end) of another owner, the pair, the later in the
  /// text second. Time: O(n log n).
  static func overlaps(_ entries: [OwnedAddresses]) -> [(first: OwnedAddresses, second: OwnedAddresses)] {
    if areApart(entries) { return [] }
    return IPFamily.allCases.flatMap { family in
      let ofFamily = entries.filter { $0.addresses.family == family }
      return overlapsOfFamily(isAscending(ofFamily) ? ofFamily : ofFamily.sorted(by: isBefore))
    }
  }

  /// Whether each entry begins behind the one before it of its family, as they do where somebody numbers them in order.
  private static func areApart(_ entries: [OwnedAddresses]) -> Bool {
    var ends: (v4: UInt128?, v6: UInt128?) = (nil, nil)
    for entry in entries {
      let (lower, upper) = (entry.addresses.lower, entry.addresses.upper)
      switch entry.addresses.family {
      case .ipv4:
        if let end = ends.v4, lower <= end { return false }
        ends.v4 = upper
      case .ipv6:
        if let end = ends.v6, lower <= end { return false }
        ends.v6 = upper
      }
    }
    return true
  }

  private static func overlapsOfFamily(_ entries: [OwnedAddresses]) -> [(first: OwnedAddresses, second: OwnedAddresses)] {
    var pairs: [(first: OwnedAddresses, second: OwnedAddresses)] = []
    // the entry that reaches furthest, and the one of another owner that does
    var furthest: OwnedAddresses?
    var furthestOfOther: OwnedAddresses?
    for entry in entries {
      let other = furthest?.owner == entry.owner ? furthestOfOther : furthest
      if let other, other.addresses.upper >= entry.addresses.lower {
        pairs.append(isWrittenBefore(other, entry) ? (other, entry) : (entry, other))
      }
      guard let best = furthest else {
        furthest = entry
        continue
      }
      if entry.addresses.upper > best.addresses.upper {
        if best.owner != entry.owner { furthestOfOther = best }
        furthest = entry
      } else if entry.owner != best.owner,
        entry.addresses.upper > furthestOfOther?.addresses.upper ?? 0 || furthestOfOther == nil
      {
        furthestOfOther = entry
      }
    }
    return pairs
  }

  private static func isBefore(_ a: OwnedAddresses, _ b: OwnedAddresses) -> Bool {
    if a.addresses.lower != b.addresses.lower { return a.addresses.lower < b.addresses.lower }
    return isWrittenBefore(a, b)
  }

  private static func isWrittenBefore(_ a: OwnedAddresses, _ b: OwnedAddresses) -> Bool {
    (a.range.file, a.range.start) < (b.range.file, b.range.start)
  }

  private static func isAscending(_ entries: [OwnedAddresses]) -> Bool {
    for index in entries.indices.dropFirst() where isBefore(entries[index], entries[index - 1]) { return false }
    return true
  }
}
