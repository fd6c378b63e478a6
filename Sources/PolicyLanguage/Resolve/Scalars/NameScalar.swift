/// The rules for names of groups, prefix lists, instances, services and networks.
enum NameScalar {
  static let maximumLength = 64

  /// Why the text can't be a name, or nil if it can.
  /// - Parameter mayHaveAccount: A group's name may have an account and a slash in front.
  static func problem(_ bytes: ScalarBytes, mayHaveAccount: Bool) -> ScalarProblem? {
    if bytes.isEmpty { return ScalarProblem(.invalidName, "a name is not empty") }
    if bytes.equals("any") || bytes.equals("all") {
      return ScalarProblem(
        .invalidName, "\(quoted(bytes)) has a meaning of its own and can't be a name", help: "choose another name")
    }
    if let what = meaning(bytes) {
      return ScalarProblem(
        .invalidName, "\(quoted(bytes)) reads as \(what), not as a name",
        help: "choose a name with a letter in it, such as `net-\(safe(bytes))`")
    }
    if let slash = bytes.firstIndex(of: UInt8(ascii: "/")) {
      guard mayHaveAccount else {
        return ScalarProblem(
          .invalidName, "\(quoted(bytes)) has a `/` in it, which only a group's name may have, behind its account",
          help: "write `-` instead")
      }
      return formProblem(bytes.part(0..<slash), of: "the account in")
        ?? formProblem(bytes.part(slash + 1..<bytes.count), of: "the name behind the account in")
    }
    return formProblem(bytes, of: nil)
  }

  private static func formProblem(_ bytes: ScalarBytes, of part: String?) -> ScalarProblem? {
    let subject = part.map { "\($0) a group's name" } ?? "a name"
    guard let first = bytes.first else {
      return ScalarProblem(.invalidName, "\(subject) is empty", help: "write `account/name`")
    }
    if !bytes.allSatisfy(isAllowed), let odd = bytes.string.unicodeScalars.first(where: { !isAllowed($0) }) {
      return ScalarProblem(
        .invalidName, "\(subject) can't have \(quoted(String(odd))) in it",
        help: "use letters, digits, `_`, `.` and `-`")
    }
    if !first.isDigit && !first.isLetter {
      return ScalarProblem(
        .invalidName, "\(subject) begins with a letter or a digit", help: "write \(quoted("x" + bytes.string))")
    }
    if bytes.count > maximumLength {
      return ScalarProblem(
        .invalidName, "\(subject) has at most \(maximumLength) characters; this one has \(bytes.count)",
        help: "write a shorter one, and the rest as `description`")
    }
    return nil
  }

  private static func isAllowed(_ character: Unicode.Scalar) -> Bool {
    character.isASCII && isAllowed(UInt8(character.value))
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    byte.isLetter || byte.isDigit || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
  }

  /// What else the text reads as: an address, a prefix, a range or a number.
  private static func meaning(_ bytes: ScalarBytes) -> String? {
    guard bytes[0].isDigit || bytes.contains(UInt8(ascii: ":")) else { return nil }
    switch AddressScalar.read(bytes) {
    case .addresses(_, .single, _): return "an address"
    case .addresses(_, .prefix, _): return "a prefix"
    case .addresses(_, .range, _): return "a range of addresses"
    case .problem where hasFormOfAddress(bytes): return "an address"
    case .problem, .other: break
    }
    let slash = UInt8(ascii: "/")
    if bytes.contains(slash), bytes.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") || $0 == slash }) { return "a prefix" }
    guard bytes.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }) else { return nil }
    switch bytes.split(maxSplits: 2, omittingEmptySubsequences: false, whereSeparator: { !$0.isDigit }).count {
    case 1: return "a number"
    case 2: return bytes.contains(UInt8(ascii: ".")) ? "a number" : "a range"
    default: return nil
    }
  }

  /// Whether somebody who mistyped an address could have written this: it has three dots, or colons and hexadecimal digits.
  private static func hasFormOfAddress(_ bytes: ScalarBytes) -> Bool {
    let marks = Array(":./-".utf8)
    return bytes.allSatisfy { $0.isHexDigit || marks.contains($0) }
      && (bytes.contains(UInt8(ascii: ":")) || bytes.count(where: { $0 == UInt8(ascii: ".") }) >= 3)
  }

  /// The text with what a name can't have replaced.
  private static func safe(_ bytes: ScalarBytes) -> String {
    String(String.UnicodeScalarView(bytes.string.unicodeScalars.prefix(40).map { isAllowed($0) ? $0 : "-" }))
  }
}
