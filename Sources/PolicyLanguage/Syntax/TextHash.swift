/// A hash of short texts, seeded at random in each run, so that no choice of texts makes a table slow.
///
/// Eight bytes at a time are mixed by a multiplication whose two halves are joined, as wyhash does; that is several times as
/// quick as `Hasher` for a name.
struct TextHash: Sendable {
  private let seed: UInt64
  private let factor: UInt64

  init() {
    seed = TextHash.random(0)
    factor = TextHash.random(1) | 1
  }

  /// Numbers that differ from run to run, from what `Hasher` is seeded with.
  private static func random(_ number: Int) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(number)
    return UInt64(truncatingIfNeeded: hasher.finalize())
  }

  func callAsFunction(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
    let bytes = UnsafeRawBufferPointer(text)
    var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count)
    var place = 0
    while bytes.count - place >= 8 {
      hash = mixed(hash ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      place += 8
    }
    var rest: UInt64 = 0
    while place < bytes.count {
      rest = rest << 8 | UInt64(bytes[place])
      place += 1
    }
    return UInt32(truncatingIfNeeded: mixed(mixed(hash ^ rest)))
  }

  @inline(__always)
  private func mixed(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}
