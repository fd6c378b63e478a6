public import PacketSpace

/// Where the rules are enforced.
public enum Enforcement: Hashable, Sendable {
  /// The machine forwards for the instances.
  case gateway
  /// The machine is the instance of this index in `Policy.instances`.
  case host(instance: Int)
}

/// A packet's way through the machine that enforces the policy.
public enum PacketPath: String, Hashable, Sendable, CaseIterable {
  case forwarded, input, output
}

/// One reason for an answer: the steps of the language's §7 in their order, and what stands before them.
public enum DecisionStep: Hashable, Sendable {
  /// The policy says nothing about packets on this path, in this mode.
  case notEnforced
  /// A link that instances are bound to and an address that doesn't belong there.
  case linkBinding
  /// Host mode: what a cloud delivers below the rules.
  case prologue
  /// The packet belongs or is related to a flow that was allowed.
  case session
  /// Connection tracking calls it invalid, and an end is protected.
  case invalid
  /// Step 0.
  case exempt
  /// Step 1, by the group of this index.
  case intraGroup(Int)
  /// Step 2: a rule of a group, by indices.
  case rule(group: Int, direction: Direction, index: Int)
  /// Step 3, by the type of the address's groups.
  case `default`(GroupType)
  /// Neither end is protected.
  case unmanaged
}

/// An answer, with the reason at each end that was asked.
public struct Decision: Hashable, Sendable {
  public struct End: Hashable, Sendable {
    public var direction: Direction
    public var isAllowed: Bool
    public var step: DecisionStep
  }

  public var isAllowed: Bool
  /// What decided: at the end that denied, or else at the last that allowed.
  public var step: DecisionStep
  /// The protected ends in the order they were asked: egress, then ingress where egress allowed.
  public var ends: [End]
}

/// Decides packets by reading the policy in the plainest way: every rule is looked at, nothing is indexed or merged.
///
/// It shares no code with the lowering, so that an error in one isn't repeated in the other.
public struct PolicyEvaluator: Sendable {
  public let policy: Policy
  public let enforcement: Enforcement

  public init(_ policy: Policy, _ enforcement: Enforcement) {
    self.policy = policy
    self.enforcement = enforcement
  }

  /// What the policy does with a packet. Its `state` must be what connection tracking says of it: for a packet of no known
  /// flow that is `ConnectionState.unsolicited`.
  public func decide(_ packet: Packet, on path: PacketPath) -> Decision {
    switch (enforcement, path) {
    case (.gateway, .forwarded): decideForwarded(packet)
    case (.host(let instance), .input): decideOwn(packet, .ingress, instance)
    case (.host(let instance), .output): decideOwn(packet, .egress, instance)
    case (.gateway, .input), (.gateway, .output), (.host, .forwarded): Decision(true, .notEnforced)
    }
  }

  // MARK: - Gateway

  private func decideForwarded(_ packet: Packet) -> Decision {
    if !isBoundRight(packet) { return Decision(false, .linkBinding) }
    if packet.state == .established || packet.state == .related { return Decision(true, .session) }
    let sourceGroups = groups(of: packet.source)
    let destinationGroups = groups(of: packet.destination)
    if sourceGroups.isEmpty && destinationGroups.isEmpty {
      return Decision(policy.options.unmanaged == .accept, .unmanaged)
    }
    if packet.state == .invalid { return Decision(false, .invalid) }
    var ends: [Decision.End] = []
    if !sourceGroups.isEmpty { ends.append(judge(packet, .egress, sourceGroups)) }
    if !destinationGroups.isEmpty && ends.allSatisfy(\.isAllowed) { ends.append(judge(packet, .ingress, destinationGroups)) }
    return Decision(isAllowed: ends.allSatisfy(\.isAllowed), step: ends.last!.step, ends: ends)
  }

  /// Whether source address and link belong together, where either is bound.
  private func isBoundRight(_ packet: Packet) -> Bool {
    let bound = policy.instances.filter { $0.interface != nil }
    let ofAddress = bound.filter { $0.addresses.contains(packet.source) }
    if ofAddress.contains(where: { $0.interface != packet.inputInterface }) { return false }
    let ofLink = bound.filter { $0.interface == packet.inputInterface }
    return ofLink.isEmpty || ofLink.contains { $0.addresses.contains(packet.source) }
  }

  /// The packet as it comes to a gateway from where its source belongs: by the link that the source is bound to, where it is.
  public func comingByItsLink(_ packet: Packet) -> Packet {
    guard enforcement == .gateway else { return packet }
    let instance = policy.instances.first { $0.interface != nil && $0.addresses.contains(packet.source) }
    guard let link = instance?.interface else { return packet }
    var packet = packet
    packet.inputInterface = link
    return packet
  }

  /// The groups whose rules are enforced for an address.
  public func groups(of address: IPAddress) -> [Int] {
    policy.groups.indices.filter { !policy.groups[$0].isExternal && policy.groups[$0].members.contains(address) }
  }

  // MARK: - Host

  private func decideOwn(_ packet: Packet, _ direction: Direction, _ instance: Int) -> Decision {
    if isInPrologue(packet, direction) { return Decision(true, .prologue) }
    if packet.state == .established || packet.state == .related { return Decision(true, .session) }
    if packet.state == .invalid { return Decision(false, .invalid) }
    let end = judge(packet, direction, groups(ofInstance: instance))
    return Decision(isAllowed: end.isAllowed, step: end.step, ends: [end])
  }

  /// The groups whose rules a machine enforces for itself: those of all its addresses.
  public func groups(ofInstance instance: Int) -> [Int] {
    policy.groups.indices.filter {
      !policy.groups[$0].isExternal && !policy.groups[$0].members.intersection(policy.instances[instance].addresses).isEmpty
    }
  }

  /// Loopback, neighbour and router discovery, multicast listeners, IGMP, and DHCP as a client.
  private func isInPrologue(_ packet: Packet, _ direction: Direction) -> Bool {
    let link = direction == .ingress ? packet.inputInterface : packet.outputInterface
    if link == "lo" { return true }
    let transport = packet.transport
    switch (packet.family, packet.ipProtocol) {
    case (.ipv6, .icmpv6):
      guard let type = transport.type else { return false }
      let listener: [UInt8] = direction == .ingress ? [130] : [131, 132, 143]
      return (133...136).contains(type) || listener.contains(type)
    case (.ipv4, .igmp):
      return true
    case (_, .udp):
      let server: UInt16 = packet.family == .ipv4 ? 67 : 547
      let client: UInt16 = packet.family == .ipv4 ? 68 : 546
      let (from, to) = direction == .ingress ? (server, client) : (client, server)
      return transport.sourcePort == from && transport.destinationPort == to
    default:
      return false
    }
  }

  // MARK: - One end

  /// Steps 0 to 3 for an end with at least one group: what these groups say of a packet of a new flow.
  public func judge(_ packet: Packet, _ direction: Direction, _ groups: [Int]) -> Decision.End {
    let (own, peer) = direction == .ingress ? (packet.destination, packet.source) : (packet.source, packet.destination)
    let options = policy.options
    let exempt = direction == .ingress ? options.exemptFrom : options.exemptTo
    if exempt.contains(peer) { return .init(direction: direction, isAllowed: true, step: .exempt) }
    if direction == .ingress || options.intraGroupEgress == .allow {
      for index in groups {
        let group = policy.groups[index]
        if group.type == .basic, group.intraGroup == .allow, group.members.contains(peer) {
          return .init(direction: direction, isAllowed: true, step: .intraGroup(index))
        }
      }
    }
    var best: (rank: Int, action: Action, step: DecisionStep)?
    for group in groups {
      for (index, rule) in policy.groups[group].rules(direction).enumerated() {
        let rank = Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1)
        if rank < best?.rank ?? .max, matches(rule, packet, own: own, peer: peer) {
          best = (rank, rule.action, .rule(group: group, direction: direction, index: index))
        }
      }
    }
    if let best { return .init(direction: direction, isAllowed: best.action == .allow, step: best.step) }
    let type = policy.groups[groups[0]].type
    return .init(direction: direction, isAllowed: direction == .egress && type == .basic, step: .default(type))
  }

  func matches(_ rule: Rule, _ packet: Packet, own: IPAddress, peer: IPAddress) -> Bool {
    if let narrowed = rule.own, !narrowed.contains(own) { return false }
    if let ports = rule.sourcePorts {
      guard let port = packet.transport.sourcePort, ports.contains(where: { $0.contains(port) }) else { return false }
    }
    return rule.services.contains { $0.matches(packet) } && rule.peers.contains { policy.addresses(of: $0).contains(peer) }
  }
}

extension ServiceTerm {
  /// Whether a packet is of this service, by protocol, port or type. Bytes that the packet doesn't have match nothing.
  public func matches(_ packet: Packet) -> Bool {
    if let family, family != packet.family { return false }
    switch self {
    case .all: return true
    case .ipProtocol(let p): return packet.ipProtocol == p
    case .ports(let p, let range):
      guard packet.ipProtocol == p, let port = packet.transport.destinationPort else { return false }
      return range.contains(port)
    case .icmp(let p, let type, let code):
      return packet.ipProtocol == p && packet.transport.type == type && (code == nil || packet.transport.code == code)
    }
  }
}

extension Decision {
  fileprivate init(_ isAllowed: Bool, _ step: DecisionStep) {
    self.init(isAllowed: isAllowed, step: step, ends: [])
  }
}
