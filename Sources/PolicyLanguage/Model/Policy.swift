public import Diagnostics
public import PacketSpace

/// A policy with every name resolved and every rule of the language checked: what it says, ready to be decided or lowered.
///
/// Groups, prefix lists, instances and networks are named by their index in the arrays here.
public struct Policy: Sendable {
  public var options: Options
  public var networks: [Network]
  public var prefixLists: [PrefixList]
  public var services: [Service]
  public var groups: [Group]
  public var instances: [Instance]
  public var expectations: [Expectation]

  public init(
    options: Options = Options(), networks: [Network] = [], prefixLists: [PrefixList] = [], services: [Service] = [],
    groups: [Group] = [], instances: [Instance] = [], expectations: [Expectation] = []
  ) {
    self.options = options
    self.networks = networks
    self.prefixLists = prefixLists
    self.services = services
    self.groups = groups
    self.instances = instances
    self.expectations = expectations
  }
}

/// `options`, with their defaults.
public struct Options: Sendable {
  /// What becomes of a forwarded flow between two addresses that have no group.
  public enum Unmanaged: String, Sendable, CaseIterable { case accept, drop }
  /// Whether the intra-group step holds for egress too.
  public enum IntraGroupEgress: String, Sendable, CaseIterable { case filter, allow }
  /// Which packets are logged.
  public enum Log: String, Sendable, CaseIterable { case none, denied }

  public var unmanaged = Unmanaged.accept
  public var intraGroupEgress = IntraGroupEgress.filter
  /// Peers that ingress never asks rules about, and that egress never asks rules about.
  public var exemptFrom = AddressSet()
  public var exemptTo = AddressSet()
  public var log = Log.none
  /// An nflog group instead of the kernel's log.
  public var logGroup: UInt16?
  /// Flows that an apply must never cut off.
  public var keep: [KeptFlow] = []

  public init() {}
}

/// An entry of `options: keep`.
public struct KeptFlow: Sendable {
  public var from: [Peer]
  public var to: [Peer]
  public var services: [ServiceTerm]
  public var range: SourceRange

  public init(from: [Peer], to: [Peer], services: [ServiceTerm], range: SourceRange) {
    self.from = from
    self.to = to
    self.services = services
    self.range = range
  }
}

/// A VPC: prefixes that overlap no other network's.
public struct Network: Sendable {
  public var name: String
  public var addresses: AddressSet
  public var range: SourceRange

  public init(name: String, addresses: AddressSet, range: SourceRange) {
    self.name = name
    self.addresses = addresses
    self.range = range
  }
}

public struct PrefixList: Sendable {
  public var name: String
  /// Not empty.
  public var addresses: AddressSet
  /// The name where it is defined.
  public var range: SourceRange

  public init(name: String, addresses: AddressSet, range: SourceRange) {
    self.name = name
    self.addresses = addresses
    self.range = range
  }
}

/// A service of the policy's own.
public struct Service: Sendable {
  public var name: String
  /// Not empty; names in it are resolved.
  public var terms: [ServiceTerm]
  public var range: SourceRange

  public init(name: String, terms: [ServiceTerm], range: SourceRange) {
    self.name = name
    self.terms = terms
    self.range = range
  }
}

public enum GroupType: String, Sendable, CaseIterable { case basic, advanced }
public enum IntraGroup: String, Sendable, CaseIterable { case allow, isolate }

/// A security group.
public struct Group: Sendable {
  /// The name where it is defined.
  public var range: SourceRange
  public var name: String
  public var type: GroupType
  /// Always `isolate` on an advanced group.
  public var intraGroup: IntraGroup
  /// Enforced by somebody else: it has no rules, and serves as a peer.
  public var isExternal: Bool
  /// Index into `Policy.networks`; nil is the unnamed network.
  public var network: Int?
  public var environment: String?
  public var description: String?
  /// All addresses in the group: those of its instances and those of its `members`. May be empty.
  public var members: AddressSet
  public var ingress: [Rule]
  public var egress: [Rule]

  public func rules(_ direction: Direction) -> [Rule] { direction == .ingress ? ingress : egress }
}

// The initializers of what there is much of stand in extensions and leave the structs the compiler's own: one that assigns field by
// field makes a second copy of the value, with a reference to count for each of its arrays.

extension Group {
  public init(
    name: String, type: GroupType = .basic, intraGroup: IntraGroup = .allow, isExternal: Bool = false, network: Int? = nil,
    environment: String? = nil, description: String? = nil, members: AddressSet = AddressSet(), ingress: [Rule] = [],
    egress: [Rule] = [], range: SourceRange
  ) {
    self.init(
      range: range, name: name, type: type, intraGroup: intraGroup, isExternal: isExternal, network: network,
      environment: environment, description: description, members: members, ingress: ingress, egress: egress)
  }
}

/// The direction of a rule, seen from the group's own addresses. Not netfilter's hook of that name.
public enum Direction: String, Hashable, Sendable, CaseIterable { case ingress, egress }

public enum Action: String, Hashable, Sendable { case allow, deny }

/// A rule of a group.
public struct Rule: Sendable {
  /// The whole rule in its file.
  public var range: SourceRange
  public var action: Action
  /// Not empty, without repetition.
  public var services: [ServiceTerm]
  /// The other end; not empty, as written.
  public var peers: [Peer]
  /// The own end where the rule is narrowed to some own addresses.
  public var own: AddressSet?
  /// The source ports where the rule is narrowed to some; not empty, ascending, disjoint. Every service then has ports.
  public var sourcePorts: [PortRange]?
  /// 1 (strongest) to 100.
  public var priority: UInt8
  public var description: String?
}

extension Rule {
  public init(
    action: Action, services: [ServiceTerm], peers: [Peer], own: AddressSet? = nil, sourcePorts: [PortRange]? = nil,
    priority: UInt8 = 1, description: String? = nil, range: SourceRange
  ) {
    self.init(
      range: range, action: action, services: services, peers: peers, own: own, sourcePorts: sourcePorts, priority: priority,
      description: description)
  }
}

/// One entry of a rule's other end.
public enum Peer: Hashable, Sendable {
  /// Every address of both families.
  case any
  case addresses(AddressRange)
  /// Indices into the policy's arrays.
  case prefixList(Int)
  case group(Int)
  case instance(Int)
}

/// An interface of a machine, or a machine with one interface.
public struct Instance: Sendable {
  public var range: SourceRange
  public var name: String
  /// Its addresses and the prefixes routed to it; not empty, no other instance has any of them.
  public var addresses: AddressSet
  /// The groups it names, as indices; not empty. Groups whose `members` hold its addresses are not among them.
  public var groups: [Int]
  /// The link it is bound to.
  public var interface: String?
  public var publicAddresses: AddressSet
  public var description: String?
}

extension Instance {
  public init(
    name: String, addresses: AddressSet, groups: [Int], interface: String? = nil, publicAddresses: AddressSet = AddressSet(),
    description: String? = nil, range: SourceRange
  ) {
    self.init(
      range: range, name: name, addresses: addresses, groups: groups, interface: interface, publicAddresses: publicAddresses,
      description: description)
  }
}

/// A claim about the policy, to be proved.
public struct Expectation: Sendable {
  public var action: Action
  public var services: [ServiceTerm]
  public var from: [Peer]
  public var exceptFrom: [Peer]
  public var to: [Peer]
  public var exceptTo: [Peer]
  public var sourcePorts: [PortRange]?
  public var description: String?
  public var range: SourceRange

  public init(
    action: Action, services: [ServiceTerm], from: [Peer], exceptFrom: [Peer] = [], to: [Peer], exceptTo: [Peer] = [],
    sourcePorts: [PortRange]? = nil, description: String? = nil, range: SourceRange
  ) {
    self.action = action
    self.services = services
    self.from = from
    self.exceptFrom = exceptFrom
    self.to = to
    self.exceptTo = exceptTo
    self.sourcePorts = sourcePorts
    self.description = description
    self.range = range
  }
}

extension Policy {
  /// The addresses that a peer stands for.
  public func addresses(of peer: Peer) -> AddressSet {
    switch peer {
    case .any: .all
    case .addresses(let range): AddressSet([range])
    case .prefixList(let index): prefixLists[index].addresses
    case .group(let index): groups[index].members
    case .instance(let index): instances[index].addresses
    }
  }

  /// The addresses of some peers, less those of others.
  public func addresses(_ peers: [Peer], except: [Peer] = []) -> AddressSet {
    // in one go: peer by peer would take the square of their number
    func all(_ peers: [Peer]) -> AddressSet {
      if peers.count == 1 { return addresses(of: peers[0]) }
      let sets = peers.map(addresses)
      return AddressSet(
        v4: IntervalSet(sets.flatMap(\.v4.intervals)), v6: IntervalSet(sets.flatMap(\.v6.intervals)))
    }
    return except.isEmpty ? all(peers) : all(peers).subtracting(all(except))
  }
}
