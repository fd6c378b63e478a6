import Nftables
import PacketSpace
import PolicyLanguage

/// Chains that many rules of a large table call: what they ask in common stands there once.
///
///     tcp dport 6514 ip daddr @group-ipv4/web drop     tcp dport 6514 jump drop-to/web
///     tcp dport 6514 ip6 daddr @group-ipv6/web drop
///     tcp dport 8080 ip daddr 10.0.0.0/8 drop          ip daddr 10.0.0.0/8 jump drop/app
///     tcp dport 8443 ip daddr 10.0.0.0/8 drop
///                                                      chain drop-to/web {
///                                                        ip daddr @group-ipv4/web drop
///                                                        ip6 daddr @group-ipv6/web drop
///                                                      }
///                                                      chain drop/app {
///                                                        tcp dport 8080 drop
///                                                        tcp dport 8443 drop
///                                                      }
///
/// A rule holds where its service and its peers do, so it doesn't matter which is asked first, or where. The called chain ends
/// in the rule's own verdict where its half holds too; where not, the packet comes back and goes on behind the rule, as it did.
/// Only `accept` and `drop` mean the same in a called chain: an egress that `return`s to the base chain, or goes to a chain of
/// its profile that logs, stays whole.
///
/// The kernel pays for a table rule by rule and, within a rule, expression by expression. One rule of five stands in the place
/// of two to four of nine.
struct CalledChains {
  private struct PeerChain: Hashable {
    var peer: Peer
    var direction: Direction
    var action: Action
  }

  private struct ServiceChain: Hashable {
    var terms: [ServiceTerm]
    var action: Action
  }

  private let policy: Policy
  private let thresholds: Thresholds
  /// How many rules would call a chain, counted once for each profile.
  private var peerUses: [PeerChain: Int] = [:]
  private var serviceUses: [ServiceChain: Int] = [:]
  /// The same for allows in egress that come back to the base chain.
  private var returnUses: [Peer: Int] = [:]
  /// What lists of terms are called: the policy's own names first.
  private var serviceNames: [[ServiceTerm]: String] = [:]
  /// The chains that are called.
  private var peers: Set<PeerChain> = []
  private var services: Set<ServiceChain> = []
  private var returns: Set<Peer> = []

  /// - Parameter profileCounts: for each group how many profiles have it.
  /// - Parameter ends: whether what is decided in a direction, allowed or denied, is an `accept` or a `drop`.
  init(_ policy: Policy, _ profileCounts: [Int], _ thresholds: Thresholds, ends: (Direction, Action) -> Bool) {
    self.policy = policy
    self.thresholds = thresholds
    if thresholds.peerChain == .max, thresholds.serviceChain == .max { return }
    for (index, group) in policy.groups.enumerated() where profileCounts[index] > 0 {
      for direction in Direction.allCases {
        for rule in group.rules(direction) {
          if !ends(direction, rule.action) {
            guard direction == .egress, rule.action == .allow else { continue }
            for peer in rule.peers where CalledChains.isNamed(peer) {
              returnUses[peer, default: 0] += rule.services.count * profileCounts[index]
            }
            continue
          }
          for peer in rule.peers where CalledChains.isNamed(peer) {
            // about a rule of nft for each term
            peerUses[PeerChain(peer: peer, direction: direction, action: rule.action), default: 0] +=
              rule.services.count * profileCounts[index]
          }
          if rule.sourcePorts == nil {
            serviceUses[ServiceChain(terms: rule.services, action: rule.action), default: 0] += profileCounts[index]
          }
        }
      }
    }
    for service in policy.services where serviceNames[service.terms] == nil { serviceNames[service.terms] = service.name }
    let own = Set(policy.services.map(\.name))
    for (name, terms) in BuiltInServices.all where serviceNames[terms] == nil && !own.contains(name) {
      serviceNames[terms] = name
    }
  }

  private static func isNamed(_ peer: Peer) -> Bool {
    switch peer {
    case .group, .prefixList: true
    case .any, .addresses, .instance: false
    }
  }

  /// The chain that decides for the packets whose other end is this peer; nil where few rules would call it.
  mutating func chain(_ peer: Peer, _ direction: Direction, _ action: Action) -> String? {
    let key = PeerChain(peer: peer, direction: direction, action: action)
    guard let uses = peerUses[key], uses >= thresholds.peerChain else { return nil }
    peers.insert(key)
    return name(key)
  }

  /// The chain that lets the packets to this peer come back to the base chain, and drops all others; nil where few rules would go
  /// there.
  mutating func chain(to peer: Peer) -> String? {
    guard let uses = returnUses[peer], uses >= thresholds.peerChain else { return nil }
    returns.insert(peer)
    return Names.only(to: name(of: peer))
  }

  /// The chain that decides for the packets of these services; nil where few rules would call it, or it has no name.
  ///
  /// - Parameter alternatives: how many rules of nft the services are.
  mutating func chain(_ terms: [ServiceTerm], alternatives: Int, _ action: Action) -> String? {
    if terms.contains(.all) { return nil }
    let key = ServiceChain(terms: terms, action: action)
    let from = alternatives > 1 ? thresholds.peerChain : thresholds.serviceChain
    guard let uses = serviceUses[key], uses >= from, let name = name(key) else { return nil }
    services.insert(key)
    return name
  }

  private func name(_ chain: PeerChain) -> String {
    Names.peerChain(CalledChains.verdict(chain.action), chain.direction, name(of: chain.peer))
  }

  private func name(of peer: Peer) -> String {
    switch peer {
    case .group(let index): policy.groups[index].name
    case .prefixList(let index): policy.prefixLists[index].name
    case .any, .addresses, .instance: preconditionFailure("only what has a name is called")
    }
  }

  private func name(_ chain: ServiceChain) -> String? {
    let name = serviceNames[chain.terms] ?? (chain.terms.count == 1 ? chain.terms[0].description : nil)
    return name.map { Names.serviceChain(CalledChains.verdict(chain.action), $0) }
  }

  private static func verdict(_ action: Action) -> Verdict { action == .allow ? .accept : .drop }

  /// The chains that were asked for and are among those that are called, by name.
  func chains(_ called: Set<String>, _ sets: inout AddressSets) -> [Chain] {
    var result: [Chain] = []
    // what was asked for a chain that was then written in another way is called by none
    for key in peers where called.contains(name(key)) {
      let rules = CalledChains.rules(key.peer, key.direction, CalledChains.verdict(key.action), &sets)
      result.append(Chain(name(key), rules: rules))
    }
    for peer in returns where called.contains(Names.only(to: name(of: peer))) {
      let rules = CalledChains.rules(peer, .egress, .return, &sets)
      result.append(
        Chain(Names.only(to: name(of: peer)), rules: rules + [Nftables.Rule([.verdict(.drop)], comment: "default")]))
    }
    for key in services where called.contains(name(key)!) {
      let rules = ServiceMatches.of(key.terms, sourcePorts: nil, setFrom: thresholds.set).map { service in
        let family = service.impliesFamily ? [] : service.family.map { [Expression.family($0)] } ?? []
        return Nftables.Rule(service.expressions + family + [.verdict(CalledChains.verdict(key.action))])
      }
      result.append(Chain(name(key)!, rules: rules))
    }
    return result.sorted { $0.name < $1.name }
  }

  /// Rules with this verdict for the packets whose other end is a peer.
  private static func rules(
    _ peer: Peer, _ direction: Direction, _ verdict: Verdict, _ sets: inout AddressSets
  ) -> [Nftables.Rule] {
    return IPFamily.allCases.flatMap { family in
      guard let operands = sets.operands([peer], family) else { preconditionFailure("such a peer isn't called") }
      return operands.map { Nftables.Rule([.match(direction.peer.field(family), $0), .verdict(verdict)]) }
    }
  }
}

extension [Chain] {
  /// The chains that rules of these jump or go to.
  var called: Set<String> {
    var result: Set<String> = []
    for chain in self {
      for rule in chain.rules {
        switch rule.expressions.last {
        case .verdict(.jump(let name)), .verdict(.goto(let name)): result.insert(name)
        case .verdict, .lookup, .match, .namedLimit, .limit, .log, .counter, .unknown, nil: break
        }
      }
    }
    return result
  }
}
