import PacketSpace

/// Text under construction, as bytes.
struct ByteBuffer {
  private(set) var bytes: [UInt8] = []
  /// Where the current line begins.
  private var lineStart = 0

  var count: Int { bytes.count }
  /// Bytes on the current line so far.
  var column: Int { bytes.count - lineStart }

  mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

  /// A constant of ours without line breaks.
  mutating func write(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func write(byte: UInt8) { bytes.append(byte) }
  mutating func write(bytes more: [UInt8]) { bytes.append(contentsOf: more) }

  mutating func write(_ number: some UnsignedInteger) {
    if number >= 10 { write(number / 10) }
    bytes.append(0x30 + UInt8(truncatingIfNeeded: number % 10))
  }

  mutating func write(_ range: AddressRange) { range.write(to: &bytes) }

  mutating func newline() {
    bytes.append(UInt8(ascii: "\n"))
    lineStart = bytes.count
  }

  /// A name of a table, chain, set, map or limit, as it is; one that nft wouldn't read as a name is a bug of the caller's.
  mutating func write(name: String) {
    var name = name
    name.withUTF8 {
      precondition(!$0.isEmpty && $0.allSatisfy(SafeText.isName), "a name has nft's letters only")
      bytes.append(contentsOf: $0)
    }
  }

  /// Text from outside; what `isSafe` refuses becomes `?`, once a character.
  mutating func write(_ text: String, where isSafe: (UInt8) -> Bool) {
    var text = text
    text.withUTF8 {
      if $0.allSatisfy(isSafe) {
        bytes.append(contentsOf: $0)
        return
      }
      for byte in $0 {
        if isSafe(byte) {
          bytes.append(byte)
        } else if byte & 0xC0 != 0x80 {
          bytes.append(UInt8(ascii: "?"))
        }
      }
    }
  }

  /// Takes back what was written from `count` on; it has no line breaks.
  mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }

  /// Ends the line in front of what was written from `index` on, instead of with the space that stands there.
  mutating func breakLine(at index: Int, indent: Int) {
    bytes.replaceSubrange(index - 1..<index, with: [UInt8(ascii: "\n")] + [UInt8](repeating: UInt8(ascii: " "), count: indent))
    lineStart = index
  }

  /// Puts a line in front of the one that begins at `index`.
  mutating func insertLine(at index: Int, _ body: (inout ByteBuffer) -> Void) {
    var line = ByteBuffer()
    body(&line)
    line.newline()
    bytes.insert(contentsOf: line.bytes, at: index)
    lineStart += line.count
  }
}
