/// The sets of groups that instances have, and the rules that hold for each, in the order in which they decide.
struct Profiles {
  struct Profile {
    var groups: [Int]
    var name: String
    var isAdvanced: Bool
    /// Basic groups that let their members reach each other.
    var admitting: [Int]
    var ingress: [Policy.Rule]
    var egress: [Policy.Rule]
  }

  private(set) var all: [Profile] = []
  /// The profile of each address.
  private(set) var byAddress: [Address: Int] = [:]
  /// The addresses of each group.
  private(set) var members: [[Address]]

  init(_ policy: Policy) {
    members = policy.groups.map { _ in [] }
    var known: [[Int]: Int] = [:]
    for instance in policy.instances {
      let groups = instance.groups.sorted()
      let profile = known[groups] ?? all.count
      if profile == all.count {
        known[groups] = profile
        all.append(Self.profile(groups, of: policy))
      }
      for (_, address) in instance.addresses {
        byAddress[address] = profile
        for group in groups { members[group].append(address) }
      }
    }
  }

  private static func profile(_ numbers: [Int], of policy: Policy) -> Profile {
    let groups = numbers.map { policy.groups[$0] }
    return Profile(
      groups: numbers, name: groups.map(\.name).joined(separator: "_with_"), isAdvanced: groups[0].isAdvanced,
      admitting: numbers.filter { policy.groups[$0].admitsMembers },
      ingress: ordered(groups.flatMap(\.ingress)), egress: ordered(groups.flatMap(\.egress)))
  }

  /// By priority, where 1 is the default; at one priority denies stand before allows.
  private static func ordered(_ rules: [Policy.Rule]) -> [Policy.Rule] {
    let order = { (rule: Policy.Rule) in (rule.priority ?? 1) * 2 + (rule.allows ? 1 : 0) }
    return rules.enumerated().sorted { (order($0.element), $0.offset) < (order($1.element), $1.offset) }.map(\.element)
  }
}
