import PacketSpace

/// Families that packets can be of.
struct FamilySet: OptionSet, Hashable {
  let rawValue: UInt8

  static let ipv4 = FamilySet(rawValue: 1)
  static let ipv6 = FamilySet(rawValue: 2)
  static let both: FamilySet = [.ipv4, .ipv6]

  init(rawValue: UInt8) { self.rawValue = rawValue }
  init(_ family: IPFamily) { self = family == .ipv4 ? .ipv4 : .ipv6 }
  /// Nil is both, as `ServiceTerm.family` has it.
  init(_ family: IPFamily?) { self = family.map { FamilySet($0) } ?? .both }
  init(_ addresses: AddressSet) {
    self = []
    if !addresses.v4.isEmpty { insert(.ipv4) }
    if !addresses.v6.isEmpty { insert(.ipv6) }
  }
  init(_ terms: [ServiceTerm]) {
    self = terms.reduce(into: []) { $0.formUnion(FamilySet($1.family)) }
  }

  /// As messages say it: `IPv4 only`.
  var words: String {
    switch self {
    case .ipv4: "IPv4 only"
    case .ipv6: "IPv6 only"
    default: isEmpty ? "of no family" : "of both families"
    }
  }
}
