/// Netlink's attributes as a message or another attribute holds them: length, type and value, one behind the other, each beginning
/// at a multiple of 4 bytes. Source: linux/netlink.h, `struct nlattr`.
struct NetlinkAttributes: Sequence {
  private let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  /// In the order of the message. What is cut off or says a wrong length ends it: whoever reads finds less than was meant, and
  /// never another thing.
  func makeIterator() -> Iterator { Iterator(rest: bytes) }

  struct Iterator: IteratorProtocol {
    fileprivate var rest: ArraySlice<UInt8>

    mutating func next() -> (type: UInt16, value: ArraySlice<UInt8>)? {
      let header = rest.withUnsafeBytes { rest -> (length: Int, type: UInt16)? in
        if rest.count < 4 { return nil }
        let length = Int(rest.loadUnaligned(fromByteOffset: 0, as: UInt16.self))
        // above the type stand a flag for nested attributes and one for the order of bytes
        return (length, rest.loadUnaligned(fromByteOffset: 2, as: UInt16.self) & 0x3FFF)
      }
      guard let (length, type) = header, length >= 4, length <= rest.count else { return nil }
      let value = rest[rest.startIndex + 4..<rest.startIndex + length]
      rest = rest.dropFirst((length + 3) & ~3)
      return (type, value)
    }
  }

  subscript(type: UInt16) -> ArraySlice<UInt8>? { first { $0.type == type }?.value }

  /// The attributes that an attribute holds; none where there is no such one.
  func nested(_ type: UInt16) -> NetlinkAttributes { NetlinkAttributes(self[type] ?? []) }

  /// The name in an attribute, without the NUL at its end.
  func text(_ type: UInt16) -> String? { self[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

  /// The number in an attribute, of at most 8 bytes, the highest first, as nftables writes all of its numbers.
  func number(_ type: UInt16) -> UInt64? { self[type].map { $0.suffix(8).reduce(0) { $0 << 8 | UInt64($1) } } }
}

/// Attributes as a message is to hold them.
struct NetlinkAttributeWriter {
  private(set) var bytes: [UInt8] = []

  /// - Precondition: with its header of 4 bytes it is under 64 KiB, as all attributes are.
  mutating func append(_ type: UInt16, _ value: some Collection<UInt8>) {
    withUnsafeBytes(of: UInt16(4 + value.count)) { bytes += $0 }
    withUnsafeBytes(of: type) { bytes += $0 }
    bytes += value
    while bytes.count % 4 != 0 { bytes.append(0) }
  }

  /// A name, with the NUL at its end.
  mutating func append(_ type: UInt16, _ text: String) { append(type, Array(text.utf8) + [0]) }

  mutating func nest(_ type: UInt16, _ body: (inout NetlinkAttributeWriter) -> Void) {
    var inner = NetlinkAttributeWriter()
    body(&inner)
    append(type | 0x8000, inner.bytes)  // NLA_F_NESTED
  }
}
