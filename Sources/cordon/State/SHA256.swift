import Glibc

/// SHA-256, as `sha256sum` writes it, so that a policy's file can be held against what was applied.
///
/// It recognizes files and damage, and guards no secret. (swift-crypto would do, and builds BoringSSL: two minutes for this.)
/// Source: FIPS 180-4, section 6.2.
enum SHA256 {
  /// What came of the blocks so far.
  typealias State = SIMD8<UInt32>

  static func hex(_ bytes: [UInt8]) -> String { HashedText(bytes).sha256 }

  /// - Parameter start: what came of the first so many bytes, which are whole blocks.
  fileprivate static func hex(_ bytes: ArraySlice<UInt8>, after start: State, of count: Int) -> String {
    var state = start
    // whole blocks where they stand, and the rest with what is filled up
    let whole = bytes.count & ~63
    var rest = Array(bytes.dropFirst(whole))
    rest.append(0x80)
    while rest.count % 64 != 56 { rest.append(0) }
    let bits = (count + bytes.count) * 8
    for shift in stride(from: 56, through: 0, by: -8) { rest.append(UInt8(truncatingIfNeeded: bits >> shift)) }
    bytes.withUnsafeBytes { mix(&state, UnsafeRawBufferPointer(rebasing: $0[..<whole])) }
    rest.withUnsafeBytes { mix(&state, $0) }
    return (0..<8).map { place in
      let digits = String(state[place], radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  /// Takes in blocks of 64 bytes.
  fileprivate static func mix(_ state: inout State, _ blocks: UnsafeRawBufferPointer) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { words in
      constants.withUnsafeBufferPointer { constants in
        var whole = state
        for start in stride(from: 0, to: blocks.count, by: 64) {
          for i in 0..<16 {
            words[i] = UInt32(bigEndian: blocks.loadUnaligned(fromByteOffset: start &+ i &* 4, as: UInt32.self))
          }
          for i in 16..<64 {
            let (early, late) = (words[i &- 15], words[i &- 2])
            let first = rotated(early, 7) ^ rotated(early, 18) ^ early >> 3
            let second = rotated(late, 17) ^ rotated(late, 19) ^ late >> 10
            words[i] = words[i &- 16] &+ first &+ words[i &- 7] &+ second
          }
          whole = whole &+ rounds(whole, words, constants)
        }
        state = whole
      }
    }
  }

  @inline(__always) private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word >> count | word << (32 &- count)
  }

  /// The rounds of a block. Eight stand in a row, so that no word has to change its place.
  @inline(__always) private static func rounds(
    _ state: State, _ words: UnsafeMutableBufferPointer<UInt32>, _ constants: UnsafeBufferPointer<UInt32>
  ) -> State {
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    @inline(__always) func round(
      _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32, _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32,
      _ i: Int
    ) {
      let one = h &+ (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) &+ (g ^ e & (f ^ g)) &+ constants[i] &+ words[i]
      d = d &+ one
      h = one &+ (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) &+ (a & b | c & (a | b))
    }
    var i = 0
    while i < 64 {
      round(a, b, c, &d, e, f, g, &h, i)
      round(h, a, b, &c, d, e, f, &g, i &+ 1)
      round(g, h, a, &b, c, d, e, &f, i &+ 2)
      round(f, g, h, &a, b, c, d, &e, i &+ 3)
      round(e, f, g, &h, a, b, c, &d, i &+ 4)
      round(d, e, f, &g, h, a, b, &c, i &+ 5)
      round(c, d, e, &f, g, h, a, &b, i &+ 6)
      round(b, c, d, &e, f, g, h, &a, i &+ 7)
      i &+= 8
    }
    return State(a, b, c, d, e, f, g, h)
  }

  /// The first 32 bits of the fractions of the square roots of the first 8 primes, and of the cube roots of the first 64.
  fileprivate static let initial = State(
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19)
  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]
}

/// A text and its digest, of which another text that begins alike makes use.
struct HashedText: Sendable {
  let bytes: [UInt8]
  let sha256: String
  /// What came of the first `step` bytes, the first two times as many, and so on.
  private let trail: [SHA256.State]
  /// Whole blocks: so far a text has to be alike to be hashed no more.
  private static let step = 1 << 14

  init(_ bytes: [UInt8], beside other: HashedText? = nil) {
    self.bytes = bytes
    var trail = other.map { $0.trail.prefix($0.stepsInCommon(bytes)) } ?? []
    bytes.withUnsafeBytes { bytes in
      while (trail.count + 1) * HashedText.step <= bytes.count {
        var state = trail.last ?? SHA256.initial
        let start = trail.count * HashedText.step
        SHA256.mix(&state, UnsafeRawBufferPointer(rebasing: bytes[start..<start + HashedText.step]))
        trail.append(state)
      }
    }
    let count = trail.count * HashedText.step
    sha256 = SHA256.hex(bytes[count...], after: trail.last ?? SHA256.initial, of: count)
    self.trail = Array(trail)
  }

  /// Of how many steps the other text begins with the same.
  private func stepsInCommon(_ other: [UInt8]) -> Int {
    bytes.withUnsafeBytes { own in
      other.withUnsafeBytes { other in
        (0..<min(own.count, other.count) / HashedText.step).first { place in
          let start = place * HashedText.step
          return memcmp(own.baseAddress! + start, other.baseAddress! + start, HashedText.step) != 0
        } ?? min(own.count, other.count) / HashedText.step
      }
    }
  }
}
