import Diagnostics
import PacketSpace
import TestSupport
import Testing

@testable import PolicyLanguage

/// `shadowed-rule` and `redundant-rule` against brute force: a small world whose packets are all tried.
@Suite struct DeadRulesTests {
  /// Every packet of the world that asks the rules of an end.
  private static let packets: [Packet] = {
    var result: [Packet] = []
    for family in IPFamily.allCases {
      var headers: [(IPProtocol, TransportHeader)] = [(.gre, .empty), (IPProtocol(rawValue: 99), .empty)]
      for port: UInt16 in [22, 80, 81, 443, 9999] {
        for source: UInt16 in [1000, 2000] { headers.append((.tcp, .ports(source: source, destination: port))) }
      }
      for port: UInt16 in [53, 54] {
        for source: UInt16 in [1000, 2000] { headers.append((.udp, .ports(source: source, destination: port))) }
      }
      for type: UInt8 in family == .ipv4 ? [8, 13] : [128, 139] {
        headers.append((family == .ipv4 ? .icmp : .icmpv6, .icmp(type: type, code: 0)))
      }
      for peer in SmallWorld.peers(family) {
        for own in SmallWorld.owns(family) {
          for (ipProtocol, header) in headers {
            result.append(Packet(source: peer, destination: own, ipProtocol: ipProtocol, transport: header, state: .new))
          }
        }
      }
    }
    return result
  }()

  /// What the groups of an instance decide, packet by packet, and why.
  private func answers(_ policy: Policy, _ instance: Int, _ direction: Direction) -> [Decision.End] {
    let evaluator = PolicyEvaluator(policy, .host(instance: instance))
    return DeadRulesTests.packets.map { packet in
      var packet = packet
      if direction == .egress { (packet.source, packet.destination) = (packet.destination, packet.source) }
      return evaluator.decide(packet, on: direction == .ingress ? .input : .output).ends[0]
    }
  }

  /// The policy with no rules enforced but those of one group.
  private func alone(_ policy: Policy, _ group: Int) -> Policy {
    var result = policy
    for other in policy.groups.indices where other != group { result.groups[other].isExternal = true }
    return result
  }

  private func without(_ places: Set<RulePlace>, _ policy: Policy) -> Policy {
    var result = policy
    for group in policy.groups.indices {
      func keep(_ direction: Direction) -> [Rule] {
        policy.groups[group].rules(direction).enumerated()
          .filter { !places.contains(RulePlace(group: group, direction: direction, index: $0.offset)) }.map(\.element)
      }
      result.groups[group].ingress = keep(.ingress)
      result.groups[group].egress = keep(.egress)
    }
    return result
  }

  private func isSame(_ a: [Decision.End], _ b: [Decision.End]) -> Bool {
    zip(a, b).allSatisfy { $0.isAllowed == $1.isAllowed }
  }

  @Test func whatIsReportedCanGo() {
    var generator = SeededGenerator(seed: 1)
    var found = 0
    for number in 0..<60 {
      let policy = SmallWorld.policy(groups: 1...3, using: &generator)
      var report = LintReport()
      let rules = DeadRules(LintFacts(policy, PolicyWords()), into: &report)
      let gone = rules.gone
      found += gone.count
      let rest = without(gone, policy)
      for direction in Direction.allCases {
        for instance in policy.instances.indices {
          #expect(
            isSame(answers(policy, instance, direction), answers(rest, instance, direction)),
            "instance \(instance) \(direction) of policy \(number), \(generator)")
          for group in policy.instances[instance].groups {
            #expect(
              isSame(answers(alone(policy, group), instance, direction), answers(alone(rest, group), instance, direction)),
              "group \(group) \(direction) of policy \(number), \(generator)")
          }
        }
      }
    }
    #expect(found > 60)
  }

  @Test func whatCanGoIsReported() {
    var generator = SeededGenerator(seed: 2)
    for number in 0..<60 {
      let policy = SmallWorld.policy(groups: 1...1, using: &generator)
      var report = LintReport()
      let rules = DeadRules(LintFacts(policy, PolicyWords()), into: &report)
      let gone = rules.gone
      for place in LintFacts(policy, PolicyWords()).places(of: 0) where !gone.contains(place) && !rules.defeated.contains(place)
      {
        let rule = policy.groups[0].rules(place.direction)[place.index]
        // a rule that matches nothing has another diagnostic
        if PolicyDiagrams(policy).boxes(rule, place.direction).isEmpty { continue }
        // needed as it stands, or once those that never decide have been removed
        let isNeeded = [gone, gone.union(rules.defeated)].contains { gone in
          let all = answers(without(gone, policy), 0, place.direction)
          return !isSame(all, answers(without(gone.union([place]), policy), 0, place.direction))
        }
        #expect(isNeeded, "\(place) of policy \(number), \(generator)")
      }
    }
  }

  @Test func shadowedIsWhatNeverDecides() {
    var generator = SeededGenerator(seed: 3)
    var found = 0
    for number in 0..<60 {
      let policy = SmallWorld.policy(groups: 1...1, using: &generator)
      var report = LintReport()
      _ = DeadRules(LintFacts(policy, PolicyWords()), into: &report)
      let reported = report.diagnostics.filter { $0.code == "shadowed-rule" }
      for place in LintFacts(policy, PolicyWords()).places(of: 0) {
        let rule = policy.groups[0].rules(place.direction)[place.index]
        let rank = rankOf(rule)
        // what the rule matches: alone in its group it decides
        var only = policy
        only.groups[0].intraGroup = .isolate
        only.options = Options()
        only.groups[0].ingress = place.direction == .ingress ? [rule] : []
        only.groups[0].egress = place.direction == .egress ? [rule] : []
        let matches = answers(only, 0, place.direction).map { if case .rule = $0.step { true } else { false } }
        let others = answers(without([place], policy), 0, place.direction)
        let left = without([place], policy)
        var isShadowed = matches.contains(true)
        // what it wants and no stronger rule of its own action says
        var backing = policy
        let backs = { (other: Rule) in other.action == rule.action && self.rankOf(other) < rank }
        backing.groups[0].ingress = policy.groups[0].ingress.filter(backs)
        backing.groups[0].egress = policy.groups[0].egress.filter(backs)
        let backed = answers(backing, 0, place.direction).map { if case .default = $0.step { false } else { true } }
        var isDefeated = false
        var isByStep = false
        for (index, end) in others.enumerated() where matches[index] {
          switch end.step {
          case .rule(_, let direction, let at):
            if rankOf(left.groups[0].rules(direction)[at]) >= rank { isShadowed = false }
          case .exempt, .intraGroup: isByStep = true
          case .notEnforced, .linkBinding, .prologue, .session, .invalid, .default, .unmanaged: isShadowed = false
          }
          if end.isAllowed != (rule.action == .allow), !backed[index] { isDefeated = true }
        }
        let finding = reported.first { $0.range == rule.range }
        let isExpected = isShadowed && !(isByStep && rule.action == .deny)
        #expect((finding != nil) == isExpected, "\(place) of policy \(number), \(generator)")
        if let finding {
          found += 1
          #expect((finding.severity == .error) == isDefeated, "\(place) of policy \(number), \(generator)")
        }
      }
    }
    #expect(found > 15)
  }

  private func rankOf(_ rule: Rule) -> Int { Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1) }

  /// A rule that decides in its group alone, but that another group overrides at each address.
  @Test func otherGroupsShadow() {
    let range = { SourceRange(file: 0, start: $0, end: $0 + 1) }
    let peer = Peer.addresses(AddressRange(IPAddress("198.51.100.1")!))
    let allow = Rule(action: .allow, services: [.all], peers: [peer], priority: 50, range: range(1))
    let deny = Rule(action: .deny, services: [.all], peers: [.any], priority: 3, range: range(2))
    let one = AddressSet([AddressRange(IPAddress("10.0.0.1")!)])
    let two = AddressSet([AddressRange(IPAddress("10.0.0.2")!)])
    func codes(bothHaveLockdown: Bool) -> [String] {
      let all = one.union(two)
      let web = Group(name: "web", intraGroup: .isolate, members: all, ingress: [allow], range: range(3))
      let members = bothHaveLockdown ? all : one
      let lockdown = Group(name: "lockdown", intraGroup: .isolate, members: members, ingress: [deny], range: range(4))
      let facts = LintFacts(Policy(groups: [web, lockdown]), PolicyWords())
      var report = LintReport()
      _ = DeadRules(facts, into: &report)
      return report.diagnostics.map { "\($0.severity) \($0.code) \($0.help ?? "")" }
    }
    #expect(codes(bothHaveLockdown: true) == ["warning shadowed-rule write `priority: 2` here, or remove the rule"])
    // by itself `lockdown` denies what is denied anyway, but `web` would allow it
    #expect(codes(bothHaveLockdown: false).isEmpty)
  }
}

/// A handful of addresses and services, and policies about nothing else.
enum SmallWorld {
  static func peers(_ family: IPFamily) -> [IPAddress] {
    let texts =
      family == .ipv4 ? ["198.51.100.0", "198.51.100.1", "198.51.100.2", "192.0.2.1"] : ["2001:db8::", "2001:db8::1"]
    return texts.map { IPAddress($0)! } + owns(family)
  }

  static func owns(_ family: IPFamily) -> [IPAddress] {
    (family == .ipv4 ? ["10.0.0.1", "10.0.0.2", "10.0.0.3"] : ["fd00::1", "fd00::2"]).map { IPAddress($0)! }
  }

  private static let services: [[ServiceTerm]] = [
    [.all], [.ipProtocol(.tcp)], [.ports(.tcp, PortRange(22))], [.ports(.tcp, PortRange(80, 81))],
    [.ports(.tcp, PortRange(80))],
    [.ports(.tcp, .all)], [.ipProtocol(.gre)], [.icmp(.icmp, type: 8, code: nil), .icmp(.icmpv6, type: 128, code: nil)],
    [.ports(.udp, PortRange(53)), .ports(.tcp, PortRange(443))],
  ]

  static func policy(groups count: ClosedRange<Int>, using g: inout SeededGenerator) -> Policy {
    func pick<T>(_ values: [T]) -> T { values.randomElement(using: &g)! }
    var place = 0
    func range() -> SourceRange {
      place += 1
      return SourceRange(file: 0, start: place, end: place + 1)
    }
    let literals = ["198.51.100.0", "198.51.100.1", "10.0.0.1", "2001:db8::1"].map { AddressRange(IPAddress($0)!) }
    let prefixes = [
      AddressRange(prefix: IPAddress("198.51.100.0")!, length: 31),
      AddressRange(prefix: IPAddress("198.51.100.0")!, length: 24),
      AddressRange.all(.ipv4), AddressRange.all(.ipv6),
    ]
    let number = Int.random(in: count, using: &g)
    let owns = IPFamily.allCases.flatMap { SmallWorld.owns($0) }
    var instances: [Instance] = []
    var members = [AddressSet](repeating: AddressSet(), count: number)
    for own in owns.prefix(Int.random(in: 1...owns.count, using: &g)) {
      let addresses = AddressSet([AddressRange(own)])
      let groups = (0..<number).filter { _ in number == 1 || Bool.random(using: &g) }
      if groups.isEmpty { continue }
      for group in groups { members[group] = members[group].union(addresses) }
      instances.append(Instance(name: "i\(instances.count)", addresses: addresses, groups: groups, range: range()))
    }
    let type: GroupType = pick([.basic, .basic, .advanced])
    func rules(_ direction: Direction) -> [Rule] {
      (0..<Int.random(in: 0...5, using: &g)).map { _ in
        let services = pick(SmallWorld.services)
        let peers = (0..<Int.random(in: 1...2, using: &g)).map { _ -> Peer in
          pick([.any, .group(pick(Array(0..<number))), .addresses(pick(literals)), .addresses(pick(prefixes))])
        }
        let own = Int.random(in: 0..<5, using: &g) == 0 ? AddressSet([AddressRange(pick(owns))]) : nil
        let isPorts = services.allSatisfy(\.hasPorts) && Int.random(in: 0..<4, using: &g) == 0
        return Rule(
          action: pick([.allow, .deny]), services: services, peers: peers, own: own,
          sourcePorts: isPorts ? [PortRange(1000, 1500)] : nil, priority: pick([1, 1, 2, 3]), range: range())
      }
    }
    var options = Options()
    if Int.random(in: 0..<4, using: &g) == 0 { options.exemptFrom = AddressSet([AddressRange(IPAddress("198.51.100.1")!)]) }
    if Int.random(in: 0..<4, using: &g) == 0 { options.intraGroupEgress = .allow }
    let groups = (0..<number).map { index in
      Group(
        name: "g\(index)", type: type, intraGroup: type == .advanced ? .isolate : pick([.allow, .isolate]),
        members: members[index],
        ingress: rules(.ingress), egress: rules(.egress), range: range())
    }
    return instances.isEmpty
      ? SmallWorld.policy(groups: count, using: &g) : Policy(options: options, groups: groups, instances: instances)
  }
}
