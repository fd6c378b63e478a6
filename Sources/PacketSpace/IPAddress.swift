/// The two families of the Internet Protocol.
public enum IPFamily: UInt8, Hashable, Sendable, CaseIterable, Comparable {
  case ipv4 = 4
  case ipv6 = 6

  public static func < (a: IPFamily, b: IPFamily) -> Bool { a.rawValue < b.rawValue }

  /// The number of bits of an address: 32 or 128.
  public var width: Int { self == .ipv4 ? 32 : 128 }
  /// The highest address as a number.
  public var maximum: UInt128 { self == .ipv4 ? UInt128(UInt32.max) : UInt128.max }
}

/// An IPv4 or IPv6 address as a family and a number.
public struct IPAddress: Hashable, Sendable, Comparable {
  public let family: IPFamily
  /// At most `family.maximum`.
  public let value: UInt128

  public init(_ family: IPFamily, _ value: UInt128) {
    precondition(value <= family.maximum, "an IPv4 address has 32 bits")
    self.family = family
    self.value = value
  }

  public init(v4 value: UInt32) { self.init(.ipv4, UInt128(value)) }
  public init(v6 value: UInt128) { self.init(.ipv6, value) }

  /// IPv4 before IPv6, then by number.
  public static func < (a: IPAddress, b: IPAddress) -> Bool { (a.family, a.value) < (b.family, b.value) }
}

// MARK: - Text

extension IPAddress {
  /// An address from its text: dotted decimal without leading zeros, or RFC 4291 (a trailing IPv4 part included; no zone).
  /// Nil where the text is anything else.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard let address = bytes.withUnsafeBufferPointer({ IPAddress(bytes: $0) }) else { return nil }
    self = address
  }

  /// The same from ASCII bytes, without a copy.
  public init?(bytes: UnsafeBufferPointer<UInt8>) {
    if bytes.contains(UInt8(ascii: ":")) {
      guard let value = IPAddress.parseV6(bytes) else { return nil }
      self.init(v6: value)
    } else {
      guard let value = IPAddress.parseV4(bytes[...]) else { return nil }
      self.init(v4: value)
    }
  }

  static func parseV4(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> UInt32? {
    var value: UInt32 = 0
    var octet: UInt32 = 0
    var digits = 0
    var dots = 0
    for byte in bytes {
      switch byte {
      case 0x30...0x39:
        if digits > 0 && octet == 0 { return nil }  // 010 is octal to some and decimal to others
        octet = octet * 10 + UInt32(byte - 0x30)
        digits += 1
        if octet > 255 { return nil }
      case UInt8(ascii: "."):
        if digits == 0 || dots == 3 { return nil }
        value = value << 8 | octet
        octet = 0
        digits = 0
        dots += 1
      default:
        return nil
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    return value << 8 | octet
  }

  static func parseV6(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt128? {
    var head: UInt128 = 0
    var tail: UInt128 = 0
    var headCount = 0
    var tailCount = 0
    var gap = false
    var at = 0
    let end = bytes.count
    if end >= 2, bytes[0] == 0x3A, bytes[1] == 0x3A {
      gap = true
      at = 2
    }
    var expectGroup = !gap
    while at < end {
      let start = at
      var group: UInt128 = 0
      while at < end, let digit = hexDigit(bytes[at]) {
        group = group << 4 | UInt128(digit)
        at += 1
        if at - start > 4 { break }
      }
      if at < end, bytes[at] == UInt8(ascii: ".") {
        guard let v4 = parseV4(bytes[start..<end]) else { return nil }
        if gap {
          tail = tail << 32 | UInt128(v4)
          tailCount += 2
        } else {
          head = head << 32 | UInt128(v4)
          headCount += 2
        }
        at = end
        expectGroup = false
        break
      }
      guard at > start, at - start <= 4 else { return nil }
      if gap {
        tail = tail << 16 | group
        tailCount += 1
      } else {
        head = head << 16 | group
        headCount += 1
      }
      if headCount + tailCount > 8 { return nil }
      expectGroup = false
      if at == end { break }
      guard bytes[at] == 0x3A else { return nil }
      at += 1
      if at < end, bytes[at] == 0x3A {
        if gap { return nil }
        gap = true
        at += 1
      } else {
        expectGroup = true
      }
    }
    if expectGroup { return nil }
    let total = headCount + tailCount
    if gap {
      guard total <= 7 else { return nil }
      let shifted = headCount == 0 ? 0 : head << UInt128(16 * (8 - headCount))
      return shifted | tail
    }
    return total == 8 ? head : nil
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  /// Appends the text of `description` as ASCII bytes; the fast path of large outputs.
  public func write(to output: inout [UInt8]) {
    switch family {
    case .ipv4:
      let v = UInt32(truncatingIfNeeded: value)
      var shift: UInt32 = 24
      while true {
        IPAddress.writeDecimal((v >> shift) & 255, to: &output)
        if shift == 0 { break }
        output.append(UInt8(ascii: "."))
        shift -= 8
      }
    case .ipv6:
      writeV6(to: &output)
    }
  }

  static func writeDecimal(_ n: UInt32, to output: inout [UInt8]) {
    if n >= 10 { writeDecimal(n / 10, to: &output) }
    output.append(UInt8(0x30 + n % 10))
  }

  private func writeV6(to output: inout [UInt8]) {
    // RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as ::
    var groups: [8 of UInt16] = .init(repeating: 0)
    for i in 0..<8 { groups[i] = UInt16(truncatingIfNeeded: value >> UInt128(16 * (7 - i))) }
    var bestStart = -1
    var bestLength = 1
    var i = 0
    while i < 8 {
      var j = i
      while j < 8, groups[j] == 0 { j += 1 }
      if j - i > bestLength {
        bestStart = i
        bestLength = j - i
      }
      i = max(j, i + 1)
    }
    let colon = UInt8(ascii: ":")
    var k = 0
    while k < 8 {
      if k == bestStart {
        output.append(colon)
        output.append(colon)
        k += bestLength
        continue
      }
      if k > 0, k != bestStart + bestLength || bestStart < 0 { output.append(colon) }
      IPAddress.writeHex(groups[k], to: &output)
      k += 1
    }
  }

  private static func writeHex(_ n: UInt16, to output: inout [UInt8]) {
    if n >= 16 { writeHex(n >> 4, to: &output) }
    let digit = UInt8(n & 15)
    output.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted decimal, or RFC 5952.
  public var description: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
