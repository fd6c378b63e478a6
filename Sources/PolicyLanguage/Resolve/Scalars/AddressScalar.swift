import PacketSpace

/// An address, a prefix or an inclusive range: `10.0.0.5`, `10.0.0.0/8`, `10.0.0.5-10.0.0.9`, and IPv6 alike.
enum AddressScalar {
  /// How the addresses were written.
  enum Form: Hashable { case single, prefix, range }

  /// What stands where addresses could.
  enum Reading: Hashable {
    /// `hasHostBits`: there were bits beyond the prefix's length, which are masked in the range.
    case addresses(AddressRange, form: Form, hasHostBits: Bool)
    /// It has the look of addresses, and isn't.
    case problem(ScalarProblem)
    /// It may be a name.
    case other
  }

  static func read(_ bytes: ScalarBytes) -> Reading {
    guard let first = bytes.first else { return .other }
    let hasColon = bytes.contains(UInt8(ascii: ":"))
    guard hasColon || first.isDigit else { return .other }
    if let slash = bytes.firstIndex(of: UInt8(ascii: "/")) {
      return readPrefix(bytes, slash: slash)
    }
    if let address = IPAddress(bytes: bytes) { return .addresses(AddressRange(address), form: .single, hasHostBits: false) }
    if let hyphen = bytes.firstIndex(of: UInt8(ascii: "-")) {
      return readRange(bytes, hyphen: hyphen)
    }
    return looksLikeAddress(bytes) ? .problem(invalidAddress(bytes)) : .other
  }

  private static func readPrefix(_ bytes: ScalarBytes, slash: Int) -> Reading {
    let (front, length) = (bytes.part(0..<slash), bytes.part(slash + 1..<bytes.count))
    guard let address = IPAddress(bytes: front) else {
      return looksLikeAddress(front) ? .problem(invalidAddress(front)) : .other
    }
    switch NumberScalar.read(length, limit: address.family.width) {
    case .value(let length):
      let hasHostBits = address.value & AddressRange.hostMask(address.family, length) != 0
      return .addresses(AddressRange(prefix: address, length: length), form: .prefix, hasHostBits: hasHostBits)
    case .tooLarge:
      return .problem(
        ScalarProblem(
          .invalidAddress,
          "an \(address.family.name) address has \(address.family.width) bits, so it can't have a prefix of \(quoted(length))",
          help: "write a length of 0 to \(address.family.width)"))
    case .notANumber:
      if length.isEmpty {
        return .problem(
          ScalarProblem(
            .invalidAddress, "the length of the prefix is missing",
            help: "write `\(address)/\(address.family == .ipv4 ? 24 : 64)`, or the address alone"))
      }
      return .problem(
        ScalarProblem(
          .invalidAddress, "\(quoted(length)) is not the length of a prefix",
          help: maskLength(length).map { "write `\(address)/\($0)`" }
            ?? "write a number of 0 to \(address.family.width), as in `\(address)/\(address.family == .ipv4 ? 24 : 64)`"))
    }
  }

  private static func readRange(_ bytes: ScalarBytes, hyphen: Int) -> Reading {
    let (front, back) = (bytes.part(0..<hyphen), bytes.part(hyphen + 1..<bytes.count))
    guard let lower = IPAddress(bytes: front) else {
      return looksLikeAddress(front) ? .problem(invalidAddress(front)) : .other
    }
    guard let upper = IPAddress(bytes: back) else {
      var problem = invalidAddress(back)
      if lower.family == .ipv4, let last = NumberScalar.value(back, limit: 255) {
        problem.help = "write both ends in full, `\(lower)-\(IPAddress(.ipv4, lower.value & ~255 | UInt128(last)))`"
      }
      return .problem(problem)
    }
    if lower.family != upper.family {
      return .problem(
        ScalarProblem(
          .invalidAddress, "the range begins with an \(lower.family.name) and ends with an \(upper.family.name) address",
          help: "write two entries, one for each family"))
    }
    if lower.value > upper.value {
      return .problem(
        ScalarProblem(.invalidAddress, "the range \(quoted(bytes)) ends before it begins", help: "write `\(upper)-\(lower)`"))
    }
    return .addresses(AddressRange(lower.family, lower.value, upper.value), form: .range, hasHostBits: false)
  }

  /// The length that a netmask such as 255.255.255.0 stands for.
  private static func maskLength(_ bytes: ScalarBytes) -> Int? {
    guard let mask = IPAddress(bytes: bytes), mask.family == .ipv4 else { return nil }
    let bits = UInt32(mask.value)
    return ~bits & (~bits &+ 1) == 0 ? bits.nonzeroBitCount : nil
  }

  /// Whether nobody would take the text for a name: it has a colon, or consists of digits and dots.
  static func looksLikeAddress(_ bytes: ScalarBytes) -> Bool {
    if bytes.contains(UInt8(ascii: ":")) { return true }
    return bytes.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") } && bytes.contains(UInt8(ascii: "."))
  }

  private static func invalidAddress(_ bytes: ScalarBytes) -> ScalarProblem {
    ScalarProblem(.invalidAddress, "\(quoted(bytes)) is not an address", help: reason(bytes))
  }

  /// What is wrong with something that looks like an address, where that can be said.
  private static func reason(_ bytes: ScalarBytes) -> String? {
    if bytes.contains(where: { $0 == 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: ",") }) {
      return "write a list, `[10.0.0.1, 10.0.0.2]`, with a comma and a blank between two addresses"
    }
    if bytes.contains(UInt8(ascii: "%")) { return "write the address without its zone" }
    if bytes.contains(UInt8(ascii: ":")) {
      if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), IPAddress(bytes: bytes.part(0..<colon))?.family == .ipv4 {
        return "write the address alone: ports belong to the service, as in `tcp/443`"
      }
      return "an IPv6 address is eight groups of up to four hexadecimal digits; `::` may stand for zeros once"
    }
    let octets = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard octets.count == 4 else { return "an IPv4 address is four numbers of 0 to 255" }
    for octet in octets {
      let octet = ScalarBytes(rebasing: octet)
      if octet.count > 1, octet[0] == 0x30, octet.isDigits {
        return "write \(quoted(octet)) without leading zeros: some programs read it as octal"
      }
      if NumberScalar.read(octet, limit: 255) == .tooLarge { return "\(quoted(octet)) is more than 255" }
    }
    return "an IPv4 address is four numbers of 0 to 255"
  }
}

extension IPFamily {
  /// `IPv4` or `IPv6`.
  var name: String { self == .ipv4 ? "IPv4" : "IPv6" }
}
