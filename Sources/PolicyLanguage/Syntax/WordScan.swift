/// Finds what may end a plain scalar, eight bytes at once.
enum WordScan {
  /// How many of the bytes from `position` on, a multiple of eight or up to a byte that may, don't end a plain scalar of block
  /// style: a line break, another control character, `:` or `#` may.
  @inline(__always)
  static func countInBlock(_ text: UnsafeBufferPointer<UInt8>, from position: Int) -> Int {
    count(text, from: position) { controls($0) | equal($0, UInt8(ascii: ":")) | equal($0, UInt8(ascii: "#")) }
  }

  /// The same of flow style, where commas and brackets end a scalar too.
  @inline(__always)
  static func countInFlow(_ text: UnsafeBufferPointer<UInt8>, from position: Int) -> Int {
    count(text, from: position) { word in
      // with this bit `[` and `{`, and `]` and `}`, are the same
      let folded = word | every(0x20)
      return controls(word) | equal(word, UInt8(ascii: ":")) | equal(word, UInt8(ascii: "#")) | equal(word, UInt8(ascii: ","))
        | equal(folded, UInt8(ascii: "{")) | equal(folded, UInt8(ascii: "}"))
    }
  }

  @inline(__always)
  private static func count(
    _ text: UnsafeBufferPointer<UInt8>, from position: Int, _ marks: (UInt64) -> UInt64
  ) -> Int {
    var count = 0
    while position + count + 8 <= text.count {
      let bytes = UnsafeRawBufferPointer(text).loadUnaligned(fromByteOffset: position + count, as: UInt64.self)
      let ends = marks(UInt64(littleEndian: bytes))
      if ends != 0 { return count + ends.trailingZeroBitCount / 8 }
      count += 8
    }
    return count
  }

  // Of these the lowest mark is right; a difference that borrows from the next byte makes wrong ones above it only.

  /// Marks the bytes under 0x20.
  @inline(__always)
  private static func controls(_ word: UInt64) -> UInt64 { (word &- every(0x20)) & ~word & every(0x80) }

  /// Marks the bytes that are that one.
  @inline(__always)
  private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
    let difference = word ^ every(byte)
    return (difference &- every(1)) & ~difference & every(0x80)
  }

  @inline(__always)
  private static func every(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }
}
