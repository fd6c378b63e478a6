import Nftables
import PolicyLanguage

/// Rules of one group that stand side by side in many profiles of a large table: they are written once, in a chain of their own.
///
///     chain ingress/base//web {                 chain ingress/base//web {
///       tcp dport 22 jump accept-from/office      jump ingress.allow-1/base
///       tcp dport 9100 accept                     tcp dport 443 accept
///       tcp dport 443 accept                      drop
///       drop                                    }
///     }                                         chain ingress.allow-1/base {
///                                                 tcp dport 22 jump accept-from/office
///                                                 tcp dport 9100 accept
///                                               }
///
/// Rules of one priority and action say the same, so their order among each other counts for nothing, and those of one group
/// may stand together. They are called where they stood, in front of what is weaker and behind what is stronger; a packet that
/// none of them decides comes back and goes on behind them. As in `CalledChains` only `accept` and `drop` can be said so.
///
/// Without that, a group that every instance has besides its own would be written again for each of them.
struct SharedRules {
  struct Key: Hashable {
    var group: Int
    var direction: Direction
    var action: Action
    var priority: UInt8
  }

  /// The lists of rules that are worth a chain.
  private var worthwhile: Set<Key> = []
  /// The chains that are called, in the order of their first call.
  private(set) var chains: [Chain] = []
  private var written: Set<Key> = []
  private let policy: Policy

  /// - Parameter profileCounts: for each group how many profiles have it.
  /// - Parameter ends: whether what is decided in a direction, allowed or denied, is an `accept` or a `drop`.
  init(_ policy: Policy, _ profileCounts: [Int], _ thresholds: Thresholds, ends: (Direction, Action) -> Bool) {
    self.policy = policy
    for (index, group) in policy.groups.enumerated() where profileCounts[index] > 1 {
      for direction in Direction.allCases {
        var counts: [Key: Int] = [:]
        for rule in group.rules(direction) where ends(direction, rule.action) {
          counts[Key(group: index, direction: direction, action: rule.action, priority: rule.priority), default: 0] += 1
        }
        for (key, count) in counts where (profileCounts[index] - 1) * (count - 1) >= thresholds.sharedRules {
          worthwhile.insert(key)
        }
      }
    }
  }

  func contains(_ key: Key) -> Bool { worthwhile.contains(key) }

  /// Whether their chain has been written.
  func isWritten(_ key: Key) -> Bool { written.contains(key) }

  mutating func write(_ key: Key, _ chain: Chain) {
    written.insert(key)
    chains.append(chain)
  }

  /// What their chain is called: `ingress.allow-1/base`.
  func name(_ key: Key) -> String {
    Names.part(key.direction, "\(key.action.rawValue)-\(key.priority)", of: policy.groups[key.group].name)
  }
}
