import PacketSpace
import PolicyLanguage

/// A set of groups that some address has, whose rules are lowered together.
struct Profile {
  /// Indices into `Policy.groups`, ascending; not empty, none external, all of one type.
  var groups: [Int]
  /// What its chains are called behind `ingress/` and `egress/`.
  var name: String
}

/// Which addresses have which profile.
///
///     10.0.0.1 has web             ip daddr vmap { 10.0.0.1 : jump ingress/web,
///     10.0.0.2 has web and db                      10.0.0.2 : jump ingress/db//web }
///
/// The members of all groups cut the line of addresses into pieces; a piece's groups are its profile, and equal sets of
/// groups share one. An address of no group is in no piece, so nothing looks it up.
struct Profiles {
  struct Entry {
    var interval: Interval
    /// Index into `profiles`.
    var profile: Int
  }

  private(set) var profiles: [Profile] = []
  /// Disjoint and ascending.
  private(set) var ipv4: [Entry] = []
  private(set) var ipv6: [Entry] = []

  init(gateway policy: Policy) {
    var indices: [[Int32]: Int] = [:]
    for family in IPFamily.allCases {
      var labelled: [(interval: Interval, label: Int32)] = []
      for (index, group) in policy.groups.enumerated() where !group.isExternal {
        for interval in group.members[family].intervals { labelled.append((interval, Int32(index))) }
      }
      var entries: [Entry] = []
      entries.reserveCapacity(labelled.count)
      for piece in IntervalPartition.pieces(labelled) {
        let profile: Int
        if let known = indices[piece.labels] {
          profile = known
        } else {
          profile = profiles.count
          indices[piece.labels] = profile
          profiles.append(Profile(groups: piece.labels.map(Int.init), name: ""))
        }
        entries.append(Entry(interval: piece.interval, profile: profile))
      }
      if family == .ipv4 { ipv4 = entries } else { ipv6 = entries }
    }
    order(by: policy)
  }

  /// The one profile of a machine that is itself an instance; none where it has no group.
  init(host groups: [Int], _ policy: Policy) {
    profiles = groups.isEmpty ? [] : [Profile(groups: groups, name: "")]
    order(by: policy)
  }

  /// Profiles stand in the order of their groups in the policy, groups alone first, and get their names.
  private mutating func order(by policy: Policy) {
    let order = profiles.indices.sorted {
      let a = profiles[$0].groups
      let b = profiles[$1].groups
      return a.count == b.count ? a.lexicographicallyPrecedes(b) : a.count < b.count
    }
    var place = [Int](repeating: 0, count: profiles.count)
    for (new, old) in order.enumerated() { place[old] = new }
    profiles = order.map { profiles[$0] }
    for i in ipv4.indices { ipv4[i].profile = place[ipv4[i].profile] }
    for i in ipv6.indices { ipv6[i].profile = place[ipv6[i].profile] }
    for i in profiles.indices { profiles[i].name = Names.profile(profiles[i].groups.map { policy.groups[$0].name }) }
  }

  subscript(family: IPFamily) -> [Entry] { family == .ipv4 ? ipv4 : ipv6 }
}
