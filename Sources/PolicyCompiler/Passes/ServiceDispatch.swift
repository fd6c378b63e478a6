import PacketSpace
import PolicyLanguage

/// Puts the rules of a large profile behind a lookup by destination port and protocol.
///
///     tcp dport 22 ip saddr 10.0.0.0/8 accept       th dport . meta l4proto vmap { 22 . tcp : goto ingress.tcp-22/web,
///     tcp dport 443 accept                                                         443 . tcp : accept }
///     meta l4proto gre accept                       meta l4proto gre accept
///     … 40 more …                                   drop
///
/// The destination ports that rules name cut each protocol's line of ports into stretches on which the same rules apply. Such a
/// stretch is an element; it leads to a leaf chain with the rules that apply there, in their order, less what the lookup has
/// answered, and with the default at its end. Rules for whole protocols stand in every leaf of their protocol and, for the
/// packets that no element holds, behind the lookup. So a packet meets exactly the rules that could have matched it, in the
/// same order, and its verdict is the same. A packet too short to have ports finds nothing to look up and goes on behind, where
/// no rule asks for ports.
///
/// The port stands first because the kernel carries every interval whose first field holds the packet's on to the second by
/// itself: with the protocol first that is every service of TCP, 9 ns each (`CostModel.concatenatedRest`).
struct ServiceDispatch {
  struct Leaf {
    var atoms: [(IPProtocol, Interval)]
    /// Indices of the rules that apply, ascending.
    var rules: [Int]

    /// Such as `tcp-22` or `udp-8000-8100`, after the first stretch that leads here.
    var name: String {
      let (p, ports) = atoms[0]
      let range = PortRange(UInt16(ports.lower), UInt16(ports.upper))
      return "\(p.policyName)-\(range)"
    }
  }

  /// In the order of their first stretch.
  let leaves: [Leaf]
  /// How many rules and chains the leaves come to.
  let cost: Int

  /// How many times the plain rules the leaves may hold in all.
  static let growth = 4

  /// Nil where the plain rules are few, where none names a port, or where the leaves would repeat too much.
  init?(_ ordered: [OrderedRule], plainCount: Int, _ thresholds: Thresholds) {
    guard plainCount > thresholds.dispatch else { return nil }
    var leaves: [Leaf] = []
    var places: [[Int]: Int] = [:]
    for p in [IPProtocol.tcp, .udp, .sctp] {
      var labelled: [(interval: Interval, label: Int32)] = []
      var whole: [Int] = []
      for (index, item) in ordered.enumerated() {
        if item.rule.services.contains(where: { $0 == .all || $0 == .ipProtocol(p) }) {
          whole.append(index)
          continue
        }
        for case .ports(p, let range) in item.rule.services {
          labelled.append((Interval(UInt128(range.lower), UInt128(range.upper)), Int32(index)))
        }
      }
      for piece in IntervalPartition.pieces(labelled) {
        let rules = (piece.labels.map(Int.init) + whole).sorted()
        if let place = places[rules] {
          leaves[place].atoms.append((p, piece.interval))
        } else {
          places[rules] = leaves.count
          leaves.append(Leaf(atoms: [(p, piece.interval)], rules: rules))
        }
      }
    }
    let rules = leaves.reduce(0) { $0 + $1.rules.count }
    // a leaf is a chain and a default besides
    cost = rules + 2 * leaves.count
    guard !leaves.isEmpty, rules <= ServiceDispatch.growth * plainCount, cost <= thresholds.leaves else { return nil }
    self.leaves = leaves
  }
}
