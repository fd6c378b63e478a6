import Nftables
import PacketSpace
import PolicyLanguage

/// Lowers a policy to one table.
struct Lowering {
  let policy: Policy
  let enforcement: Enforcement
  let tableName: String
  /// Whether nothing is dropped: what would be is counted and logged, and passes.
  let observes: Bool
  /// Nil for what goes with the size of the policy.
  var thresholds: Thresholds?

  /// The chain that marks a table as Cordon's: named, empty, never reached.
  static let mark = Ruleset.ownershipMark
  /// How many logged packets a second, over the whole table.
  static let loggedPerSecond: UInt64 = 10

  func lower() -> (ruleset: Ruleset, provenance: Provenance, profiles: Profiles) {
    let isHost: Bool
    let profiles: Profiles
    switch enforcement {
    case .gateway:
      isHost = false
      profiles = Profiles(gateway: policy)
    case .host(let instance):
      isHost = true
      profiles = Profiles(host: PolicyEvaluator(policy, .host(instance: instance)).groups(ofInstance: instance), policy)
    }
    let elements = AddressElements(policy)
    let thresholds = thresholds ?? .of(policy, profiles)
    let provenance = Provenance(policy)
    let ends = { (direction: Direction, action: Action) in
      action == .allow ? direction == .ingress || isHost : !observes && policy.options.log == .none
    }
    var profileCounts = [Int](repeating: 0, count: policy.groups.count)
    for profile in profiles.profiles { for group in profile.groups { profileCounts[group] += 1 } }
    var builder = ProfileChains(
      policy: policy, isHost: isHost, observes: observes, isPeer: Lowering.peers(policy),
      thresholds: thresholds, sets: AddressSets(policy, elements, setFrom: thresholds.set), provenance: provenance,
      shapes: RuleShapes(count: provenance.ruleCount),
      called: CalledChains(policy, profileCounts, thresholds, ends: ends),
      shared: SharedRules(policy, profileCounts, thresholds, ends: ends))
    var profileChains: [Chain] = []
    for profile in profiles.profiles {
      // in the order in which a packet meets them
      for direction in [Direction.egress, .ingress] { profileChains += builder.lower(profile, direction) }
    }
    var ruleset = Ruleset(tableName: tableName)
    if isHost {
      ruleset.chains = HostChains.chains(profiles.profiles[0], observes: observes)
    } else {
      let gateway = GatewayChains(policy, profiles, elements, observes: observes)
      let links = LinkBindings(policy, observes: observes)
      ruleset.chains = gateway.chains(bindings: !links.isEmpty, &builder.sets) + links.chains(&builder.sets)
      ruleset.sets = links.sets()
      ruleset.maps = gateway.maps
    }
    let called = profileChains.called
    let shared = builder.shared.chains.filter { called.contains($0.name) }
    ruleset.chains += profileChains
    ruleset.chains += shared
    ruleset.chains += builder.called.chains(called.union(shared.called), &builder.sets)
    ruleset.chains += [Chain(Lowering.mark, annotations: ["marks the table as Cordon's; nothing leads here"])]
    ruleset.sets += builder.sets.sets()
    if observes || policy.options.log == .denied {
      ruleset.limits = [NamedLimit(Names.deniedLimit, packetsPerSecond: Lowering.loggedPerSecond)]
    }
    return (ruleset, builder.provenance, profiles)
  }

  private static func peers(_ policy: Policy) -> [Bool] {
    var result = [Bool](repeating: false, count: policy.groups.count)
    for group in policy.groups {
      for direction in Direction.allCases {
        for rule in group.rules(direction) {
          for case .group(let index) in rule.peers { result[index] = true }
        }
      }
    }
    return result
  }
}
