public import Diagnostics
public import Nftables
public import PacketSpace
import PolicyLanguage

/// Says of flows that are open whether a compiled policy would let them begin.
///
/// Links aren't known of them, so that each counts as come in by the link that its source is bound to. Loopback is for the caller
/// to leave aside.
public struct FlowJudge: Sendable {
  /// The hooks at which the policy decides.
  public let hooks: [Hook]
  private let ruleset: RulesetEvaluator
  private let evaluator: PolicyEvaluator
  /// The sources that are bound to a link, ascending: there may be as many flows as instances, and more.
  private let bound: [IPFamily: [(addresses: Interval, link: String)]]

  /// Takes O(n log n) for n elements of the ruleset's sets.
  public init(_ compilation: Compilation) {
    switch compilation.enforcement {
    case .gateway: hooks = [.forward]
    case .host: hooks = [.input, .output]
    }
    ruleset = RulesetEvaluator(compilation.ruleset)
    evaluator = PolicyEvaluator(compilation.policy, compilation.enforcement)
    var bound: [IPFamily: [(addresses: Interval, link: String)]] = [:]
    for instance in compilation.policy.instances where compilation.enforcement == .gateway {
      guard let link = instance.interface else { continue }
      for family in IPFamily.allCases {
        bound[family, default: []] += instance.addresses[family].intervals.map { ($0, link) }
      }
    }
    self.bound = bound.mapValues { $0.sorted { $0.addresses.lower < $1.addresses.lower } }
  }

  /// Whether the ruleset drops the first packet of a flow. It was proved to mean the policy, and is the faster to ask.
  ///
  /// - Parameter first: of state `new`, without links.
  public func denies(_ first: Packet, at hook: Hook) -> Bool {
    switch ruleset.evaluate(atItsLink(first), at: hook).decision {
    case .accept: false
    case .drop: true
    case .undecidable(let what): preconditionFailure("a compiled ruleset has nothing unknown in it: \(what)")
    }
  }

  /// Whether a flow could be begun by the other end's next packet instead: where that is so, a flow that is denied and cut goes
  /// on as soon as the other end sends.
  public func allowsAnswer(to first: Packet, at hook: Hook) -> Bool {
    // an echo reply begins nothing
    if first.ipProtocol == .icmp || first.ipProtocol == .icmpv6 { return false }
    var answer = first
    (answer.source, answer.destination) = (first.destination, first.source)
    if let source = first.transport.sourcePort, let destination = first.transport.destinationPort {
      answer.transport = .ports(source: destination, destination: source)
    }
    let way: Hook =
      switch hook {
      case .input: .output
      case .output: .input
      case .forward, .prerouting, .postrouting: hook
      }
    return !denies(answer, at: way)
  }

  /// Why the policy denies a flow: the rule, with its place, or what else it is.
  public func reason(_ first: Packet, at hook: Hook) -> Diagnostic.Note {
    let path: PacketPath =
      switch hook {
      case .input: .input
      case .output: .output
      case .forward, .prerouting, .postrouting: .forwarded
      }
    let decision = evaluator.decide(evaluator.comingByItsLink(first), on: path)
    return evaluator.policy.words(decision.step, decision.ends.last?.direction, isAllowed: decision.isAllowed)
  }

  private func atItsLink(_ packet: Packet) -> Packet {
    guard let bound = bound[packet.family] else { return packet }
    var low = 0
    var high = bound.count
    while low < high {
      let middle = (low + high) / 2
      if bound[middle].addresses.upper < packet.source.value { low = middle + 1 } else { high = middle }
    }
    guard low < bound.count, bound[low].addresses.contains(packet.source.value) else { return packet }
    var packet = packet
    packet.inputInterface = bound[low].link
    return packet
  }
}
