import Diagnostics
public import PacketSpace

/// What becomes of a flow that must stay possible.
public enum KeptFlowVerdict: Sendable {
  /// Every first packet of it is allowed.
  case allowed
  /// A first packet of it that is denied, and how.
  case cut(Packet, Decision)
  /// None of its packets goes a way on which this machine enforces anything.
  case notEnforced
}

/// Judges flows that must stay possible on the machine that enforces a policy: all of their first packets.
///
/// A gateway judges what it forwards, end to end. A host judges what comes to it and what it sends; what goes between others is
/// their affair. A machine's packets to itself go by loopback.
public struct KeptFlowProver: Sendable {
  private let policy: Policy
  private let evaluator: PolicyEvaluator
  private let diagrams: PolicyDiagrams
  /// The machine's own addresses, and loopback's.
  private let local: AddressSet
  /// Made where it is asked: it looks at all addresses of the policy.
  private var expectations: ExpectationProver?
  private var store = DiagramStore()
  private var ends: [Direction: Diagram] = [:]

  /// - Parameter links: the machine's own addresses as they are now; a host's are besides those that the policy gives it.
  public init(_ policy: Policy, _ enforcement: Enforcement, links: AddressSet) {
    self.policy = policy
    evaluator = PolicyEvaluator(policy, enforcement)
    diagrams = PolicyDiagrams(policy)
    local = links.union(KeptFlowProver.loopback)
  }

  /// 127.0.0.0/8 and ::1.
  private static let loopback = AddressSet([
    AddressRange(prefix: IPAddress(v4: 127 << 24), length: 8), AddressRange(IPAddress(v6: 1)),
  ])

  /// The addresses by which others reach the machine: its own, and a host's in the policy.
  public var machine: AddressSet {
    let links = local.subtracting(KeptFlowProver.loopback)
    switch evaluator.enforcement {
    case .gateway: return links
    case .host(let instance): return links.union(policy.instances[instance].addresses)
    }
  }

  /// Whether the flows of `services` from `sources` to `destinations` are allowed.
  public mutating func judge(
    _ services: [ServiceTerm], from sources: AddressSet, to destinations: AddressSet
  ) throws(DiagramBudgetExceeded) -> KeptFlowVerdict {
    var isEnforced = false
    switch evaluator.enforcement {
    case .gateway:
      let claim = claim(services, sources.subtracting(local), destinations.subtracting(local))
      if claim.from.isEmpty || claim.to.isEmpty { return .notEnforced }
      var prover = expectations ?? ExpectationProver(policy)
      defer { expectations = prover }
      if let refutation = try prover.refute(claim) { return .cut(refutation.packet, refutation.decision) }
      return .allowed
    case .host:
      // an address of the policy that no link has may be routed to the machine: what comes from it comes in
      let ways: [(PacketPath, AddressSet, AddressSet, link: String?)] = [
        (.input, sources.subtracting(local), destinations.intersection(machine), nil),
        (.output, sources.intersection(machine), destinations.subtracting(machine.union(local)), nil),
        (.input, sources.intersection(local), destinations.intersection(machine.union(local)), "lo"),
      ]
      for (path, from, to, link) in ways where !from.isEmpty && !to.isEmpty {
        isEnforced = true
        if let (packet, decision) = try denied(claim(services, from, to), from, to, path, link) {
          return .cut(packet, decision)
        }
      }
    }
    return isEnforced ? .allowed : .notEnforced
  }

  private func claim(_ services: [ServiceTerm], _ from: AddressSet, _ to: AddressSet) -> Expectation {
    Expectation(
      action: .allow, services: services, from: from.ranges.map(Peer.addresses), to: to.ranges.map(Peer.addresses),
      range: SourceRange(file: 0, start: 0, end: 0))
  }

  /// A first packet of the claim that the host's groups deny on that way.
  private mutating func denied(
    _ claim: Expectation, _ from: AddressSet, _ to: AddressSet, _ path: PacketPath, _ link: String?
  ) throws(DiagramBudgetExceeded) -> (Packet, Decision)? {
    if store.count > 1 << 16 {
      store = DiagramStore()
      ends = [:]
    }
    let allowed = try end(path == .input ? .ingress : .egress)
    var meant = Diagram.leaf(0)
    for var box in diagrams.boxes(claim, from, to) {
      if let link { box.narrow(.inputLink, to: IntervalSet([Interval(LinkName.number(link))])) }
      meant = try store.overlay(box, .leaf(1), on: meant)
    }
    let denied = try store.combine(meant, allowed) { $0 == 1 && $1 == 0 ? 1 : 0 }
    guard let packet = store.witness(denied, 1, endsDiffer: true) else { return nil }
    let decision = evaluator.decide(packet, on: path)
    precondition(!decision.isAllowed, "what all packets' decisions deny a packet's own decision denies, too")
    return (packet, decision)
  }

  /// What a host lets in, or out.
  private mutating func end(_ direction: Direction) throws(DiagramBudgetExceeded) -> Diagram {
    if let known = ends[direction] { return known }
    guard case .host(let instance) = evaluator.enforcement else { return .leaf(1) }
    let groups = evaluator.groups(ofInstance: instance)
    var result = try diagrams.end(groups, direction, in: &store) { _, isAllowed in isAllowed ? 1 : 0 }
    for box in PolicyDiagrams.prologue(direction) { result = try store.overlay(box, .leaf(1), on: result) }
    ends[direction] = result
    return result
  }
}
