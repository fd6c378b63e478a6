public import PacketSpace

/// What a policy says of one end's packets, for all of them at once.
///
/// Like `PolicyEvaluator` it reads the rules as they stand, and shares no code with the lowering.
public struct PolicyDiagrams: Sendable {
  public let policy: Policy

  public init(_ policy: Policy) { self.policy = policy }

  /// What the groups of an address decide about a new flow in one direction: steps 0 to 3 of the language's §7.
  ///
  /// - Parameter groups: not empty, none external, of one type.
  /// - Parameter label: the diagram's decision for a reason and its answer.
  public func end(
    _ groups: [Int], _ direction: Direction, in store: inout DiagramStore, label: (DecisionStep, Bool) -> Int
  ) throws(DiagramBudgetExceeded) -> Diagram {
    let type = policy.groups[groups[0]].type
    var result = Diagram.leaf(label(.default(type), direction == .egress && type == .basic))
    let lists = groups.map { policy.groups[$0].rules(direction) }
    var rules: [(rank: Int, group: Int, index: Int, list: Int)] = []
    for (list, group) in groups.enumerated() {
      for (index, rule) in lists[list].enumerated() {
        rules.append((Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1), group, index, list))
      }
    }
    // the weakest first: each stands above those before it; of equals the first as written is the one to be named
    rules.sort { ($0.rank, $0.group, $0.index) > ($1.rank, $1.group, $1.index) }
    for (_, group, index, list) in rules {
      let rule = lists[list][index]
      let step = DecisionStep.rule(group: group, direction: direction, index: index)
      let top = Diagram.leaf(label(step, rule.action == .allow))
      for box in boxes(rule, direction) { result = try store.overlay(box, top, on: result) }
    }
    let peer: PacketAxis = direction == .ingress ? .source : .destination
    if direction == .ingress || policy.options.intraGroupEgress == .allow {
      for index in groups.reversed() where policy.groups[index].type == .basic && policy.groups[index].intraGroup == .allow {
        let top = Diagram.leaf(label(.intraGroup(index), true))
        for box in PolicyDiagrams.boxes(policy.groups[index].members, peer) { result = try store.overlay(box, top, on: result) }
      }
    }
    let exempt = direction == .ingress ? policy.options.exemptFrom : policy.options.exemptTo
    for box in PolicyDiagrams.boxes(exempt, peer) {
      result = try store.overlay(box, .leaf(label(.exempt, true)), on: result)
    }
    return result
  }

  /// The packets that a rule matches.
  public func boxes(_ rule: Rule, _ direction: Direction) -> [PacketBox] {
    let (peer, own): (PacketAxis, PacketAxis) = direction == .ingress ? (.source, .destination) : (.destination, .source)
    var services = PolicyDiagrams.boxes(rule.services)
    if let ports = rule.sourcePorts {
      let values = IntervalSet(ports.map { Interval(UInt128($0.lower), UInt128($0.upper)) })
      services = services.map { $0.narrowed(.firstWord, to: values) }
    }
    if rule.own == nil, rule.peers.contains(.any) { return services }
    let peers = policy.addresses(rule.peers)
    var result: [PacketBox] = []
    for family in IPFamily.allCases where !peers[family].isEmpty {
      for var box in services {
        box.narrow(peer, toAddresses: peers[family], of: family)
        if let narrowed = rule.own { box.narrow(own, toAddresses: narrowed[family], of: family) }
        if !box.isEmpty { result.append(box) }
      }
    }
    return result
  }

  /// The first packets of a claim's services between these addresses.
  public func boxes(_ claim: Expectation, _ sources: AddressSet, _ destinations: AddressSet) -> [PacketBox] {
    let services = PolicyDiagrams.boxes(claim.services).flatMap { service in
      PacketBox.firstPackets.map { first in first.conditions.reduce(service) { $0.narrowed($1.axis, to: $1.values) } }
    }
    return services.filter { !$0.isEmpty }.flatMap { service in
      IPFamily.allCases.compactMap { family in
        var box = service.narrowed(.source, toAddresses: sources[family], of: family)
          .narrowed(.destination, toAddresses: destinations[family], of: family)
        if let ports = claim.sourcePorts {
          box.narrow(.firstWord, to: IntervalSet(ports.map { Interval(UInt128($0.lower), UInt128($0.upper)) }))
        }
        return box.isEmpty ? nil : box
      }
    }
  }

  /// The packets of some services.
  public static func boxes(_ terms: [ServiceTerm]) -> [PacketBox] {
    if terms.contains(.all) { return [PacketBox()] }
    var result: [PacketBox] = []
    var ports: [(IPProtocol, [Interval])] = []
    for term in terms {
      switch term {
      case .all: break
      case .ipProtocol(let p): result.append(box(p))
      case .ports(let p, let range):
        let interval = Interval(UInt128(range.lower), UInt128(range.upper))
        if let place = ports.firstIndex(where: { $0.0 == p }) {
          ports[place].1.append(interval)
        } else {
          ports.append((p, [interval]))
        }
      case .icmp(let p, let type, let code):
        let values = code.map { [PacketAxis.typeAndCode(type, $0)] } ?? PacketAxis.types(Interval(UInt128(type)))
        result.append(box(p).narrowed(.firstWord, to: IntervalSet(values)))
      }
    }
    return result + ports.map { box($0).narrowed(.secondWord, to: IntervalSet($1)) }
  }

  /// What a machine that is an instance takes and sends whatever its groups say: loopback, neighbour and router discovery,
  /// multicast listeners, IGMP, and DHCP as a client.
  public static func prologue(_ direction: Direction) -> [PacketBox] {
    let isIngress = direction == .ingress
    func of(_ family: IPFamily, _ p: IPProtocol) -> PacketBox {
      PacketBox().narrowed(.family, to: Interval(UInt128(family.rawValue))).narrowed(
        .ipProtocol, to: Interval(UInt128(p.rawValue)))
    }
    func dhcp(_ family: IPFamily, server: UInt128, client: UInt128) -> PacketBox {
      of(family, .udp).narrowed(.firstWord, to: Interval(isIngress ? server : client))
        .narrowed(.secondWord, to: Interval(isIngress ? client : server))
    }
    let loopback = LinkName.number("lo")
    let types: [UInt128] = [133, 134, 135, 136] + (isIngress ? [130] : [131, 132, 143])
    return [
      PacketBox().narrowed(isIngress ? .inputLink : .outputLink, to: Interval(loopback)),
      of(.ipv6, .icmpv6).narrowed(.firstWord, to: IntervalSet(types.flatMap { PacketAxis.types(Interval($0)) })),
      of(.ipv4, .igmp), dhcp(.ipv4, server: 67, client: 68), dhcp(.ipv6, server: 547, client: 546),
    ]
  }

  private static func box(_ p: IPProtocol) -> PacketBox {
    let result = PacketBox().narrowed(.ipProtocol, to: Interval(UInt128(p.rawValue)))
    guard let family = p.family else { return result }
    return result.narrowed(.family, to: Interval(UInt128(family.rawValue)))
  }

  /// The packets whose address on `axis` is in `addresses`, a box a family; none for a family without any.
  public static func boxes(_ addresses: AddressSet, _ axis: PacketAxis) -> [PacketBox] {
    IPFamily.allCases.filter { !addresses[$0].isEmpty }.map {
      PacketBox().narrowed(axis, toAddresses: addresses[$0], of: $0)
    }
  }
}
