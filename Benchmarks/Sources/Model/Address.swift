/// An address of either family.
public struct Address: Hashable {
  public var isIPv6: Bool
  public var bits: UInt128
}

extension Address: CustomStringConvertible {
  /// As nft and a policy read it; IPv6 without any shortening.
  public var description: String {
    let parts = isIPv6 ? 8 : 4
    let width = isIPv6 ? 16 : 8
    return (0..<parts).map { part in
      String((bits >> UInt128((parts - 1 - part) * width)) & (1 << UInt128(width) - 1), radix: isIPv6 ? 16 : 10)
    }.joined(separator: isIPv6 ? ":" : ".")
  }
}

/// A range of addresses of one family, as a policy writes it.
public struct Prefix {
  public var text: String
  public var isIPv6: Bool
  public var range: ClosedRange<UInt128>

  func contains(_ address: Address) -> Bool { isIPv6 == address.isIPv6 && range.contains(address.bits) }

  /// What ranges cover together, as few ranges as can be, in nft's words.
  static func merged(_ ranges: [ClosedRange<UInt128>], isIPv6: Bool) -> [String] {
    var result: [ClosedRange<UInt128>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound + 1 {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result.map { range in
      let first = Address(isIPv6: isIPv6, bits: range.lowerBound)
      return range.lowerBound == range.upperBound ? "\(first)" : "\(first)-\(Address(isIPv6: isIPv6, bits: range.upperBound))"
    }
  }
}
