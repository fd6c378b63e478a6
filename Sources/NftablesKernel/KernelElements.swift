import Nftables
import PacketSpace

/// Elements as the kernel lists them, become such as a ruleset has.
///
/// Of one field an interval is two elements: where it begins, and, with a flag, where it doesn't go on any more, which may be missing
/// where the next one begins or the field's values end. Of several fields it is one element with a key and its end, each field
/// filled up to 4 bytes. Source: linux/netfilter/nf_tables.h, `enum nft_set_elem_attributes`.
struct KernelElements {
  private let widths: [Int]
  private let isInterval: Bool
  private var elements: VerdictElements
  /// Of interval sets of one field: the places where an interval begins, and those where one ends.
  private var starts: [(at: UInt128, verdict: Verdict)] = []
  private var ends: [UInt128] = []

  /// NFT_SET_ELEM_INTERVAL_END.
  static let intervalEnd: UInt8 = 1
  /// By a flag of its own libnftables remembers that an interval goes on to the end of the values; the kernel doesn't look at it.
  static let goesOn: [UInt8] = [1, 4, 1, 0, 0, 0]

  /// - Parameter widths: how many bytes each field has.
  init(widths: [Int], isInterval: Bool) {
    self.widths = widths
    self.isInterval = isInterval
    elements = VerdictElements(stride: widths.count)
  }

  /// False where it is none that Cordon writes.
  mutating func append(_ element: NetlinkAttributes) -> Bool {
    var lower: [UInt128]?
    var upper: [UInt128]?
    var verdict = Verdict.continue
    var flags: UInt64 = 0
    for (type, value) in element {
      switch type {
      case 1: lower = fields(value)  // NFTA_SET_ELEM_KEY
      case 10: upper = fields(value)  // NFTA_SET_ELEM_KEY_END
      case 3: flags = value.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }  // NFTA_SET_ELEM_FLAGS
      case 2:  // NFTA_SET_ELEM_DATA
        guard let read = KernelElements.verdict(NetlinkAttributes(value).nested(2)) else { return false }  // NFTA_DATA_VERDICT
        verdict = read
      case 6:  // NFTA_SET_ELEM_USERDATA
        guard value.elementsEqual(KernelElements.goesOn) else { return false }
      default: return false  // a timeout, a counter
      }
    }
    let endsHere = flags == UInt64(KernelElements.intervalEnd)
    guard let lower, flags == 0 || endsHere else { return false }
    if isInterval && widths.count == 1 {
      if endsHere { ends.append(lower[0]) } else { starts.append((lower[0], verdict)) }
      return true
    }
    let end = upper ?? lower
    guard !endsHere, zip(lower, end).allSatisfy({ $0 <= $1 }) else { return false }
    elements.append(contentsOf: zip(lower, end).map { Interval($0, $1) }, verdict: verdict)
    return true
  }

  /// All of them, of sets with `continue` for a verdict; nil where beginnings and ends don't fit together.
  var whole: VerdictElements? {
    var result = elements
    let ordered = starts.sorted { $0.at < $1.at }
    let maximum = widths[0] == 16 ? UInt128.max : (1 << (8 * UInt128(widths[0]))) - 1
    // libnftables writes one in front of all that begins behind 0
    var rest = ends.sorted().drop { $0 == 0 }
    for (place, start) in ordered.enumerated() {
      let following = place + 1 < ordered.count ? ordered[place + 1].at : nil
      var behind = following
      if let end = rest.first, following.map({ end <= $0 }) ?? true {
        behind = end
        rest.removeFirst()
      }
      guard behind.map({ start.at < $0 }) ?? true else { return nil }
      result.append(Interval(start.at, behind.map { $0 - 1 } ?? maximum), verdict: start.verdict)
    }
    return rest.isEmpty ? result : nil
  }

  /// The fields of a key one behind the other, as NFTA_DATA_VALUE has them.
  private func fields(_ data: ArraySlice<UInt8>) -> [UInt128]? {
    guard let bytes = NetlinkAttributes(data)[1] else { return nil }
    var result: [UInt128] = []
    var at = bytes.startIndex
    for width in widths {
      guard at + width <= bytes.endIndex else { return nil }
      result.append(bytes[at..<at + width].reduce(0) { $0 << 8 | UInt128($1) })
      at += (width + 3) & ~3
    }
    return result
  }

  /// NFTA_VERDICT_CODE and _CHAIN: `Verdict.numbers` read back.
  private static func verdict(_ data: NetlinkAttributes) -> Verdict? {
    guard let code = data.number(1) else { return nil }
    return switch (Int32(truncatingIfNeeded: code), data.text(2)) {
    case (0, nil): .drop
    case (1, nil): .accept
    case (-1, nil): .continue
    case (-5, nil): .return
    case (-3, let chain?): .jump(chain)
    case (-4, let chain?): .goto(chain)
    default: nil
    }
  }
}

extension Verdict {
  /// NFTA_VERDICT_CODE, and _CHAIN where it has one. Source: linux/netfilter.h, and `enum nft_verdicts`.
  var numbers: (code: Int32, chain: String?) {
    switch self {
    case .drop: (0, nil)
    case .accept: (1, nil)
    case .continue: (-1, nil)
    case .return: (-5, nil)
    case .jump(let chain): (-3, chain)
    case .goto(let chain): (-4, chain)
    }
  }
}
