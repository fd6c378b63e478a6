/// Picks UDP flows that a policy allows, to measure what their first packets cost.
public struct FlowPicker {
  /// Which flows.
  public enum Choice: String {
    /// Any: to an instance drawn at random, for a service of a rule of its own drawn at random, from a peer of that rule.
    case usual
    /// Of fifty times as many, those for which the most rules must be read before one decides.
    case worst
  }

  private let reader: PolicyReader
  private var random: Random

  /// A line for each flow: source, destination, port.
  public static func lines(_ policy: Policy, _ choice: Choice, count: Int, seed: UInt64) -> [String] {
    var picker = FlowPicker(reader: PolicyReader(policy), random: Random(seed: seed))
    let candidates = (0..<(choice == .worst ? 50 * count : count)).map { _ in picker.allowedFlow() }
    let picked = choice == .worst ? candidates.sorted { $0.read > $1.read }.prefix(count) : candidates[...]
    return picked.map { "\($0.flow.source) \($0.flow.destination) \($0.flow.port)" }
  }

  private mutating func allowedFlow() -> (flow: Flow, read: Int) {
    while true {
      guard let flow = flow() else { continue }
      let decision = reader.decide(flow)
      if decision.isAllowed { return (flow, decision.rulesRead) }
    }
  }

  /// A flow that some rule of its destination speaks of; nil where what was drawn doesn't fit together.
  private mutating func flow() -> Flow? {
    let instance = random.pick(reader.policy.instances)
    let own = random.pick(instance.addresses).address
    let rule = random.pick(reader.profiles.all[reader.profiles.byAddress[own]!].ingress)
    let term = random.pick(random.pick(rule.services).terms)
    guard rule.allows, term.kind == .udp || term.kind == .all, let peer = address(of: random.pick(rule.peers), own.isIPv6),
      peer != own
    else { return nil }
    let ports = term.ports ?? 1024...65_535
    return Flow(source: peer, destination: own, kind: .udp, port: ports.lowerBound + random.below(ports.count))
  }

  private mutating func address(of peer: Policy.Peer, _ isIPv6: Bool) -> Address? {
    switch peer {
    case .any: return random.pick(random.pick(reader.policy.instances).addresses).address.of(isIPv6)
    case .group(let number): return random.pick(reader.profiles.members[number]).of(isIPv6)
    case .prefix(let prefix): return address(in: prefix, isIPv6)
    case .list(let number): return address(in: random.pick(reader.policy.prefixLists[number]), isIPv6)
    }
  }

  private mutating func address(in prefix: Prefix, _ isIPv6: Bool) -> Address? {
    let size = prefix.range.upperBound - prefix.range.lowerBound + 1
    let bits = prefix.range.lowerBound + UInt128(random.below(Int(min(size, 1 << 62))))
    return Address(isIPv6: prefix.isIPv6, bits: bits).of(isIPv6)
  }
}

extension Address {
  fileprivate func of(_ isIPv6: Bool) -> Address? { self.isIPv6 == isIPv6 ? self : nil }
}
