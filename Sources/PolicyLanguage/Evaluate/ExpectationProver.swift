public import PacketSpace

/// A claim that doesn't hold, with a packet that breaks it.
public struct BrokenExpectation: Sendable {
  /// Index into `Policy.expectations`.
  public var expectation: Int
  /// A first packet that the claim speaks of and that is decided otherwise.
  public var packet: Packet
  /// How the packet is decided, and by what.
  public var decision: Decision
  /// How many pairs of a source's groups and a destination's have a packet that breaks the claim, this one's among them.
  public var pairs: Int
}

/// Judges the claims of a policy, for all packets that they speak of, end to end through a gateway.
///
/// Addresses with the same groups are judged together. A claim speaks of sources and destinations; for each class of
/// destinations what its ingress lets through is cut out of the claim, and only where something is left the sources' egress is
/// asked. For a claim of `allow` the roles of the answers are exchanged: what is left is what one of the two ends denies.
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

  /// Whether one claim holds: nil where it does.
  public mutating func prove(_ index: Int) throws(DiagramBudgetExceeded) -> BrokenExpectation? {
    let claim = policy.expectations[index]
    let sources = policy.addresses(claim.from, except: claim.exceptFrom)
    let destinations = policy.addresses(claim.to, except: claim.exceptTo)
    var meant = Diagram.leaf(0)
    for box in diagrams.boxes(claim, sources, destinations) { meant = try store.overlay(box, .leaf(1), on: meant) }
    var example: Packet?
    var pairs = 0
    for (place, destination) in classes.enumerated() {
      let to = destination.addresses.intersection(destinations)
      if to.isEmpty { continue }
      let here = try intersect(meant, to, .destination)
      // what the claim says is allowed: for `deny` the packets that both ends allow break it, for `allow` those that one denies
      let ingress = try end(.ingress, place)
      let rest = claim.action == .deny ? try both(here, ingress) : here
      if rest == .leaf(0) { continue }
      for (origin, source) in classes.enumerated() {
        let from = source.addresses.intersection(sources)
        if from.isEmpty { continue }
        var broken = try intersect(rest, from, .source)
        if broken == .leaf(0) { continue }
        var allowed: Diagram
        if origin == 0 && place == 0 {
          allowed = .leaf(policy.options.unmanaged == .accept ? 1 : 0)
        } else {
          allowed = try both(end(.egress, origin), ingress)
        }
        if claim.action == .allow { allowed = try store.map(allowed) { 1 - $0 } }
        broken = try both(broken, allowed)
        guard broken != .leaf(0), let packet = store.witness(broken, 1, endsDiffer: true) else { continue }
        pairs += 1
        if example == nil { example = packet }
      }
    }
    guard let example else { return nil }
    let decision = evaluator.decide(example, on: .forwarded)
    return BrokenExpectation(expectation: index, packet: example, decision: decision, pairs: pairs)
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
