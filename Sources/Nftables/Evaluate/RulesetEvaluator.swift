public import PacketSpace

/// Decides single packets as the kernel does: by walking the table's chains.
///
/// What counts is the kernel's, not the reader's first thought: an expression that has nothing to load ends its rule, also where
/// it is negated; `return` out of a chain that was reached by `goto` goes back behind the last `jump`; `accept` ends only the base
/// chain that it is in; an element of a verdict map that says `continue` goes on with the next expression.
/// - Source: nf_tables_core.c (`nft_do_chain`), netfilter/core.c (`nf_hook_slow`).
public struct RulesetEvaluator: Sendable {
  /// What every `limit` says.
  public enum Limits: Sendable {
    case within, exceeded
  }

  public enum Decision: Hashable, Sendable {
    case accept, drop
    /// The packet came to something whose effect isn't known; the text says what.
    case undecidable(String)
  }

  /// A rule that decided something or logged, or a base chain's policy.
  public struct Step: Sendable {
    public var chain: String
    /// Its place in the chain, or nil for the chain's policy.
    public var rule: Int?
    public var origin: Origin?
    /// The place of the element that was found, where a verdict map decided.
    public var element: Int?
    /// Nil where the rule only logged.
    public var verdict: Verdict?
    public var isLogged: Bool
  }

  public struct Outcome: Sendable {
    public var decision: Decision
    /// In the order in which the packet came by: the last step decided.
    public var trace: [Step]
  }

  private let isEnforced: Bool
  private let limits: Limits
  private let chains: [Program]
  /// The base chains of each hook in the order in which packets come by.
  private let baseChains: [Hook: [Int]]

  /// Prepares a ruleset for many packets. Takes O(n log n) for n elements, O(n) where they ascend.
  public init(_ ruleset: Ruleset, limits: Limits = .within) {
    isEnforced = !ruleset.hasTableFlags
    self.limits = limits
    let builder = ProgramBuilder(ruleset)
    chains = ruleset.chains.map { builder.program($0) }
    var byHook: [Hook: [Int]] = [:]
    // of one priority, the one that registered last comes first (nf_hook_entries_grow)
    for (i, chain) in ruleset.chains.enumerated().reversed() {
      if let base = chain.base { byHook[base.hook, default: []].append(i) }
    }
    for (hook, indices) in byHook {
      // Swift's sort is stable
      byHook[hook] = indices.sorted { ruleset.chains[$0].base!.priority < ruleset.chains[$1].base!.priority }
    }
    baseChains = byHook
  }

  /// What this table makes of a packet that comes to `hook`.
  public func evaluate(_ packet: Packet, at hook: Hook) -> Outcome {
    var trace: [Step] = []
    guard isEnforced else { return Outcome(decision: .accept, trace: []) }
    for index in baseChains[hook] ?? [] {
      switch run(packet, from: index, &trace) {
      case .accept: continue
      case .drop: return Outcome(decision: .drop, trace: trace)
      case .undecidable(let reason): return Outcome(decision: .undecidable(reason), trace: trace)
      }
    }
    return Outcome(decision: .accept, trace: trace)
  }

  /// The most jumps that a packet can be inside of (NFT_JUMP_STACK_SIZE).
  private static let deepestJump = 16
  /// More chains than a packet comes through unless they lead in a circle, which the kernel doesn't load.
  private static let mostChains = 1 << 16

  private func run(_ packet: Packet, from start: Int, _ trace: inout [Step]) -> Decision {
    guard let base = chains[start].base, base.type == "filter" else {
      return .undecidable("the chain \(chains[start].name) is not of type filter")
    }
    var stack: [(chain: Int, next: Int)] = []
    var chain = start
    var next = 0
    var entered = 0
    while true {
      let verdict: Target
      if next < chains[chain].rules.count {
        next += 1
        switch run(chains[chain].rules[next - 1], packet, chain, next - 1, &trace) {
        case .goesOn: continue
        case .undecidable(let reason): return .undecidable(reason)
        case .verdict(let found): verdict = found
        }
      } else {
        verdict = .return
      }
      switch verdict {
      case .accept: return .accept
      case .drop: return .drop
      case .continue: continue
      case .missing(let name): return .undecidable("there is no chain \(name)")
      case .jump(let target):
        if stack.count == RulesetEvaluator.deepestJump { return .undecidable("jumps are nested too deep") }
        stack.append((chain, next))
        (chain, next, entered) = (target, 0, entered + 1)
      case .goto(let target):
        (chain, next, entered) = (target, 0, entered + 1)
      case .return:
        guard let back = stack.popLast() else {
          let step = Step(
            chain: chains[start].name, rule: nil, origin: nil, element: nil, verdict: base.policy, isLogged: false)
          trace.append(step)
          switch base.policy {
          case .accept: return .accept
          case .drop: return .drop
          case .return, .continue, .jump, .goto: return .undecidable("a base chain's policy is accept or drop")
          }
        }
        (chain, next) = back
      }
      if entered > RulesetEvaluator.mostChains { return .undecidable("chains lead in a circle") }
    }
  }

  private enum RuleOutcome {
    case goesOn
    case verdict(Target)
    case undecidable(String)
  }

  private func run(_ rule: Program.Rule, _ packet: Packet, _ chain: Int, _ index: Int, _ trace: inout [Step]) -> RuleOutcome {
    var isLogged = false
    func step(_ verdict: Verdict?, _ element: Int? = nil) -> Step {
      Step(
        chain: chains[chain].name, rule: index, origin: rule.origin, element: element, verdict: verdict, isLogged: isLogged)
    }
    for operation in rule.operations {
      switch operation {
      case .compare(let field, let interval, let isNegated):
        if let value = packet.value(of: field), interval.contains(value) != isNegated { continue }
      case .find(let fields, let index, let isNegated):
        if let found = find(fields, index, packet), (found >= 0) != isNegated { continue }
      case .lookup(let fields, let index, let targets, let verdicts):
        if let found = find(fields, index, packet), found >= 0 {
          if case .continue = targets[found] { continue }
          trace.append(step(verdicts[found], found))
          return .verdict(targets[found])
        }
      case .verdict(let target, let verdict):
        if case .continue = target { continue }
        trace.append(step(verdict))
        return .verdict(target)
      case .limit:
        if limits == .within { continue }
      case .log:
        isLogged = true
        continue
      case .unknown(let reason):
        return .undecidable(reason)
      }
      // an operation that goes on has said so: this one ends the rule
      break
    }
    if isLogged { trace.append(step(nil)) }
    return .goesOn
  }

  /// The number of the element, -1 for none, or nil where a field has nothing to load.
  private func find(_ fields: [Field], _ index: ElementIndex, _ packet: Packet) -> Int? {
    if fields.count == 1 {
      guard let value = packet.value(of: fields[0]) else { return nil }
      return index.find(value) ?? -1
    }
    var values: [UInt128] = []
    values.reserveCapacity(fields.count)
    for field in fields {
      guard let value = packet.value(of: field) else { return nil }
      values.append(value)
    }
    return index.find(values) ?? -1
  }
}
