import Glibc

/// Writes a valid policy of a given number of groups.
///
/// Each group has ten ingress and ten egress rules and ten instances. Of the rules three in ten name a group as peer, from
/// a pool that grows with the root of the groups and of which a few are named by hundreds; the rest name prefixes, prefix
/// lists and `any`. One group in seven shares its instances with one of twenty common groups of its own type. Half of the
/// instances have an IPv6 address too.
struct PolicyGenerator {
  private let groups: Int
  private var random: Random
  private let names: [String]
  /// How many groups are ever named as a peer.
  private let pool: Int
  private(set) var text = ""

  private static let commons = 20
  private static let prefixLists = 50
  private static let rulesPerDirection = 10
  private static let instancesPerGroup = 10
  private static let roles = ["web", "api", "worker", "cache", "queue", "database", "batch", "admin"]
  private static let priorities = [5, 10, 20, 50, 100]
  /// Services that both families have, so that every one meets every peer.
  private static let services = [
    "ssh", "http", "https", "mysql", "postgresql", "redis", "mongodb", "dns", "ntp", "ping", "smtp", "imaps", "rdp", "app",
    "metrics", "tcp", "udp", "all", "gre", "sctp/2905", "tcp/8000-8100", "udp/5000-5010",
  ]

  init(groups: Int, seed: UInt64) {
    precondition(groups > Self.commons, "there are \(Self.commons) common groups, and others must be left")
    self.groups = groups
    random = Random(seed: seed)
    pool = min(groups, Int(16 * sqrt(Double(groups))))
    names = (0..<groups).map { index in
      index < Self.commons ? "common-\(index)" : "\(Self.roles[index % Self.roles.count])-\(index)"
    }
  }

  /// The types alternate two to one, so that every common group has groups of its own type to share instances with.
  private func isAdvanced(_ group: Int) -> Bool { group % 3 == 2 }

  mutating func generate() {
    text = "version: 1\n\n"
    writePrefixLists()
    text += "\nservices:\n  app: [tcp/8080, tcp/8443]\n  metrics: tcp/9100-9110\n\ngroups:\n"
    for group in 0..<groups { writeGroup(group) }
    text += "\ninstances:\n"
    for group in 0..<groups { writeInstances(of: group) }
  }

  private mutating func writePrefixLists() {
    text += "prefix-lists:\n"
    for list in 0..<Self.prefixLists {
      let v4 = (0..<2 + random.below(6)).map { _ in prefix4() }
      let v6 = (0..<1 + random.below(3)).map { _ in prefix6() }
      text += "  list-\(list): [\((v4 + v6).joined(separator: ", "))]\n"
    }
  }

  private mutating func writeGroup(_ group: Int) {
    text += "  \(names[group]):\n"
    if isAdvanced(group) {
      text += "    type: advanced\n"
    } else if random.chance(20) {
      text += "    intra-group: isolate\n"
    }
    for direction in ["ingress", "egress"] {
      text += "    \(direction):\n"
      for _ in 0..<Self.rulesPerDirection { writeRule(of: group, direction) }
    }
  }

  private mutating func writeRule(of group: Int, _ direction: String) {
    let mostlyAllows = direction == "ingress" || isAdvanced(group)
    let action = random.chance(mostlyAllows ? 85 : 25) ? "allow" : "deny"
    let end = direction == "ingress" ? "from" : "to"
    text += "      - \(action): \(service())\n        \(end): \(peer(of: group))\n"
    if random.chance(40) { text += "        priority: \(random.pick(Self.priorities))\n" }
    if random.chance(5) { text += "        description: change \(10_000 + random.below(90_000)) # reviewed\n" }
  }

  private mutating func service() -> String {
    let first = random.chance(25) ? "tcp/\(1024 + random.below(60_000))" : random.pick(Self.services)
    if random.chance(90) { return first }
    return "[\(first), udp/\(1024 + random.below(60_000))]"
  }

  private mutating func peer(of group: Int) -> String {
    switch random.below(100) {
    case 0..<30:
      let named = random.skewed(below: pool)
      return names[named == group ? (named + 1) % pool : named]  // naming itself would be a warning
    case 30..<62: return prefix4()
    case 62..<70: return prefix6()
    case 70..<85: return "list-\(random.below(Self.prefixLists))"
    default: return "any"
    }
  }

  private mutating func writeInstances(of group: Int) {
    // one group in seven, the common ones aside, and a common group of the same type
    let isShared = group >= Self.commons && group % 7 == 0
    let shared = isShared ? random.pick((0..<Self.commons).filter { isAdvanced($0) == isAdvanced(group) }) : nil
    for member in 0..<Self.instancesPerGroup {
      let number = group * Self.instancesPerGroup + member + 1
      let v4 = "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"
      let addresses =
        member % 2 == 0 ? "[\(v4), fd00::\(String(number >> 16, radix: 16)):\(String(number & 0xffff, radix: 16))]" : v4
      let its = shared.map { "[\(names[group]), \(names[$0])]" } ?? names[group]
      text += "  \(names[group])-\(member): { addresses: \(addresses), groups: \(its) }\n"
    }
  }

  /// An IPv4 prefix without bits beyond its length.
  private mutating func prefix4() -> String {
    let length = random.pick([8, 12, 16, 20, 24, 24, 24, 28, 32, 32])
    let first = random.pick([10, 172, 192, 198, 203])
    let bits = UInt32(first) << 24 | UInt32(random.below(1 << 24))
    let masked = bits & (UInt32.max << (32 - length))
    let dotted = "\(masked >> 24).\(masked >> 16 & 255).\(masked >> 8 & 255).\(masked & 255)"
    return length == 32 ? dotted : "\(dotted)/\(length)"
  }

  /// An IPv6 prefix without bits beyond its length.
  private mutating func prefix6() -> String {
    let first = "2001:db8:\(String(1 + random.below(0xfffe), radix: 16))"
    let second = String(1 + random.below(0xfffe), radix: 16)
    return random.pick([
      "\(first)::/48", "\(first):\(second)::/64", "\(first):\(second)::\(String(1 + random.below(0xfffe), radix: 16))",
    ])
  }
}
