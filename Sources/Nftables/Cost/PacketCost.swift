/// What a packet pays on some way through chains. Numbers are whole for one way, and fractions for the mean of several.
public struct PacketCost: Hashable, Sendable {
  /// Rules that it comes to.
  public var rules = 0.0
  /// nft's expressions, as `nft --debug=netlink` lists them, lookups among them.
  public var expressions = 0.0
  /// Lookups in hashes, among intervals of one field, and among concatenated intervals.
  public var hashLookups = 0.0
  public var treeLookups = 0.0
  public var concatenatedLookups = 0.0
  /// As `CostModel` estimates.
  public var nanoseconds = 0.0

  public init() {}

  static func + (a: PacketCost, b: PacketCost) -> PacketCost {
    var sum = a
    sum.rules += b.rules
    sum.expressions += b.expressions
    sum.hashLookups += b.hashLookups
    sum.treeLookups += b.treeLookups
    sum.concatenatedLookups += b.concatenatedLookups
    sum.nanoseconds += b.nanoseconds
    return sum
  }

  static func * (factor: Double, cost: PacketCost) -> PacketCost {
    var product = cost
    product.rules *= factor
    product.expressions *= factor
    product.hashLookups *= factor
    product.treeLookups *= factor
    product.concatenatedLookups *= factor
    product.nanoseconds *= factor
    return product
  }

  static func dearer(_ a: PacketCost?, _ b: PacketCost?) -> PacketCost? {
    guard let a else { return b }
    guard let b else { return a }
    return a.nanoseconds >= b.nanoseconds ? a : b
  }
}
