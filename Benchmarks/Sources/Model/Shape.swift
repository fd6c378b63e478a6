/// What a benchmark's policy is like. The same shape gives the same policy.
public struct Shape: Sendable {
  /// How many groups there are, of ten instances each.
  public var groups: Int
  /// How many rules a group has in each direction.
  public var ingressRules = 10
  public var egressRules = 10
  /// Each instance is in five groups. Otherwise one group in seven shares its instances with a common group.
  public var hasFiveGroupsEach = false
  /// How many prefixes a prefix list has, where it is not a handful.
  public var listLength: Int?
  /// How many groups a rule names that names groups.
  public var groupsInPeer = 1
  /// All services are ranges of ports.
  public var hasRangesOnly = false
  /// All addresses are IPv6.
  public var isIPv6Only = false
  /// No rule speaks of all services, of all of TCP or UDP, or of every peer: each is worth its place in a long list.
  public var isSpecific = false

  public init(groups: Int) { self.groups = groups }

  /// The shapes that have names. `long` is 1,000 ingress rules for each of ten groups.
  public static let named: [(name: String, shape: Shape)] = {
    func shape(_ groups: Int, _ change: (inout Shape) -> Void = { _ in }) -> Shape {
      var shape = Shape(groups: groups)
      change(&shape)
      return shape
    }
    return [
      ("large", shape(1_000)), ("huge", shape(10_000)),
      ("long", shape(10) { ($0.ingressRules, $0.isSpecific) = (1_000, true) }),
      ("five", shape(200) { $0.hasFiveGroupsEach = true }),
      ("lists", shape(200) { $0.listLength = 1_000 }),
      ("fifty", shape(200) { $0.groupsInPeer = 50 }),
      ("ranges", shape(200) { $0.hasRangesOnly = true }),
      ("ipv6", shape(200) { $0.isIPv6Only = true }),
    ]
  }()

  /// The shape of that name, or with that number of groups.
  public init?(_ text: String) {
    if let known = Self.named.first(where: { $0.name == text }) {
      self = known.shape
    } else if let groups = Int(text), 1...100_000 ~= groups {
      self.init(groups: groups)
    } else {
      return nil
    }
  }

  /// What stands between a program's name and the rest of its usage.
  public static var usage: String { (named.map(\.name) + ["GROUPS"]).joined(separator: "|") }
}
