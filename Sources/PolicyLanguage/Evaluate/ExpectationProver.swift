public import PacketSpace

/// A claim that doesn't hold, with a packet that breaks it.
public struct BrokenExpectation: Sendable {
  /// Index into `Policy.expectations`.
  public var expectation: Int
  public var refutation: Refutation
}

/// What shows that a claim doesn't hold.
public struct Refutation: Sendable {
  /// A first packet that the claim speaks of and that is decided otherwise. It comes by its source's own link.
  public var packet: Packet
  /// How the packet is decided, and by what.
  public var decision: Decision
  /// At how many ends the claim is broken: addresses with the same groups are one end, as source or as destination.
  public var ends: Int
}

/// Judges the claims of a policy, for all packets that they speak of, end to end through a gateway.
///
/// Addresses with the same groups are judged together. A packet is allowed where both of its ends allow it. So a claim of `allow`
/// is broken where one end denies: each end is looked at by itself. A claim of `deny` is broken where both allow: what a class of
/// destinations lets in is cut out of the claim, and only where something is left the sources are asked.
public struct ExpectationProver: Sendable {
  private let policy: Policy
  private let evaluator: PolicyEvaluator
  private let diagrams: PolicyDiagrams
  private let classes: [AddressClasses.Class]
  private var store = DiagramStore()
  /// The ends' diagrams as they are asked for: by class, ingress and egress.
  private var ends: [Direction: [Int: Diagram]] = [:]

  public init(_ policy: Policy) {
    self.policy = policy
    evaluator = PolicyEvaluator(policy, .gateway)
    diagrams = PolicyDiagrams(policy)
    classes = AddressClasses(policy).classes
  }

  /// All claims that don't hold.
  public mutating func prove() throws(DiagramBudgetExceeded) -> [BrokenExpectation] {
    var result: [BrokenExpectation] = []
    for index in policy.expectations.indices {
      if let broken = try prove(index) { result.append(broken) }
    }
    return result
  }

  /// Whether one claim holds: nil where it does. What it takes depends on this claim alone.
  public mutating func prove(_ index: Int) throws(DiagramBudgetExceeded) -> BrokenExpectation? {
    try refute(policy.expectations[index]).map { BrokenExpectation(expectation: index, refutation: $0) }
  }

  /// The same of any claim in the policy's terms.
  public mutating func refute(_ claim: Expectation) throws(DiagramBudgetExceeded) -> Refutation? {
    if store.count > 1 << 16 {
      store = DiagramStore()
      ends = [:]
    }
    let sources = policy.addresses(claim.from, except: claim.exceptFrom)
    let destinations = policy.addresses(claim.to, except: claim.exceptTo)
    var meant = Diagram.leaf(0)
    for box in diagrams.boxes(claim, sources, destinations) { meant = try store.overlay(box, .leaf(1), on: meant) }
    let broken = try claim.action == .allow ? denied(meant, sources, destinations) : allowed(meant, sources, destinations)
    let packets = broken.compactMap { store.witness($0, 1, endsDiffer: true) }
    guard let packet = packets.first.map(evaluator.comingByItsLink) else { return nil }
    return Refutation(packet: packet, decision: evaluator.decide(packet, on: .forwarded), ends: packets.count)
  }

  /// What of `meant` an end denies: a diagram an end.
  private mutating func denied(
    _ meant: Diagram, _ sources: AddressSet, _ destinations: AddressSet
  ) throws(DiagramBudgetExceeded) -> [Diagram] {
    var result: [Diagram] = []
    for (direction, axis, all) in [(Direction.egress, PacketAxis.source, sources), (.ingress, .destination, destinations)] {
      for (place, entry) in classes.enumerated() where !entry.groups.isEmpty {
        let own = entry.addresses.intersection(all)
        if own.isEmpty { continue }
        let here = try intersect(meant, own, axis)
        if here == .leaf(0) { continue }
        let denied = try store.combine(here, end(direction, place)) { $0 == 1 && $1 == 0 ? 1 : 0 }
        if denied != .leaf(0) { result.append(denied) }
      }
    }
    if policy.options.unmanaged == .drop {
      let from = try intersect(meant, classes[0].addresses.intersection(sources), .source)
      let denied = try intersect(from, classes[0].addresses.intersection(destinations), .destination)
      if denied != .leaf(0) { result.append(denied) }
    }
    return result
  }

  /// What of `meant` both ends allow: a diagram for each class of destinations.
  private mutating func allowed(
    _ meant: Diagram, _ sources: AddressSet, _ destinations: AddressSet
  ) throws(DiagramBudgetExceeded) -> [Diagram] {
    var result: [Diagram] = []
    for (place, destination) in classes.enumerated() {
      let to = destination.addresses.intersection(destinations)
      if to.isEmpty { continue }
      let open = try both(intersect(meant, to, .destination), end(.ingress, place))
      if open == .leaf(0) { continue }
      for (origin, source) in classes.enumerated() {
        if place == 0, origin == 0, policy.options.unmanaged == .drop { continue }
        let from = source.addresses.intersection(sources)
        if from.isEmpty { continue }
        let here = try intersect(open, from, .source)
        if here == .leaf(0) { continue }
        let passing = try both(here, end(.egress, origin))
        // one source is enough to name the destination, if it isn't the destination itself
        if store.witness(passing, 1, endsDiffer: true) != nil {
          result.append(passing)
          break
        }
      }
    }
    return result
  }

  /// What the groups of a class decide; everything is allowed at an end that isn't protected.
  private mutating func end(_ direction: Direction, _ place: Int) throws(DiagramBudgetExceeded) -> Diagram {
    if classes[place].groups.isEmpty { return .leaf(1) }
    if let known = ends[direction]?[place] { return known }
    let result = try diagrams.end(classes[place].groups, direction, in: &store) { _, isAllowed in isAllowed ? 1 : 0 }
    ends[direction, default: [:]][place] = result
    return result
  }

  private mutating func both(_ a: Diagram, _ b: Diagram) throws(DiagramBudgetExceeded) -> Diagram {
    try store.combine(a, b) { $0 & $1 }
  }

  private mutating func intersect(
    _ a: Diagram, _ addresses: AddressSet, _ axis: PacketAxis
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var inside = Diagram.leaf(0)
    for box in PolicyDiagrams.boxes(addresses, axis) { inside = try store.overlay(box, .leaf(1), on: inside) }
    return try both(a, inside)
  }
}
