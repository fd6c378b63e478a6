/// SplitMix64 (Steele, Lea, Flood 2014): small, quick, and the same on every machine for the same seed.
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number in `0..<bound`.
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }

  /// True `percent` times in a hundred.
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  /// A number in `0..<bound`, small ones much more often: the first is drawn `1/√bound` of the time.
  mutating func skewed(below bound: Int) -> Int {
    let unit = Double(next() >> 11) / Double(1 << 53)
    return Int(unit * unit * Double(bound))
  }
}
