import Nftables
import PolicyLanguage

/// From which number on rules become something else, by what `CostModel` says of packets and of loading.
///
/// In a small table the reader decides where the costs leave it to taste: a set of two ports is easier to read than two rules,
/// and a lookup by service costs about as much as eight rules in line, but a screen of them is easier to follow. In a table of
/// thousands of rules the sets are what loading it takes its time for, since the kernel finds a set by walking all of them,
/// anonymous ones too: a set must be worth more rules there.
struct Thresholds {
  /// How many values make an anonymous set; fewer become a rule each.
  var set: Int
  /// How many rules a profile's chain has before a lookup by service is made.
  var dispatch: Int
  /// How many intervals of a run of rules become one lookup.
  var flatten: Int
  /// How many rules call a chain for their peer, or for a service that takes several rules of nft.
  var peerChain: Int
  /// How many rules call a chain for a service that takes one.
  var serviceChain: Int
  /// How many profiles more than one, times how many rules more than one, make rules of a group a chain that its profiles call.
  var sharedRules: Int
  /// Whether rules are left out where without them the same would be decided. In a small table they may be there for the
  /// reader; what never decides is left out of every table.
  var leavesOutRedundant: Bool

  /// How many rules and chains the leaves behind such lookups may still come to, over the whole table: a table of thousands of
  /// profiles with a hundred rules each would otherwise be many times what its plain rules are.
  var leaves = 50_000

  static let small = Thresholds(
    set: 2, dispatch: rules(nanoseconds: 640), flatten: 4, peerChain: .max, serviceChain: .max, sharedRules: .max,
    leavesOutRedundant: false)
  static let large = Thresholds(
    set: CostModel.valuesOfSet(besides: CostModel.mostSets, areIntervals: false), dispatch: rules(nanoseconds: 2000),
    flatten: CostModel.valuesOfSet(besides: CostModel.mostSets, areIntervals: true), peerChain: 2, serviceChain: 4,
    sharedRules: 4, leavesOutRedundant: true)

  /// How many rules in line take a packet that long. The first packet of a flow takes 4,750 ns on its way through a gateway
  /// anyway.
  private static func rules(nanoseconds: Double) -> Int { Int(nanoseconds / CostModel.ruleInLine) }

  /// Up to so many rules of the policy, counted once for each profile, a table is small.
  private static let largestSmall = 1000

  static func of(_ policy: Policy, _ profiles: Profiles) -> Thresholds {
    var rules = 0
    for profile in profiles.profiles {
      for group in profile.groups { rules += policy.groups[group].ingress.count + policy.groups[group].egress.count }
    }
    return rules > largestSmall ? .large : .small
  }
}
