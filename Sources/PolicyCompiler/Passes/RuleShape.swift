import PacketSpace
import PolicyLanguage

/// What a rule matches, so that two rules can be compared quickly: services, peers, own end and source ports, each by itself.
///
/// The answers are right on one side only: what doesn't cover may cover in truth, and what meets may be apart.
struct RuleShape {
  /// A term of a service: protocols, and the words behind the IP header that it asks for.
  private struct Service {
    /// Nil for every protocol.
    var ipProtocol: IPProtocol?
    /// Destination ports, or types and codes of an ICMP; from -1 on, which is "not there", where nothing is asked.
    var words: ClosedRange<Int32>

    init(_ term: ServiceTerm) {
      ipProtocol = term.ipProtocol
      switch term {
      case .all, .ipProtocol: words = -1...0xFFFF
      case .ports(_, let ports): words = Int32(ports.lower)...Int32(ports.upper)
      case .icmp(_, let type, nil): words = Int32(type) << 8...Int32(type) << 8 | 0xFF
      case .icmp(_, let type, let code?): words = Int32(type) << 8 | Int32(code)...Int32(type) << 8 | Int32(code)
      }
    }

    func covers(_ other: Service) -> Bool {
      ipProtocol == nil
        || ipProtocol == other.ipProtocol && words.lowerBound <= other.words.lowerBound
          && other.words.upperBound <= words.upperBound
    }

    func meets(_ other: Service) -> Bool {
      ipProtocol == nil || other.ipProtocol == nil || ipProtocol == other.ipProtocol && words.overlaps(other.words)
    }
  }

  private var services: [Service]
  private var sourcePorts: [PortRange]?
  /// Whether every address of both families is among the peers.
  private var isAnyPeer: Bool
  /// The peers that are addresses.
  private var addresses: AddressSet
  /// The groups among the peers.
  private var groups: [Int]
  private var own: AddressSet?

  init(_ rule: Rule, _ policy: Policy) {
    services = rule.services.map { Service($0) }
    sourcePorts = rule.sourcePorts
    groups = []
    var others: [Peer] = []
    for peer in rule.peers {
      if case .group(let index) = peer { groups.append(index) } else { others.append(peer) }
    }
    isAnyPeer = others.contains(.any)
    addresses = isAnyPeer ? .all : others.isEmpty ? AddressSet() : policy.addresses(others)
    if addresses == .all { isAnyPeer = true }
    own = rule.own
  }

  /// Every packet of some peers.
  init(_ addresses: AddressSet, groups: [Int]) {
    services = [Service(.all)]
    isAnyPeer = addresses == .all
    self.addresses = addresses
    self.groups = groups
  }

  /// Whether every packet of `other` is one of these.
  func covers(_ other: RuleShape) -> Bool {
    guard other.services.allSatisfy({ term in services.contains { $0.covers(term) } }) else { return false }
    if let sourcePorts {
      guard let others = other.sourcePorts,
        others.allSatisfy({ range in sourcePorts.contains { $0.lower <= range.lower && range.upper <= $0.upper } })
      else { return false }
    }
    if let own {
      guard let narrowed = other.own, own.contains(narrowed) else { return false }
    }
    if isAnyPeer { return true }
    return !other.isAnyPeer && other.groups.allSatisfy(groups.contains) && addresses.contains(other.addresses)
  }

  /// Whether a packet can be of a service of both.
  func meetsServices(_ other: RuleShape) -> Bool {
    services.contains { term in other.services.contains { $0.meets(term) } }
  }

  /// Whether a packet can be in both.
  func meets(_ other: RuleShape) -> Bool {
    guard meetsServices(other) else { return false }
    if let sourcePorts, let others = other.sourcePorts,
      !sourcePorts.contains(where: { range in others.contains { $0.lower <= range.upper && range.lower <= $0.upper } })
    {
      return false
    }
    if let own, let others = other.own, !own.meets(others) { return false }
    if isAnyPeer || other.isAnyPeer || !groups.isEmpty || !other.groups.isEmpty { return true }
    return addresses.meets(other.addresses)
  }
}

/// The shapes of the policy's rules, each made once, whatever the number of profiles that have it.
struct RuleShapes {
  private var known: [RuleShape?]

  /// - Parameter count: how many rules the policy has.
  init(count: Int) { known = Array(repeating: nil, count: count) }

  mutating func of(_ rule: OrderedRule, _ policy: Policy) -> RuleShape {
    if let shape = known[Int(rule.number)] { return shape }
    let shape = RuleShape(rule.rule, policy)
    known[Int(rule.number)] = shape
    return shape
  }
}

extension AddressSet {
  /// More ranges than these are compared with no others.
  private static let mostCompared = 64

  fileprivate func contains(_ other: AddressSet) -> Bool {
    IPFamily.allCases.allSatisfy { family in
      let parts = other[family].intervals
      if parts.isEmpty { return true }
      if parts.count > AddressSet.mostCompared { return false }
      let intervals = self[family].intervals
      return parts.allSatisfy { part in
        let at = intervals.first(endingFrom: part.lower)
        return at < intervals.count && intervals[at].lower <= part.lower && part.upper <= intervals[at].upper
      }
    }
  }

  fileprivate func meets(_ other: AddressSet) -> Bool {
    IPFamily.allCases.contains { family in
      let a = self[family].intervals
      let b = other[family].intervals
      let (few, many) = a.count <= b.count ? (a, b) : (b, a)
      if few.count > AddressSet.mostCompared { return true }
      return few.contains { part in
        let at = many.first(endingFrom: part.lower)
        return at < many.count && many[at].lower <= part.upper
      }
    }
  }
}

extension [Interval] {
  /// The first of ascending, disjoint intervals that ends at `value` or behind it.
  fileprivate func first(endingFrom value: UInt128) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self[middle].upper < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
