import Nftables
import PacketSpace
import PolicyLanguage

/// The chain of a profile in one direction: the language's §7, step by step.
///
///     web: { ingress: [{ allow: [http, https], from: any }, { deny: ssh, from: 203.0.113.66 }, { allow: ssh, from: office }] }
///
///     chain ingress/web {
///       ct state invalid drop
///       tcp dport 22 ip saddr 203.0.113.66 ip saddr != @group-ipv4/web drop   rules by priority, deny first
///       tcp dport { 80, 443 } accept
///       tcp dport 22 ip saddr @list-ipv4/office accept
///       ip saddr @group-ipv4/web accept                                       intra-group (`IntraGroupStep`)
///       drop                                                                  the default
///     }
///
/// Ingress is the last to be asked, so its allow is `accept`. Egress is asked first: on a gateway its allow is `return`, back to
/// the base chain, where the destination's ingress follows; on a host nothing follows and it is `accept`.
struct ProfileChains {
  let policy: Policy
  let isHost: Bool
  /// Whether what is denied passes, counted and logged.
  let observes: Bool
  /// Which groups a rule names as a peer, by index.
  let isPeer: [Bool]
  var thresholds: Thresholds
  var sets: AddressSets
  var provenance: Provenance
  var shapes: RuleShapes
  var called: CalledChains
  var shared: SharedRules

  /// The chains, in the order of a reader: the profile's own first, then those that it leads to.
  mutating func lower(_ profile: Profile, _ direction: Direction) -> [Chain] {
    // in a variable: else it is copied whenever something else of this value changes
    let policy = self.policy
    let allow: Verdict = direction == .ingress || isHost ? .accept : .return
    let deniedChain = Names.deniedChain(direction, profile.name)
    let deny: Verdict = observes || policy.options.log == .denied ? .goto(deniedChain) : .drop
    var leaves: [Chain] = []
    var rules = [LoweredRule([.state(.invalid)], observes ? deny : .drop, note: "invalid")]
    rules += exempt(direction, allow)

    let isBasic = policy.groups[profile.groups[0]].type == .basic
    let byDefault: Action = direction == .egress && isBasic ? .allow : .deny
    let defaultRule = LoweredRule([], byDefault == .allow ? allow : deny, note: "default")
    let all = OrderedRule.of(profile, direction, policy, provenance)
    let compared = all.map { (action: $0.rule.action, shape: shapes.of($0, policy), stays: shared.contains($0.key(direction))) }
    let idle = IdleRules(
      compared, front: front(profile, direction), default: byDefault, leavesOutRedundant: thresholds.leavesOutRedundant)
    let ordered = idle.kept.map { all[$0] }
    let intraGroup = ordered.leaveSomethingDenied(byDefault) ? intraGroupStep(profile, direction, allow) : nil
    // step 1 has been made where the step is nil; before a default that allows it needn't be
    var step = intraGroup
    let plain = lower(ordered, direction, allow: allow, deny: deny, &step)
    // members, who come and go, don't count
    let plainCount = plain.count - (step == nil ? intraGroup?.rules.count ?? 0 : 0) + 1
    if let dispatch = ServiceDispatch(ordered, plainCount: plainCount, thresholds) {
      thresholds.leaves -= dispatch.cost
      rules += intraGroup?.rules ?? []
      step = nil
      var services = VerdictElements(stride: 2)
      for leaf in dispatch.leaves {
        var content = lower(leaf.rules.map { ordered[$0].inLeaf }, direction, allow: allow, deny: deny, &step) + [defaultRule]
        content = FlattenRuns.flatten(content, from: thresholds.flatten).endingAtFirstDecision
        let verdict: Verdict
        if case .verdict(let decision) = content[0].verdict, content[0].decidesAll {
          verdict = decision
        } else {
          let name = Names.part(direction, leaf.name, of: profile.name)
          verdict = .goto(name)
          leaves.append(chain(name, content, []))
        }
        for atom in leaf.atoms { services.append(atom.1, Interval(UInt128(atom.0.rawValue)), verdict: verdict) }
      }
      rules.append(
        LoweredRule(
          [], .lookup(VerdictLookup(.concatenation([.destinationPort, .l4proto]), .anonymous(services))), origins: [],
          note: "by service"))
      rules += lower(ordered.compactMap(\.withoutPorts), direction, allow: allow, deny: deny, &step)
    } else {
      let last = byDefault == .deny && allow == .return && deny == .drop ? lastWords(ordered) : []
      if last.isEmpty && !ordered.contains(where: { shared.contains($0.key(direction)) }) {
        rules += plain
      } else {
        step = intraGroup
        rules += lower(ordered, last: last, direction, allow: allow, deny: deny, &step)
      }
      if byDefault == .deny { rules += step?.rules ?? [] }
    }
    rules.append(defaultRule)
    let described = profile.groups.map { "\(policy.groups[$0].type.rawValue) group \(policy.groups[$0].name)" }
    let annotations =
      ["\(direction.rawValue) of \(described.joined(separator: " and "))"]
      + leftOut("left out, never decides", idle.neverDeciding.map { all[$0].number })
      + leftOut("left out, changes nothing", idle.redundant.map { all[$0].number })
    let chains = [chain(Names.chain(direction, profile.name), rules.endingAtFirstDecision, annotations)] + leaves
    guard chains.contains(where: { $0.leads(to: deniedChain) }) else { return chains }
    let prefix = Names.logPrefix(direction, profile.name)
    return chains + [.denied(deniedChain, prefix, policy.options, instead: observes ? allow : nil)]
  }

  /// Step 0.
  private mutating func exempt(_ direction: Direction, _ allow: Verdict) -> [LoweredRule] {
    let addresses = direction == .ingress ? policy.options.exemptFrom : policy.options.exemptTo
    let key = direction == .ingress ? "exempt-from" : "exempt-to"
    return IPFamily.allCases.compactMap { family in
      sets.other(Names.exempt(direction, family), family, addresses[family], annotation: "options: \(key)").map {
        LoweredRule([.match(direction.peer.field(family), $0)], allow, note: key)
      }
    }
  }

  /// What is allowed by the steps before the rules. The members of a group are taken for whoever they will be.
  private func front(_ profile: Profile, _ direction: Direction) -> [RuleShape] {
    let exempt = direction == .ingress ? policy.options.exemptFrom : policy.options.exemptTo
    let friends = intraGroups(profile, direction)
    var result = friends.isEmpty ? [] : [RuleShape(AddressSet(), groups: friends)]
    if !exempt.isEmpty { result.append(RuleShape(exempt, groups: friends)) }
    return result
  }

  /// Lines that name the rules which aren't written, and say why.
  private func leftOut(_ reason: String, _ numbers: [UInt32]) -> [String] {
    var lines: [String] = []
    for name in provenance.names(numbers.sorted(), policy) {
      if let last = lines.last, last.utf8.count + name.utf8.count < 90 {
        lines[lines.count - 1] = "\(last), \(name)"
      } else {
        lines.append("\(reason): \(name)")
      }
    }
    return lines
  }

  /// Step 2, rule by rule.
  ///
  /// - Parameter step: step 1 where it is still to come; nil behind it.
  mutating func lower(
    _ ordered: [OrderedRule], _ direction: Direction, allow: Verdict, deny: Verdict, _ step: inout IntraGroupStep?
  ) -> [LoweredRule] {
    var result: [LoweredRule] = []
    for item in ordered {
      let services: [ServiceMatches] =
        item.isServiceKnown
        ? [ServiceMatches(expressions: ServiceMatches.sourcePorts(item.rule.sourcePorts), family: nil, impliesFamily: false)]
        : ServiceMatches.of(item.rule.services, sourcePorts: item.rule.sourcePorts, setFrom: sets.setFrom)
      if item.rule.action == .deny, let before = step {
        // what is called can't know whose members are spared
        let plain = alternatives(item, services, direction, deny, callsPeers: false)
        if let spared = before.sparing(plain.map(\.matches)) {
          for (matches, alternative) in zip(spared, plain) {
            result.append(LoweredRule(matches, alternative.verdict, origin: item.number))
          }
          continue
        }
        result += before.rules
        step = nil
      }
      let verdict = item.rule.action == .allow ? allow : deny
      for (matches, verdict) in alternatives(item, services, direction, verdict, callsPeers: true) {
        result.append(LoweredRule(matches, verdict, origin: item.number))
      }
    }
    return result
  }

  /// The alternatives of a rule, each with its verdict or with a call of a chain that has it.
  ///
  /// - Parameter callsPeers: whether that may be a chain that asks for the peer.
  private mutating func alternatives(
    _ item: OrderedRule, _ services: [ServiceMatches], _ direction: Direction, _ verdict: Verdict, callsPeers: Bool
  ) -> [(matches: [Expression], verdict: Verdict)] {
    let matches = RuleMatches(direction)
    guard verdict == .accept || verdict == .drop else {
      return matches.alternatives(item.rule, services, &sets).map { ($0, verdict) }
    }
    var rule = item.rule
    var result: [(matches: [Expression], verdict: Verdict)] = []
    let asksPeers = !rule.peers.contains(.any)
    if callsPeers, asksPeers, rule.own == nil, services.allSatisfy({ $0.family == nil }) {
      var rest: [Peer] = []
      for peer in rule.peers {
        // by the peer where that takes no more rules than by the service
        if let count = sets.ruleCount(peer), count > 1, count >= services.count,
          let name = called.chain(peer, direction, rule.action)
        {
          result += services.map { ($0.expressions, .jump(name)) }
        } else {
          rest.append(peer)
        }
      }
      if rest.isEmpty { return result }
      rule.peers = rest
    }
    if !item.isServiceKnown, rule.sourcePorts == nil, services.count > 1 || asksPeers || rule.own != nil,
      let name = called.chain(rule.services, alternatives: services.count, rule.action)
    {
      let family = services.allSatisfy { $0.family == services[0].family } ? services[0].family : nil
      let anything = ServiceMatches(expressions: [], family: family, impliesFamily: false)
      return result + matches.alternatives(rule, [anything], &sets).map { ($0, .jump(name)) }
    }
    return result + matches.alternatives(rule, services, &sets).map { ($0, verdict) }
  }

  mutating func chain(_ name: String, _ lowered: [LoweredRule], _ annotations: [String]) -> Chain {
    let rules = lowered.map { rule in
      Nftables.Rule(
        rule.matches + [rule.verdict], comment: provenance.comment(rule, policy), origin: provenance.origin(rule.origins))
    }
    return Chain(name, rules: rules, annotations: annotations)
  }
}

/// A rule of the policy in its place among those that are merged with it.
struct OrderedRule {
  var rule: PolicyLanguage.Rule
  var group: Int
  /// As `Provenance` counts.
  var number: UInt32
  /// Whether a lookup by service has been made already, and found this rule's.
  var isServiceKnown = false

  /// The rules of all of a profile's groups, the strongest first: by priority, and at one priority every deny before every
  /// allow. Among equals the order is the policy's, for the reader.
  static func of(_ profile: Profile, _ direction: Direction, _ policy: Policy, _ provenance: Provenance) -> [OrderedRule] {
    var result: [(rank: Int, item: OrderedRule)] = []
    for group in profile.groups {
      for (index, rule) in policy.groups[group].rules(direction).enumerated() {
        let rank = Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1)
        result.append((rank, OrderedRule(rule: rule, group: group, number: provenance.number(group, direction, index))))
      }
    }
    result.sort { ($0.rank, $0.item.number) < ($1.rank, $1.item.number) }
    return result.map(\.item)
  }

  func key(_ direction: Direction) -> SharedRules.Key {
    SharedRules.Key(group: group, direction: direction, action: rule.action, priority: rule.priority)
  }

  var inLeaf: OrderedRule {
    var result = self
    result.isServiceKnown = true
    return result
  }

  /// The rule without its terms that name ports; nil where nothing is left of it.
  var withoutPorts: OrderedRule? {
    var result = self
    result.rule.services.removeAll { if case .ports = $0 { true } else { false } }
    return result.rule.services.isEmpty ? nil : result
  }
}

extension [OrderedRule] {
  /// Whether some packet comes to a rule that denies, or to a default that does.
  fileprivate func leaveSomethingDenied(_ byDefault: Action) -> Bool {
    let decisive = firstIndex { item in
      let rule = item.rule
      return rule.services.contains(.all) && rule.peers.contains(.any) && rule.own == nil && rule.sourcePorts == nil
    }
    let reached = decisive.map { self[...$0] } ?? self[...]
    return reached.contains { $0.rule.action == .deny } || decisive == nil && byDefault == .deny
  }
}

extension [LoweredRule] {
  /// The rules up to the first that decides every packet: those behind it are never reached.
  var endingAtFirstDecision: [LoweredRule] {
    guard let last = firstIndex(where: \.decidesAll) else { return self }
    return Array(self[...last])
  }
}

extension Chain {
  /// Whether one of its rules goes to the chain of this name.
  fileprivate func leads(to name: String) -> Bool {
    rules.contains { rule in
      switch rule.expressions.last {
      case .verdict(.goto(name)): true
      case .lookup(let lookup):
        if case .anonymous(let elements) = lookup.source { elements.verdicts.contains(.goto(name)) } else { false }
      case .verdict, .match, .namedLimit, .limit, .log, .counter, .unknown, nil: false
      }
    }
  }

  /// Where denied packets go when they are logged: at most so many a second, over all chains of this kind.
  ///
  /// - Parameter instead: what becomes of them where they aren't dropped but only observed; they are then counted.
  static func denied(_ name: String, _ prefix: String, _ options: Options, instead: Verdict?) -> Chain {
    Chain(
      name,
      rules: [
        Nftables.Rule([.namedLimit(Names.deniedLimit), .log(prefix: prefix, group: options.logGroup)]),
        Nftables.Rule(instead.map { [.counter, .verdict($0)] } ?? [.verdict(.drop)]),
      ])
  }
}
