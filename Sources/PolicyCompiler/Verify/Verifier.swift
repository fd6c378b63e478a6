import Diagnostics
import Nftables
public import PacketSpace
import PolicyLanguage
import Synchronization

/// A ruleset that doesn't do what its policy says: a bug of ours, never the user's.
public struct Mistranslation: Sendable {
  /// The chain that is wrong.
  public var chain: String
  /// A packet that it judges wrongly; nil where what is wrong is said by `problem` alone.
  public var packet: Packet?
  public var problem: String
}

extension Mistranslation: CustomStringConvertible {
  public var description: String {
    "chain \(chain) doesn't do what the policy says" + (packet.map { " of the packet `\($0)`" } ?? "") + ": \(problem)"
  }
}

/// Proves that a ruleset means its policy, for every packet.
///
/// The policy becomes a diagram by reading its rules, the ruleset another by walking its chains; equal diagrams are one node. It
/// is done in pieces which together are the whole:
///
/// 1. of each profile, in both directions, the chain does what the profile's groups say;
/// 2. the addresses of the profiles with a group in them are that group's members, so each address has the profile of its groups;
/// 3. the base chain sends each packet to the chain of its source's profile, and those that come back to that of its
///    destination's, with what stands before and behind as the language says.
///
/// 4. where the ruleset only observes, the chains to which denied packets go are taken to drop them in (1) and (3), and no chain
///    drops anything.
///
/// Not a line is shared with the lowering but its claim of which addresses have which profile, and (2) proves that claim.
struct Verifier {
  let policy: Policy
  let enforcement: Enforcement
  let profiles: Profiles
  /// The ruleset ready to be walked: each walk begins with a copy that knows no chain's diagram.
  private let ruleset: RulesetDiagrams
  private let diagrams: PolicyDiagrams
  /// The ruleset, for words about what is wrong.
  private let source: Ruleset
  private let observes: Bool
  /// A chain that drops packets, or doesn't count and log them, in a ruleset that ought to observe only.
  private let drops: String?

  init(_ policy: Policy, _ enforcement: Enforcement, _ ruleset: Ruleset, _ profiles: Profiles, observes: Bool = false) {
    self.policy = policy
    self.enforcement = enforcement
    self.profiles = profiles
    source = ruleset
    self.observes = observes
    var walked = RulesetDiagrams(ruleset)
    var wrong = observes ? ruleset.chains.first(where: \.drops)?.name : nil
    if observes {
      // what would be dropped goes to these chains, which let it pass: (4)
      for chain in ruleset.chains where chain.name.hasPrefix(Names.deniedPrefix) {
        walked.assume(chain.name, .leaf(RulesetDiagrams.Outcome.drop.rawValue))
        if !Verifier.observing(chain, enforcement != .gateway) { wrong = chain.name }
      }
    }
    drops = wrong
    self.ruleset = walked
    diagrams = PolicyDiagrams(policy)
  }

  /// Nil where the ruleset means the policy.
  func verify() throws(DiagramBudgetExceeded) -> Mistranslation? {
    if let problem = verifyBaseChains() { return problem }
    if let drops {
      return Mistranslation(chain: drops, packet: nil, problem: "it doesn't observe what it ought to: count, log, and let pass")
    }
    if let problem = verifyMembership() { return problem }
    return try verifyChains()
  }

  /// The chains of all profiles and the base chains, on all cores: each is proved by itself. Of several problems the first in the
  /// order of the profiles is reported, whichever was found first, and the base chains' last.
  private func verifyChains() throws(DiagramBudgetExceeded) -> Mistranslation? {
    let jobs = profiles.profiles.flatMap { profile in Direction.allCases.map { (profile, $0) } }
    let first = Mutex<(job: Int, result: Result<Mistranslation?, DiagramBudgetExceeded>)>((.max, .success(nil)))
    // whether it is proved; of two problems the first job's is kept
    @Sendable func run(_ job: Int, _ proof: () throws(DiagramBudgetExceeded) -> Mistranslation?) -> Bool {
      let result = Result(catching: proof)
      if case .success(nil) = result { return true }
      first.withLock { if job < $0.job { $0 = (job, result) } }
      return false
    }
    let stride = 32
    let blocks = (jobs.count + stride - 1) / stride
    let next = Cursor()
    onAllCores(pieces: blocks + 1) {
      // each takes block after block, for the sake of its store
      var store = DiagramStore()
      while true {
        let block = next.take()
        if block > blocks { return }
        // the base chains take longest, so they are begun first
        if block == 0 {
          _ = run(jobs.count) { () throws(DiagramBudgetExceeded) in try verifyEntry() }
          continue
        }
        // what comes of a block doesn't depend on those before it
        store.removeAll()
        // with it stay the diagrams of chains that many profiles call
        var walked = ruleset
        for job in (block - 1) * stride..<min(block * stride, jobs.count) {
          if first.withLock({ $0.job < job }) { return }
          // the nodes of one profile seldom serve another: they go before there are many
          if store.count > 1 << 14 {
            store.removeAll()
            walked = ruleset
          }
          let isProved = run(job) { () throws(DiagramBudgetExceeded) in
            try verify(jobs[job].0, jobs[job].1, &walked, &store)
          }
          if !isProved { return }
        }
      }
    }
    return try first.withLock(\.result).get()
  }

  /// Numbers from 0 on, each of which is given to one thread.
  private final class Cursor: Sendable {
    private let next = Atomic(0)
    func take() -> Int { next.add(1, ordering: .relaxed).oldValue }
  }

  private typealias Outcome = RulesetDiagrams.Outcome

  /// The kernel calls the base chains that the language speaks of, at their hooks, and no others.
  private func verifyBaseChains() -> Mistranslation? {
    if source.hasTableFlags { return Mistranslation(chain: Lowering.mark, packet: nil, problem: "the table has flags") }
    let policies: [String: Verdict] =
      enforcement == .gateway ? [Names.forward: .accept] : [Names.input: .drop, Names.output: .drop]
    let hooks: [String: Hook] = [Names.forward: .forward, Names.input: .input, Names.output: .output]
    var open = Set(policies.keys)
    for chain in source.chains {
      guard let base = chain.base else { continue }
      let expected = policies[chain.name].map { BaseChain(hook: hooks[chain.name]!, policy: observes ? .accept : $0) }
      if base != expected || open.remove(chain.name) == nil {
        return Mistranslation(chain: chain.name, packet: nil, problem: "the kernel doesn't call it where and as it should")
      }
    }
    return open.min().map { Mistranslation(chain: $0, packet: nil, problem: "it isn't there") }
  }

  /// In a ruleset that observes, the chains to which denied packets go count and log them, and let them pass as an allowed one
  /// would: back to where egress was asked from, or out of the table.
  private static func observing(_ chain: Chain, _ isHost: Bool) -> Bool {
    let goesBack = chain.name == Names.deniedLinks || !isHost && chain.name.hasPrefix(Names.deniedChain(.egress, ""))
    guard chain.rules.count == 2, case .namedLimit = chain.rules[0].expressions.first,
      case .log = chain.rules[0].expressions.last
    else { return false }
    return chain.rules[0].expressions.count == 2
      && chain.rules[1].expressions == [.counter, .verdict(goesBack ? .return : .accept)]
  }

  // MARK: - Profiles' chains

  private func verify(
    _ profile: Profile, _ direction: Direction, _ walked: inout RulesetDiagrams, _ store: inout DiagramStore
  ) throws(DiagramBudgetExceeded) -> Mistranslation? {
    let name = Names.chain(direction, profile.name)
    let isHost = enforcement != .gateway
    let allow: Outcome = direction == .ingress || isHost ? .accept : .returns
    var meant = try diagrams.end(profile.groups, direction, in: &store) { _, isAllowed in
      (isAllowed ? allow : .drop).rawValue
    }
    let invalid = PacketBox().narrowed(.connectionState, to: Interval(ConnectionState.invalid.bit))
    meant = try store.overlay(invalid, .leaf(Outcome.drop.rawValue), on: meant)
    let done = try walked.chain(name, in: &store)
    if meant == done { return nil }
    return try difference(name, meant, done, &store) { packet in
      if packet.state == .invalid { return "the policy drops what is invalid" }
      let end = PolicyEvaluator(policy, enforcement).judge(packet, direction, profile.groups)
      let reason = policy.words(end.step, direction, isAllowed: end.isAllowed).message
      return "the policy \(end.isAllowed ? "allows" : "denies") it (\(reason))"
    }
  }

  /// The witness of two diagrams that ought to be one.
  private func difference(
    _ chain: String, _ meant: Diagram, _ done: Diagram, _ store: inout DiagramStore, _ words: (Packet) -> String
  ) throws(DiagramBudgetExceeded) -> Mistranslation? {
    let parts = try store.combine(meant, done) { $0 == $1 ? 0 : 1 }
    guard let packet = store.witness(parts, 1) else {
      // they part only where no packet can be
      return nil
    }
    return Mistranslation(chain: chain, packet: packet, problem: "\(words(packet)), \(deciding(packet, chain))")
  }

  /// What the ruleset does with a packet that enters a chain, and the rule that does it.
  private func deciding(_ packet: Packet, _ chain: String) -> String {
    var entered = source
    let entry = "entry"
    let path = chain == Names.input ? Hook.input : chain == Names.output ? .output : .forward
    entered.chains.removeAll { $0.base != nil && $0.name != chain }
    if !entered.chains.contains(where: { $0.name == chain && $0.base != nil }) {
      let base = BaseChain(hook: path, policy: .accept)
      entered.chains.append(Chain(entry, base: base, rules: [Nftables.Rule([.verdict(.goto(chain))])]))
    }
    let step = RulesetEvaluator(entered).evaluate(packet, at: path).trace.last { $0.chain != entry }
    guard let step, let rule = step.rule, let found = entered.chains.first(where: { $0.name == step.chain }) else {
      return "and no rule decides it"
    }
    return "and it is decided by the rule `\(TextWriter.line(found.rules[rule]))` of chain \(step.chain)"
  }

  // MARK: - Who has which profile

  private func verifyMembership() -> Mistranslation? {
    if case .host(let instance) = enforcement {
      let groups = PolicyEvaluator(policy, enforcement).groups(ofInstance: instance)
      return profiles.profiles.map(\.groups) == [groups]
        ? nil : Mistranslation(chain: Names.input, packet: nil, problem: "the machine's groups are others than its instance's")
    }
    for family in IPFamily.allCases {
      var claimed = [[Interval]](repeating: [], count: policy.groups.count)
      for entry in profiles[family] {
        for group in profiles.profiles[entry.profile].groups { claimed[group].append(entry.interval) }
      }
      for (index, group) in policy.groups.enumerated() {
        let members = group.isExternal ? IntervalSet() : group.members[family]
        if IntervalSet(claimed[index]) != members {
          return Mistranslation(
            chain: Names.forward, packet: nil, problem: "the profiles with group `\(group.name)` don't have its members")
        }
      }
    }
    return nil
  }

  // MARK: - Base chains

  /// From where the kernel's packets come in to the profiles' chains.
  private func verifyEntry() throws(DiagramBudgetExceeded) -> Mistranslation? {
    var store = DiagramStore()
    switch enforcement {
    case .gateway: return try verifyForward(&store)
    case .host: return try verifyHost(&store)
    }
  }

  private func verifyForward(_ store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Mistranslation? {
    let count = profiles.profiles.count
    let egress = Outcome.other.rawValue
    let ingress = egress + count
    let unmanaged = Diagram.leaf((policy.options.unmanaged == .drop ? Outcome.drop : .accept).rawValue)
    for comesBack in [false, true] {
      store.removeAll()
      var walked = ruleset
      for (index, profile) in profiles.profiles.enumerated() {
        walked.assume(Names.chain(.egress, profile.name), .leaf(comesBack ? Outcome.returns.rawValue : egress + index))
        walked.assume(Names.chain(.ingress, profile.name), .leaf(ingress + index))
      }
      let done = try walked.baseChain(Names.forward, in: &store)

      // where egress came back the source is protected, so nothing but the destination's ingress can deny
      let sources = try select(.source, &store) { comesBack ? Outcome.accept.rawValue : egress + $0 }
      let destinations = try select(.destination, &store) { ingress + $0 }
      let (first, second) = comesBack ? (destinations, sources) : (sources, destinations)
      var meant = try store.replace(Verifier.none, in: second, by: unmanaged)
      meant = try store.replace(Verifier.none, in: first, by: meant)
      let sessions = PacketBox().narrowed(
        .connectionState, to: IntervalSet([.established, .related].map { (state: ConnectionState) in Interval(state.bit) }))
      meant = try store.overlay(sessions, .leaf(Outcome.accept.rawValue), on: meant)
      meant = try bindings(meant, &store)
      if meant != done, let problem = try difference(Names.forward, meant, done, &store, { _ in way }) { return problem }
    }
    return nil
  }

  /// What is wrong with a base chain.
  private let way =
    "it isn't sent to the chains of its ends, or it doesn't get past what stands around them, as the language says"

  private static let none = 0x7FFF_FFF0

  /// Which profile the address on an axis has, as `decision` of its index; `none` for none.
  private func select(
    _ axis: PacketAxis, _ store: inout DiagramStore, _ decision: (Int) -> Int
  ) throws(DiagramBudgetExceeded) -> Diagram {
    var result = Diagram.leaf(Verifier.none)
    for family in IPFamily.allCases {
      let pieces = profiles[family].map { entry in
        let isLast = family == .ipv4 && entry.interval.upper == family.maximum
        return (isLast ? Interval(entry.interval.lower, axis.maximum) : entry.interval, decision(entry.profile))
      }
      let selector = try store.selector(axis, pieces, otherwise: Verifier.none)
      let box = PacketBox().narrowed(.family, to: Interval(UInt128(family.rawValue)))
      result = try store.overlay(box, selector, on: result)
    }
    return result
  }

  /// Drops what comes from a bound address on another link, or on a link with bound instances from none of them.
  private func bindings(_ rest: Diagram, _ store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Diagram {
    var links: [UInt128: [AddressRange]] = [:]
    for instance in policy.instances {
      if let name = instance.interface { links[LinkName.number(name), default: []] += instance.addresses.ranges }
    }
    if links.isEmpty { return rest }
    func mark(_ addresses: AddressSet, _ decision: Int, otherwise: Int) throws(DiagramBudgetExceeded) -> Diagram {
      var result = Diagram.leaf(otherwise)
      for box in PolicyDiagrams.boxes(addresses, .source) { result = try store.overlay(box, .leaf(decision), on: result) }
      return result
    }
    var pieces: [(Interval, Diagram)] = []
    for (link, addresses) in links.sorted(by: { $0.key < $1.key }) {
      pieces.append((Interval(link), try mark(AddressSet(addresses), 1, otherwise: 0)))
    }
    let elsewhere = try mark(AddressSet(links.values.joined()), 0, otherwise: 1)
    let isRight = try store.switching(.inputLink, pieces, otherwise: elsewhere)
    return try store.choose(isRight, rest, else: .leaf(Outcome.drop.rawValue))
  }

  private func verifyHost(_ store: inout DiagramStore) throws(DiagramBudgetExceeded) -> Mistranslation? {
    let judged = Outcome.other.rawValue
    for (chain, direction) in [(Names.input, Direction.ingress), (Names.output, .egress)] {
      var walked = ruleset
      walked.assume(Names.chain(direction, profiles.profiles[0].name), .leaf(judged))
      let done = try walked.baseChain(chain, in: &store)
      let accept = Diagram.leaf(Outcome.accept.rawValue)
      var meant = Diagram.leaf(judged)
      let sessions = PacketBox().narrowed(
        .connectionState, to: IntervalSet([.established, .related].map { (state: ConnectionState) in Interval(state.bit) }))
      for box in PolicyDiagrams.prologue(direction) + [sessions] { meant = try store.overlay(box, accept, on: meant) }
      if meant != done, let problem = try difference(chain, meant, done, &store, { _ in way }) { return problem }
    }
    return nil
  }
}

extension Chain {
  /// Whether anything in it drops a packet.
  fileprivate var drops: Bool {
    if base?.policy == .drop { return true }
    return rules.contains { rule in
      rule.expressions.contains { expression in
        switch expression {
        case .verdict(let verdict): verdict == .drop
        case .lookup(let lookup):
          if case .anonymous(let elements) = lookup.source { elements.verdicts.contains(.drop) } else { false }
        case .match, .namedLimit, .limit, .log, .counter, .unknown: false
        }
      }
    }
  }
}
