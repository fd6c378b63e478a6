import Glibc

/// Random numbers that come again from the same seed: SplitMix64.
///
/// Print the generator in whatever a test says when it fails: it shows how to repeat the run.
/// Source: Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014; prng.di.unimi.it/splitmix64.c.
public struct SeededGenerator: RandomNumberGenerator, Sendable, CustomStringConvertible {
  public let seed: UInt64
  private var state: UInt64

  /// A generator of `seed`, or of the one in CORDON_SEED where that is set.
  public init(seed: UInt64) {
    self.seed = getenv("CORDON_SEED").flatMap { UInt64(String(cString: $0)) } ?? seed
    state = self.seed
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public var description: String { "CORDON_SEED=\(seed)" }
}
