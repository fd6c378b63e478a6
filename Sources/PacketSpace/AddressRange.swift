/// An inclusive range of addresses of one family; a single address and a prefix are ranges too.
public struct AddressRange: Hashable, Sendable {
  public let family: IPFamily
  /// `lower <= upper <= family.maximum`.
  public let lower: UInt128
  public let upper: UInt128

  public init(_ family: IPFamily, _ lower: UInt128, _ upper: UInt128) {
    precondition(lower <= upper && upper <= family.maximum, "an address range must not be empty or leave its family")
    self.family = family
    self.lower = lower
    self.upper = upper
  }

  public init(_ address: IPAddress) { self.init(address.family, address.value, address.value) }

  /// The prefix of `length` bits that holds `address`; bits beyond it are masked. `length` is 0 to the family's width.
  public init(prefix address: IPAddress, length: Int) {
    let mask = AddressRange.hostMask(address.family, length)
    self.init(address.family, address.value & ~mask, address.value | mask)
  }

  /// All addresses of a family: `0.0.0.0/0` or `::/0`.
  public static func all(_ family: IPFamily) -> AddressRange { AddressRange(family, 0, family.maximum) }

  /// The bits that a prefix of `length` leaves open.
  public static func hostMask(_ family: IPFamily, _ length: Int) -> UInt128 {
    precondition((0...family.width).contains(length))
    let open = family.width - length
    return open == 128 ? UInt128.max : (UInt128(1) << UInt128(open)) - 1
  }

  public var lowerAddress: IPAddress { IPAddress(family, lower) }
  public var upperAddress: IPAddress { IPAddress(family, upper) }
  public var isSingle: Bool { lower == upper }

  public func contains(_ address: IPAddress) -> Bool {
    address.family == family && lower <= address.value && address.value <= upper
  }

  public func overlaps(_ other: AddressRange) -> Bool {
    family == other.family && lower <= other.upper && other.lower <= upper
  }

  /// The length of the prefix that this range is, or nil where it is none.
  public var prefixLength: Int? {
    let span = upper - lower
    guard span & (span &+ 1) == 0, lower & span == 0 else { return nil }
    return family.width - (UInt128.bitWidth - span.leadingZeroBitCount)
  }

  /// Appends `description` as ASCII bytes.
  public func write(to output: inout [UInt8]) {
    lowerAddress.write(to: &output)
    if isSingle { return }
    if let length = prefixLength {
      output.append(UInt8(ascii: "/"))
      IPAddress.writeDecimal(UInt32(length), to: &output)
    } else {
      output.append(UInt8(ascii: "-"))
      upperAddress.write(to: &output)
    }
  }
}

extension AddressRange: CustomStringConvertible {
  /// An address, a prefix or `lower-upper`: as nft and the policy language write it.
  public var description: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
