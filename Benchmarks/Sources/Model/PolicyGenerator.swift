import Glibc

/// Makes a valid policy of a given shape.
///
/// Each group has ten instances. Of the rules three in ten name groups as peers, from a pool that grows with the root of the
/// groups and of which a few are named by hundreds; the rest name prefixes, prefix lists and `any`. Half of the instances
/// have an IPv6 address too.
public struct PolicyGenerator {
  private let shape: Shape
  private var random: Random
  /// How many groups are ever named as a peer.
  private let pool: Int
  /// How many groups share the instances of others.
  private let commons: Int
  private var policy = Policy()

  private static let prefixLists = 50
  private static let instancesPerGroup = 10
  private static let roles = ["web", "api", "worker", "cache", "queue", "database", "batch", "admin"]
  private static let priorities = [5, 10, 20, 50, 100]
  /// Services that both families have, so that every one meets every peer.
  private static let services = [
    "ssh", "http", "https", "mysql", "postgresql", "redis", "mongodb", "dns", "ntp", "ping", "smtp", "imaps", "rdp", "app",
    "metrics", "tcp", "udp", "all", "gre", "sctp/2905", "tcp/8000-8100", "udp/5000-5010",
  ]
  private static let catchAlls: Set = ["tcp", "udp", "all"]

  public static func policy(_ shape: Shape, seed: UInt64) -> Policy {
    var generator = PolicyGenerator(shape, seed: seed)
    generator.generate()
    return generator.policy
  }

  private init(_ shape: Shape, seed: UInt64) {
    self.shape = shape
    random = Random(seed: seed)
    pool = min(shape.groups, Int(16 * sqrt(Double(shape.groups))))
    commons = min(20, shape.groups / 2)
  }

  private mutating func generate() {
    for _ in 0..<Self.prefixLists {
      let v4 = (0..<(shape.listLength.map { $0 * 3 / 4 } ?? 2 + random.below(6))).map { _ in prefix4() }
      let v6 = (0..<(shape.listLength.map { $0 / 4 } ?? 1 + random.below(3))).map { _ in prefix6() }
      policy.prefixLists.append(shape.isIPv6Only ? v6 : v4 + v6)
    }
    for index in 0..<shape.groups { policy.groups.append(group(index)) }
    for index in 0..<shape.groups { addInstances(of: index) }
  }

  /// The types alternate two to one, so that every common group has groups of its own type to share instances with.
  private func isAdvanced(_ group: Int) -> Bool { group % 3 == 2 }

  private mutating func group(_ index: Int) -> Policy.Group {
    let isAdvanced = isAdvanced(index)
    var group = Policy.Group(
      name: index < commons ? "common-\(index)" : "\(Self.roles[index % Self.roles.count])-\(index)",
      isAdvanced: isAdvanced, isIsolated: !isAdvanced && random.chance(20))
    group.ingress = (0..<shape.ingressRules).map { _ in rule(of: index, mostlyAllows: true) }
    group.egress = (0..<shape.egressRules).map { _ in rule(of: index, mostlyAllows: isAdvanced) }
    return group
  }

  private mutating func rule(of group: Int, mostlyAllows: Bool) -> Policy.Rule {
    var rule = Policy.Rule(allows: random.chance(mostlyAllows ? 85 : 25), services: services(), peers: peers(of: group))
    if random.chance(40) { rule.priority = random.pick(Self.priorities) }
    if random.chance(5) { rule.description = "change \(10_000 + random.below(90_000)) # reviewed" }
    return rule
  }

  private mutating func services() -> [Service] {
    if shape.hasRangesOnly {
      let first = 1024 + random.below(60_000)
      return [Service("\(random.chance(50) ? "tcp" : "udp")/\(first)-\(first + 1 + random.below(1_000))")]
    }
    var first = random.chance(25) ? "tcp/\(1024 + random.below(60_000))" : random.pick(Self.services)
    if shape.isSpecific && Self.catchAlls.contains(first) { first = "udp/\(1024 + random.below(60_000))" }
    if random.chance(90) { return [Service(first)] }
    return [Service(first), Service("udp/\(1024 + random.below(60_000))")]
  }

  private mutating func peers(of group: Int) -> [Policy.Peer] {
    switch random.below(100) {
    case 0..<30 where shape.groups > 1: return groups(besides: group)
    case 0..<62: return [.prefix(shape.isIPv6Only ? prefix6() : prefix4())]
    case 62..<70: return [.prefix(prefix6())]
    case 70..<85: return [.list(random.below(Self.prefixLists))]
    default: return [shape.isSpecific ? .list(random.below(Self.prefixLists)) : .any]
    }
  }

  /// Different groups out of the pool; a group doesn't name itself, which would be a warning.
  private mutating func groups(besides group: Int) -> [Policy.Peer] {
    var named: [Int] = []
    while named.count < min(shape.groupsInPeer, pool - 1) {
      let next = random.skewed(below: pool)
      let other = next == group ? (next + 1) % pool : next
      if !named.contains(other) { named.append(other) }
    }
    return named.map { .group($0) }
  }

  private mutating func addInstances(of group: Int) {
    let shared = groupsShared(by: group)
    for member in 0..<Self.instancesPerGroup {
      let number = group * Self.instancesPerGroup + member + 1
      let v4 = (
        text: "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)",
        address: Address(isIPv6: false, bits: UInt128(10 << 24 | number))
      )
      let v6 = (
        text: "fd00::\(String(number >> 16, radix: 16)):\(String(number & 0xffff, radix: 16))",
        address: Address(isIPv6: true, bits: 0xfd00 << 112 | UInt128(number))
      )
      policy.instances.append(
        .init(
          name: "\(policy.groups[group].name)-\(member)",
          addresses: shape.isIPv6Only ? [v6] : member % 2 == 0 ? [v4, v6] : [v4], groups: [group] + shared))
    }
  }

  /// One group in seven, the common ones aside, shares its instances with a common group of the same type.
  private mutating func groupsShared(by group: Int) -> [Int] {
    let commons = (0..<commons).filter { isAdvanced($0) == isAdvanced(group) }
    if shape.hasFiveGroupsEach {
      var shared: [Int] = []
      while shared.count < 4 {
        let next = random.pick(commons)
        if next != group && !shared.contains(next) { shared.append(next) }
      }
      return shared
    }
    let isShared = group >= self.commons && group % 7 == 0 && !commons.isEmpty
    return isShared ? [random.pick(commons)] : []
  }

  /// An IPv4 prefix without bits beyond its length.
  private mutating func prefix4() -> Prefix {
    let length = random.pick([8, 12, 16, 20, 24, 24, 24, 28, 32, 32])
    let first = random.pick([10, 172, 192, 198, 203])
    let size = 1 << (32 - length)
    let bits = (first << 24 | random.below(1 << 24)) & ~(size - 1)
    let address = Address(isIPv6: false, bits: UInt128(bits))
    return Prefix(
      text: length == 32 ? "\(address)" : "\(address)/\(length)", isIPv6: false,
      range: UInt128(bits)...UInt128(bits + size - 1))
  }

  /// An IPv6 prefix without bits beyond its length.
  private mutating func prefix6() -> Prefix {
    let parts = (0..<3).map { _ in 1 + random.below(0xfffe) }
    let words = parts.map { String($0, radix: 16) }
    let (text, length) = random.pick([
      ("2001:db8:\(words[0])::/48", 48), ("2001:db8:\(words[0]):\(words[1])::/64", 64),
      ("2001:db8:\(words[0]):\(words[1])::\(words[2])", 128),
    ])
    var bits: UInt128 = 0x2001_0db8 << 96 | UInt128(parts[0]) << 80
    if length > 48 { bits |= UInt128(parts[1]) << 64 }
    if length > 64 { bits |= UInt128(parts[2]) }
    return Prefix(text: text, isIPv6: true, range: bits...bits + ((1 << UInt128(128 - length)) - 1))
  }
}
