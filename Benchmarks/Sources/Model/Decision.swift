/// What a policy decides, read rule by rule.
struct Decision {
  var isAllowed: Bool
  /// How many rules had to be read, at both ends.
  var rulesRead: Int
}

/// The first packet of a flow.
struct Flow {
  var source: Address
  var destination: Address
  var kind: Service.Kind
  var port: Int
}

struct PolicyReader {
  let policy: Policy
  let profiles: Profiles

  init(_ policy: Policy) {
    self.policy = policy
    profiles = Profiles(policy)
  }

  /// Egress of the source and ingress of the destination, where they are anybody's.
  func decide(_ flow: Flow) -> Decision {
    var decision = Decision(isAllowed: true, rulesRead: 0)
    if let own = profiles.byAddress[flow.source].map({ profiles.all[$0] }) {
      decision.isAllowed =
        decide(flow, own.egress, peer: flow.destination, &decision.rulesRead) ?? !own.isAdvanced
    }
    guard decision.isAllowed, let own = profiles.byAddress[flow.destination].map({ profiles.all[$0] })
    else { return decision }
    let peerGroups = groups(of: flow.source)
    if own.admitting.contains(where: peerGroups.contains) { return decision }
    decision.isAllowed = decide(flow, own.ingress, peer: flow.source, &decision.rulesRead) ?? false
    return decision
  }

  private func groups(of address: Address) -> [Int] {
    profiles.byAddress[address].map { profiles.all[$0].groups } ?? []
  }

  private func decide(_ flow: Flow, _ rules: [Policy.Rule], peer: Address, _ read: inout Int) -> Bool? {
    let peerGroups = groups(of: peer)
    for rule in rules {
      read += 1
      let isMatch =
        rule.services.contains { $0.terms.contains { $0.matches(flow) } }
        && rule.peers.contains { end in
          switch end {
          case .any: true
          case .prefix(let prefix): prefix.contains(peer)
          case .list(let number): policy.prefixLists[number].contains { $0.contains(peer) }
          case .group(let number): peerGroups.contains(number)
          }
        }
      if isMatch { return rule.allows }
    }
    return nil
  }
}

extension Service.Term {
  func matches(_ flow: Flow) -> Bool { (kind == .all || kind == flow.kind) && (ports?.contains(flow.port) ?? true) }
}
