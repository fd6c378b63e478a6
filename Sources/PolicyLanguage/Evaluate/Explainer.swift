public import Diagnostics
public import PacketSpace

/// Packets that are decided alike, for the same reasons at both ends.
public struct ExplainedCase: Sendable {
  public var packets: [PacketBox]
  /// One of them.
  public var example: Packet
  public var decision: Decision
}

/// Says how a policy decides a set of packets, case by case.
///
/// The ends' diagrams are labelled with reasons in place of answers, so the boxes of one pair of reasons are one case.
public struct Explainer: Sendable {
  private let policy: Policy
  private let diagrams: PolicyDiagrams
  private let evaluator: PolicyEvaluator
  private let classes: [AddressClasses.Class]
  private var store = DiagramStore()
  private var steps: [DecisionStep] = []
  private var numbers: [DecisionStep: Int] = [:]
  private var ends: [Direction: [Int: Diagram]] = [:]

  public init(_ policy: Policy, _ enforcement: Enforcement = .gateway) {
    self.policy = policy
    diagrams = PolicyDiagrams(policy)
    evaluator = PolicyEvaluator(policy, enforcement)
    switch enforcement {
    case .gateway:
      classes = AddressClasses(policy).classes
    case .host(let instance):
      let own = policy.instances[instance].addresses
      classes = [
        .init(groups: [], addresses: AddressSet.all.subtracting(own)),
        .init(groups: evaluator.groups(ofInstance: instance), addresses: own),
      ]
    }
  }

  /// The way of a packet through the machine that enforces the policy.
  public func path(_ packet: Packet) -> PacketPath {
    guard case .host(let instance) = evaluator.enforcement else { return .forwarded }
    let own = policy.instances[instance].addresses
    return own.contains(packet.destination) ? .input : own.contains(packet.source) ? .output : .forwarded
  }

  /// The cases of the first packets that `claim` speaks of, denied ones first; whether it allows or denies
  /// doesn't matter here.
  ///
  /// - Parameter limit: how many boxes are looked for before the rest is left; `isComplete` then is false.
  public mutating func cases(
    _ claim: Expectation, limit: Int = 2000
  ) throws(DiagramBudgetExceeded) -> (cases: [ExplainedCase], isComplete: Bool) {
    let sources = policy.addresses(claim.from, except: claim.exceptFrom)
    let destinations = policy.addresses(claim.to, except: claim.exceptTo)
    var order: [[Int]] = []
    var boxes: [[Int]: [PacketBox]] = [:]
    var count = 0
    var reasons: [[Int]] = []
    var pairs: [[Int]: Int] = [:]
    for (place, destination) in classes.enumerated() {
      let to = destination.addresses.intersection(destinations)
      if to.isEmpty { continue }
      for (origin, source) in classes.enumerated() {
        let from = source.addresses.intersection(sources)
        if from.isEmpty { continue }
        // what isn't asked about goes first, so that only reasons that come to decide are paired
        let egress = try end(.egress, origin)
        var here = Diagram.leaf(Explainer.outside)
        for box in diagrams.boxes(claim, from, to) { here = try store.overlay(box, egress, on: here) }
        here = try store.combine(here, end(.ingress, place)) { first, second in
          if first == Explainer.outside { return first }
          let pair = [first, second]
          if let known = pairs[pair] { return known }
          pairs[pair] = reasons.count
          reasons.append(pair)
          return reasons.count - 1
        }
        for pair in decisions(here) where pair != Explainer.outside {
          var isFull = false
          store.forEachBox(here, pair) { box in
            guard box.example(endsDiffer: true) != nil else { return true }
            count += 1
            isFull = count > limit
            let key = reasons[pair]
            if boxes[key] == nil { order.append(key) }
            boxes[key, default: []].append(box)
            return !isFull
          }
          if isFull { return (explained(order, boxes), false) }
        }
      }
    }
    return (explained(order, boxes), true)
  }

  private static let outside = Int(Int32.max) - 1

  private func explained(_ order: [[Int]], _ boxes: [[Int]: [PacketBox]]) -> [ExplainedCase] {
    let cases = order.map { key in
      let packets = PacketBox.merged(boxes[key]!)
      let example = packets.lazy.compactMap { $0.example(endsDiffer: true) }.map(evaluator.comingByItsLink).first!
      return ExplainedCase(packets: packets, example: example, decision: evaluator.decide(example, on: path(example)))
    }
    return cases.filter { !$0.decision.isAllowed } + cases.filter(\.decision.isAllowed)
  }

  /// The decisions that a diagram makes.
  private func decisions(_ diagram: Diagram) -> [Int] {
    var seen: Set<Diagram> = []
    var found: Set<Int> = []
    var open = [diagram]
    while let next = open.popLast() {
      guard seen.insert(next).inserted else { continue }
      if let decision = next.decision { found.insert(decision) }
      if let (_, edges) = store.edges(next) { open += edges.map(\.child) }
    }
    return found.sorted()
  }

  /// What the groups of a class decide, as the number of the reason; 0 where the end isn't protected.
  private mutating func end(_ direction: Direction, _ place: Int) throws(DiagramBudgetExceeded) -> Diagram {
    if classes[place].groups.isEmpty { return .leaf(0) }
    if let known = ends[direction]?[place] { return known }
    // what egress denies isn't asked of ingress: all its reasons stay apart all the same, which does no harm
    var steps = self.steps
    var numbers = self.numbers
    func number(_ step: DecisionStep) -> Int {
      if let known = numbers[step] { return known }
      steps.append(step)
      numbers[step] = steps.count
      return steps.count
    }
    var result = try diagrams.end(classes[place].groups, direction, in: &store) { step, _ in number(step) }
    if evaluator.enforcement != .gateway {
      for box in PolicyDiagrams.prologue(direction) {
        result = try store.overlay(box, .leaf(number(.prologue)), on: result)
      }
    }
    self.steps = steps
    self.numbers = numbers
    ends[direction, default: [:]][place] = result
    return result
  }
}

/// A rule that matches a packet at one end.
public struct MatchingRule: Hashable, Sendable {
  public var group: Int
  /// Index into the group's rules of the direction.
  public var index: Int
}

extension PolicyEvaluator {
  /// The rules that match a packet at an end besides what decided it there, as notes with their places.
  public func overruled(_ packet: Packet, at end: Decision.End) -> [Diagnostic.Note] {
    matching(packet, end.direction, groups(packet, at: end)).compactMap { match in
      if DecisionStep.rule(group: match.group, direction: end.direction, index: match.index) == end.step { return nil }
      let group = policy.groups[match.group]
      let rule = group.rules(end.direction)[match.index]
      let name = "rule \(match.index + 1) of `\(group.name)` (\(rule.action.rawValue), priority \(rule.priority))"
      return .init("matches too, and doesn't come to decide: \(name)", at: rule.range)
    }
  }

  /// The groups that were asked at an end.
  public func groups(_ packet: Packet, at end: Decision.End) -> [Int] {
    switch enforcement {
    case .gateway: groups(of: end.direction == .egress ? packet.source : packet.destination)
    case .host(let instance): groups(ofInstance: instance)
    }
  }

  /// The rules of a packet's own end that match it, the strongest first, whether or not they come to decide.
  public func matching(_ packet: Packet, _ direction: Direction, _ groups: [Int]) -> [MatchingRule] {
    let (own, peer) = direction == .ingress ? (packet.destination, packet.source) : (packet.source, packet.destination)
    var result: [(rank: Int, rule: MatchingRule)] = []
    for group in groups {
      for (index, rule) in policy.groups[group].rules(direction).enumerated() where matches(rule, packet, own: own, peer: peer)
      {
        let rank = Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1)
        result.append((rank, MatchingRule(group: group, index: index)))
      }
    }
    return result.sorted { ($0.rank, $0.rule.group, $0.rule.index) < ($1.rank, $1.rule.group, $1.rule.index) }.map(\.rule)
  }
}
