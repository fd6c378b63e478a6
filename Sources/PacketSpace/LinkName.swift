/// The name of a network link as a number: what `iifname` compares, and an axis of diagrams.
public enum LinkName {
  /// The 16 bytes that the kernel keeps a name in, the first one highest, zero-filled; 0 for no name. The kernel takes 15 bytes;
  /// what is beyond them is cut off.
  public static func number(_ name: String) -> UInt128 {
    var value: UInt128 = 0
    for (index, byte) in name.utf8.prefix(15).enumerated() { value |= UInt128(byte) << UInt128(8 * (15 - index)) }
    return value
  }

  /// The name that `number` is of.
  public static func text(_ number: UInt128) -> String {
    let bytes = (0..<16).map { UInt8(truncatingIfNeeded: number >> UInt128(8 * (15 - $0))) }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
