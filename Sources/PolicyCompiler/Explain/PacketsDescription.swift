public import PacketSpace
public import PolicyLanguage

/// A box of packets in the policy's words.
public struct PacketsDescription: Hashable, Sendable {
  /// `tcp/443`, `all`, `tcp/22 from port 1024-65535`.
  public var service: String
  /// A name where one fits, else addresses.
  public var from: String
  public var to: String
  /// What else must hold, such as a link or a connection's state; empty for nothing.
  public var circumstances: String
}

/// Finds names for sets of addresses: the reader of a difference knows `web`, and not its forty addresses.
public struct PacketsDescriber: Sendable {
  /// What has a name, by family; of several names for one set the first counts.
  private var named: [IPFamily: [Named]] = [:]
  private let groups: [(name: String, members: AddressSet)]
  /// How many ranges, ports or names are written out.
  private static let longest = 4

  private struct Named {
    let set: IntervalSet
    /// From the first of the set to its last, which says of nearly all sets that they don't belong to another one.
    let bounds: Interval
    let name: String
  }

  /// Of several names for one set an instance's goes before a group's, and a group's before a prefix list's.
  public init(_ policy: Policy) {
    groups = policy.groups.map { ($0.name, $0.members) }
    let all =
      policy.instances.map { ($0.addresses, $0.name) } + policy.groups.map { ($0.members, $0.name) }
      + policy.prefixLists.map { ($0.addresses, $0.name) }
    for family in IPFamily.allCases {
      named[family] = all.compactMap { addresses, name in
        let set = addresses[family]
        return set.bounds.map { Named(set: set, bounds: $0, name: name) }
      }
    }
  }

  public func describe(_ box: PacketBox) -> PacketsDescription {
    var known: [Addresses: String] = [:]
    return describe(box, &known)
  }

  /// Addresses in a box of packets.
  private struct Addresses: Hashable {
    var values: IntervalSet
    var families: [IPFamily]
  }

  /// - Parameter known: the words for addresses that were asked for before.
  private func describe(_ box: PacketBox, _ known: inout [Addresses: String]) -> PacketsDescription {
    let families = IPFamily.allCases.filter { box[.family].contains(UInt128($0.rawValue)) }
    func words(_ axis: PacketAxis) -> String {
      let key = Addresses(values: box[axis], families: families)
      if let words = known[key] { return words }
      let words = addresses(key.values, families)
      known[key] = words
      return words
    }
    return PacketsDescription(
      service: PacketsDescriber.service(box), from: words(.source), to: words(.destination),
      circumstances: PacketsDescriber.circumstances(box))
  }

  /// Boxes in a line each, those that differ by the family only as one. `front` is what stands before a line.
  public func describe(_ boxes: [(front: String, packets: PacketBox)]) -> [(words: String, packets: PacketBox)] {
    var order: [String] = []
    var known: [Addresses: String] = [:]
    var lines: [String: [(words: String, packets: PacketBox)]] = [:]
    for (front, packets) in boxes {
      let parts = describe(packets, &known)
      let words =
        "\(front)\(parts.service) from \(parts.from) to \(parts.to)"
        + (parts.circumstances.isEmpty ? "" : " (\(parts.circumstances))")
      let neutral = IPFamily.allCases.reduce(words) { $0.replacing(PacketsDescriber.any($1), with: "any address") }
      if lines[neutral] == nil { order.append(neutral) }
      lines[neutral, default: []].append((words, packets))
    }
    return order.map { neutral in
      let same = lines[neutral]!
      return (same.allSatisfy { $0.words == same[0].words } ? same[0].words : neutral, same[0].packets)
    }
  }

  private static func any(_ family: IPFamily) -> String { family == .ipv4 ? "any IPv4 address" : "any IPv6 address" }

  // MARK: - Addresses

  private func addresses(_ values: IntervalSet, _ families: [IPFamily]) -> String {
    if families.count == 2 {
      // an axis that speaks of addresses has a family above it, so both families mean that nothing is said
      return "any"
    }
    let family = families.first ?? .ipv4
    let own = values.intersection(IntervalSet([Interval(0, family.maximum)]))
    if own.intervals == [Interval(0, family.maximum)] { return PacketsDescriber.any(family) }
    if let names = names(own, family) { return names }
    let rest = IntervalSet([Interval(0, family.maximum)]).subtracting(own)
    let any = PacketsDescriber.any(family)
    // what is shorter to list is not said by what it leaves
    if rest.intervals.count <= own.intervals.count, let names = names(rest, family) { return "\(any) but \(names)" }
    if let (holder, missing) = almost(own, family) { return "\(holder) but \(PacketsDescriber.list(missing, family))" }
    if rest.intervals.count < own.intervals.count || rest.intervals.count <= 2 && own.intervals.count > 1 {
      return "\(any) but \(PacketsDescriber.list(rest, family))"
    }
    let text = PacketsDescriber.list(own, family)
    let holders = groups.filter { own.isSubset(of: $0.members[family]) }.map(\.name)
    return holders.isEmpty || holders.count > 3 ? text : "\(text) (of \(holders.joined(separator: ", ")))"
  }

  /// A few names that together are `set`, with a few ranges beside them where names leave some; nil where there are none.
  private func names(_ set: IntervalSet, _ family: IPFamily) -> String? {
    guard let bounds = set.bounds else { return nil }
    let named = self.named[family]!
    // by places: of ten thousand names few are more than looked at
    let inside = named.indices.filter { bounds.contains(named[$0].bounds) && named[$0].set.isSubset(of: set) }
    if let exact = inside.first(where: { named[$0].set == set }) { return named[exact].name }
    // the widest first, as long as they add something
    var open = set
    var words: [String] = []
    for candidate in inside.map({ named[$0] }).sorted(by: { $0.set.size > $1.set.size }) {
      let next = open.subtracting(candidate.set)
      if next == open { continue }
      words.append(candidate.name)
      if next.isEmpty { return words.joined(separator: ", ") }
      if words.count == PacketsDescriber.longest { return nil }
      open = next
    }
    guard !words.isEmpty, words.count + open.intervals.count <= PacketsDescriber.longest else { return nil }
    return "\(words.joined(separator: ", ")), \(PacketsDescriber.list(open, family))"
  }

  /// A name of which a little is missing.
  private func almost(_ set: IntervalSet, _ family: IPFamily) -> (name: String, missing: IntervalSet)? {
    guard let bounds = set.bounds else { return nil }
    let named = self.named[family]!
    for place in named.indices where named[place].bounds.contains(bounds) && set.isSubset(of: named[place].set) {
      let missing = named[place].set.subtracting(set)
      if missing.intervals.count <= 2, missing.size < set.size { return (named[place].name, missing) }
    }
    return nil
  }

  private static func list(_ values: IntervalSet, _ family: IPFamily) -> String {
    joined(values.intervals.map { AddressRange(family, $0.lower, $0.upper).description })
  }

  private static func joined(_ words: [String]) -> String {
    words.count <= longest
      ? words.joined(separator: ", ") : words.prefix(longest).joined(separator: ", ") + " and \(words.count - longest) more"
  }

  // MARK: - Services

  private static func service(_ box: PacketBox) -> String {
    let protocols = box[.ipProtocol]
    let whole = Interval(0, PacketAxis.ipProtocol.maximum)
    let second = box[.secondWord]
    let first = box[.firstWord]
    if protocols.intervals == [whole] {
      return ports(second, .secondWord).map { "every protocol with \($0) at the port's place" } ?? "all"
    }
    let count = protocols.intervals.reduce(0) { $0 + Int($1.upper - $1.lower) + 1 }
    if count > 128 {
      let rest = IntervalSet([whole]).subtracting(protocols)
      return "every protocol but \(joined(rest.intervals.flatMap { ($0.lower...$0.upper).map(name) }))"
    }
    let words = protocols.intervals.flatMap { $0.lower...$0.upper }.map { number in
      let p = IPProtocol(rawValue: UInt8(number))
      if p == .icmp || p == .icmpv6 { return name(number) + (types(first).map { " \($0)" } ?? "") }
      var text = name(number)
      if let destination = ports(second, .secondWord) { text += "/\(destination)" }
      if let source = ports(first, .firstWord) { text += " from port \(source)" }
      return text
    }
    return joined(words)
  }

  private static func name(_ number: UInt128) -> String { IPProtocol(rawValue: UInt8(number)).policyName }

  /// Ports in words; nil where all of them are in.
  private static func ports(_ values: IntervalSet, _ axis: PacketAxis) -> String? {
    let ports = values.intersection(IntervalSet([Interval(0, 0xFFFF)]))
    if ports.intervals == [Interval(0, 0xFFFF)] { return nil }
    if ports.isEmpty { return "(none, the packet is too short)" }
    let rest = IntervalSet([Interval(0, 0xFFFF)]).subtracting(ports)
    let spelled = { (set: IntervalSet) in
      joined(set.intervals.map { PortRange(UInt16($0.lower), UInt16($0.upper)).description })
    }
    return rest.intervals.count < ports.intervals.count ? "any but \(spelled(rest))" : spelled(ports)
  }

  private static func types(_ values: IntervalSet) -> String? {
    let words = values.intersection(IntervalSet([Interval(0, 0xFFFF)]))
    if words.intervals == [Interval(0, 0xFFFF)] { return nil }
    let parts = words.intervals.map { interval in
      let (low, high) = (interval.lower >> 8, interval.upper >> 8)
      if interval.lower & 0xFF == 0, interval.upper & 0xFF == 0xFF {
        return low == high ? "type \(low)" : "types \(low)-\(high)"
      }
      return low == high && interval.isSingle
        ? "type \(low) code \(interval.lower & 0xFF)"
        : "type \(low) code \(interval.lower & 0xFF) to type \(high) code \(interval.upper & 0xFF)"
    }
    return parts.isEmpty ? "without a type" : joined(parts)
  }

  private static func circumstances(_ box: PacketBox) -> String {
    var words: [String] = []
    let open = ConnectionState.allCases.filter { box[.connectionState].contains($0.bit) }
    // what begins a flow is what a reader takes packets for
    if !open.contains(.new) {
      words.append("state \(open.map(\.rawValue).joined(separator: ", "))")
    }
    if box.conditions.contains(where: { $0.axis == .inputLink }) { words.append("by some links in only") }
    if box.conditions.contains(where: { $0.axis == .outputLink }) { words.append("by some links out only") }
    return words.joined(separator: ", ")
  }
}

extension Interval {
  fileprivate func contains(_ other: Interval) -> Bool { lower <= other.lower && other.upper <= upper }
}

extension IntervalSet {
  /// From the first value to the last; nil for none.
  fileprivate var bounds: Interval? {
    intervals.first.map { Interval($0.lower, intervals[intervals.count - 1].upper) }
  }

  /// How many values there are; those of the whole line count as one less than there are.
  fileprivate var size: UInt128 {
    intervals.reduce(0) { $0.addingReportingOverflow($1.upper - $1.lower).partialValue.addingReportingOverflow(1).partialValue }
  }
}
