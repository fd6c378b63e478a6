public import PacketSpace

/// A policy made at random, as text, that the language accepts; and the addresses and ports at which its rules may change
/// their mind.
public struct RandomPolicy: Sendable {
  public private(set) var text = ""
  /// Addresses of instances, members, peers and nobody, and their neighbours.
  public private(set) var addresses: [IPAddress] = []
  public private(set) var instances: [String] = []
  /// The links that instances are bound to.
  public private(set) var links: [String] = []

  /// What is in the policy besides groups and rules.
  public struct Features: Sendable {
    public var links = true
    public var log = true
    /// Groups with so many rules that they are lowered another way.
    public var largeGroups = true
    public init() {}
  }

  public init(using generator: inout some RandomNumberGenerator, features: Features = Features()) {
    var maker = Maker(features: features)
    self = maker.make(&generator)
  }

  /// Packets' ports: those that rules name, and their neighbours.
  public static let ports: [UInt16] = [
    0, 1, 21, 22, 23, 52, 53, 54, 80, 443, 1023, 1024, 5000, 7999, 8000, 8050, 8100, 8101, 65535,
  ]
  public static let protocols: [IPProtocol] = [.tcp, .udp, .sctp, .icmp, .icmpv6, .gre, .esp, IPProtocol(rawValue: 99)]

  private struct Families: OptionSet {
    let rawValue: Int
    static let ipv4 = Families(rawValue: 1)
    static let ipv6 = Families(rawValue: 2)
    static let both: Families = [.ipv4, .ipv6]
  }

  private struct Entry {
    var text: String
    var families: Families
    var hasPorts = false
  }

  private struct Maker {
    let features: Features
    var policy: RandomPolicy? = nil
    var lists: [Entry] = []
    var groups: [(name: String, isBasic: Bool, isExternal: Bool)] = []
    var instanceEntries: [Entry] = []

    static let services: [Entry] = [
      Entry(text: "all", families: .both), Entry(text: "tcp", families: .both, hasPorts: true),
      Entry(text: "tcp/22", families: .both, hasPorts: true), Entry(text: "tcp/8000-8100", families: .both, hasPorts: true),
      Entry(text: "tcp/8050", families: .both, hasPorts: true), Entry(text: "http", families: .both, hasPorts: true),
      Entry(text: "https", families: .both, hasPorts: true), Entry(text: "dns", families: .both, hasPorts: true),
      Entry(text: "udp", families: .both, hasPorts: true), Entry(text: "udp/1024-65535", families: .both, hasPorts: true),
      Entry(text: "sctp/5000", families: .both, hasPorts: true), Entry(text: "icmp", families: .ipv4),
      Entry(text: "icmp/8", families: .ipv4), Entry(text: "icmp/timestamp-request", families: .ipv4),
      Entry(text: "icmp/13/0", families: .ipv4), Entry(text: "icmpv6", families: .ipv6),
      Entry(text: "icmpv6/echo-request", families: .ipv6), Entry(text: "icmpv6/139/1", families: .ipv6),
      Entry(text: "ping", families: .both), Entry(text: "gre", families: .both), Entry(text: "esp", families: .both),
      Entry(text: "protocol/99", families: .both), Entry(text: "app", families: .both, hasPorts: true),
      Entry(text: "mixed", families: .both),
    ]

    static let literals: [Entry] = [
      Entry(text: "0.0.0.0/0", families: .ipv4), Entry(text: "\"::/0\"", families: .ipv6),
      Entry(text: "198.51.100.0/29", families: .ipv4), Entry(text: "198.51.100.3", families: .ipv4),
      Entry(text: "198.51.100.2-198.51.100.5", families: .ipv4), Entry(text: "198.51.100.4/30", families: .ipv4),
      Entry(text: "\"2001:db8::/125\"", families: .ipv6), Entry(text: "\"2001:db8::3\"", families: .ipv6),
      Entry(text: "\"2001:db8::2-2001:db8::5\"", families: .ipv6), Entry(text: "10.0.0.0/28", families: .ipv4),
      Entry(text: "\"fd00::/124\"", families: .ipv6), Entry(text: "10.0.0.0/8", families: .ipv4),
    ]

    mutating func make(_ g: inout some RandomNumberGenerator) -> RandomPolicy {
      var result = RandomPolicy(empty: ())
      var text = options(&g)
      text += "services:\n  app: [tcp/8080, tcp/8443, udp/8080]\n  mixed: [ping, ssh, gre]\n"
      let listCount = Int.random(in: 0...3, using: &g)
      if listCount > 0 { text += "prefix-lists:\n" }
      for i in 0..<listCount {
        let entries = pick(1...5, Maker.literals.filter { !$0.text.contains("/0") }, &g)
        text += "  list-\(i): [\(joined(entries))]\n"
        lists.append(Entry(text: "list-\(i)", families: families(entries)))
      }
      for i in 0..<Int.random(in: 1...5, using: &g) { groups.append(("group-\(i)", Bool.random(using: &g), false)) }
      if Bool.random(using: &g) { groups.append(("outside", true, true)) }
      let instanceText = instances(&g, &result)
      text += "groups:\n"
      for group in groups { text += self.group(group, &g) }
      text += instanceText
      result.text = text
      for i in UInt32(0)...9 {
        result.addresses.append(IPAddress(v4: 0xC633_6400 + i))
        result.addresses.append(IPAddress(v6: 0x2001_0db8 << 96 | UInt128(i)))
      }
      for i in UInt32(0)...4 {
        for base: UInt32 in [0x0A00_0000, 0x0A00_0100, 0x0A00_0200, 0x0A00_0300] {
          result.addresses.append(IPAddress(v4: base + i))
        }
        for base: UInt128 in [0, 0x2_0000, 0x3_0000] {
          result.addresses.append(IPAddress(v6: 0xfd00 << 112 | base | UInt128(i)))
        }
      }
      return result
    }

    private func options(_ g: inout some RandomNumberGenerator) -> String {
      var lines: [String] = []
      if chance(4, &g) { lines.append("unmanaged: drop") }
      if chance(4, &g) { lines.append("intra-group-egress: allow") }
      if chance(5, &g) { lines.append("exempt-from: [198.51.100.1, \"2001:db8::1\"]") }
      if chance(5, &g) { lines.append("exempt-to: 198.51.100.4/31") }
      if features.log, chance(3, &g) { lines.append("log: denied") }
      return lines.isEmpty ? "" : "options:\n" + lines.map { "  \($0)\n" }.joined()
    }

    private mutating func instances(_ g: inout some RandomNumberGenerator, _ result: inout RandomPolicy) -> String {
      var text = ""
      for i in 0..<Int.random(in: 0...6, using: &g) {
        let isBasic = Bool.random(using: &g)
        let own = groups.filter { $0.isBasic == isBasic && !$0.isExternal }
        guard !own.isEmpty else { continue }
        var named = Array(own.shuffled(using: &g).prefix(Int.random(in: 1...3, using: &g))).map(\.name)
        if chance(5, &g), let external = groups.first(where: \.isExternal) { named.append(external.name) }
        var addresses: [String] = []
        var families: Families = []
        if !chance(4, &g) {
          addresses.append("10.0.0.\(i + 1)")
          families.insert(.ipv4)
        }
        if addresses.isEmpty || Bool.random(using: &g) {
          addresses.append("\"fd00::\(i + 1)\"")
          families.insert(.ipv6)
        }
        if chance(6, &g) {
          addresses.append("10.0.1.\(i * 16)/30")
          families.insert(.ipv4)
        }
        var extra = ""
        if features.links, chance(5, &g) {
          let link = "tap\(Int.random(in: 0...1, using: &g))"
          extra = ", interface: \(link)"
          if !result.links.contains(link) { result.links.append(link) }
        }
        let name = "instance-\(i)"
        text +=
          "  \(name): { addresses: [\(addresses.joined(separator: ", "))], groups: [\(named.joined(separator: ", "))]\(extra) }\n"
        instanceEntries.append(Entry(text: name, families: families))
        result.instances.append(name)
      }
      return text.isEmpty ? "" : "instances:\n" + text
    }

    private func group(
      _ group: (name: String, isBasic: Bool, isExternal: Bool), _ g: inout some RandomNumberGenerator
    ) -> String {
      var text = "  \(group.name):\n    type: \(group.isBasic ? "basic" : "advanced")\n"
      if group.isExternal {
        return text + "    external: true\n    members: [198.51.100.0/30, \"2001:db8::2\", 10.0.0.3]\n"
      }
      if group.isBasic, chance(3, &g) { text += "    intra-group: isolate\n" }
      if chance(3, &g) {
        // each type has members of its own, so that no address has both
        let net = group.isBasic ? "10.0.2" : "10.0.3"
        let net6 = group.isBasic ? "fd00::2" : "fd00::3"
        let low = Int.random(in: 0...3, using: &g)
        text += "    members: [\(net).\(low)-\(net).\(low + Int.random(in: 0...6, using: &g)), \"\(net6):\(low)\"]\n"
      }
      for direction in ["ingress", "egress"] {
        var count = Int.random(in: 0...5, using: &g)
        if features.largeGroups, chance(6, &g) { count += 30 }
        if count == 0 { continue }
        text += "    \(direction):\n"
        for _ in 0..<count { text += rule(direction == "ingress", &g) }
      }
      return text
    }

    private func rule(_ isIngress: Bool, _ g: inout some RandomNumberGenerator) -> String {
      while true {
        let services = pick(1...3, Maker.services, &g)
        var peerPool = Maker.literals + lists + instanceEntries
        peerPool += groups.map { Entry(text: $0.name, families: .both) }
        peerPool += Array(repeating: Entry(text: "any", families: .both), count: 4)
        let peers = pick(1...3, peerPool, &g)
        let ownPool = instanceEntries + lists + Maker.literals.filter { $0.text.hasPrefix("10") || $0.text.hasPrefix("\"fd") }
        let own = chance(5, &g) ? pick(1...2, ownPool, &g) : []
        let dimensions = [services, peers] + (own.isEmpty ? [] : [own])
        guard dimensions.indices.allSatisfy({ d in dimensions[d].allSatisfy { canMeet($0, d, dimensions) } }) else { continue }
        var fields = ["\(Bool.random(using: &g) ? "allow" : "deny"): [\(joined(services))]"]
        fields.append("\(isIngress ? "from" : "to"): [\(joined(peers))]")
        if !own.isEmpty { fields.append("\(isIngress ? "to" : "from"): [\(joined(own))]") }
        if services.allSatisfy(\.hasPorts), chance(4, &g) {
          fields.append("source-ports: " + ["1024-65535", "[53, 1000-2000]", "22"].randomElement(using: &g)!)
        }
        if Bool.random(using: &g) { fields.append("priority: \([1, 2, 50, 100].randomElement(using: &g)!)") }
        return "      - { \(fields.joined(separator: ", ")) }\n"
      }
    }

    /// Whether there is a family in which an entry of one dimension meets an entry of every other.
    private func canMeet(_ entry: Entry, _ dimension: Int, _ all: [[Entry]]) -> Bool {
      [Families.ipv4, .ipv6].contains { family in
        entry.families.contains(family)
          && all.indices.allSatisfy { d in d == dimension || all[d].contains { $0.families.contains(family) } }
      }
    }

    private func families(_ entries: [Entry]) -> Families { entries.reduce(into: []) { $0.formUnion($1.families) } }
    private func joined(_ entries: [Entry]) -> String { entries.map(\.text).joined(separator: ", ") }
    private func chance(_ n: Int, _ g: inout some RandomNumberGenerator) -> Bool { Int.random(in: 1...n, using: &g) == 1 }

    /// Some of the entries, each once.
    private func pick(_ count: ClosedRange<Int>, _ entries: [Entry], _ g: inout some RandomNumberGenerator) -> [Entry] {
      var seen: [String] = []
      var result: [Entry] = []
      for _ in 0..<Int.random(in: count, using: &g) {
        let entry = entries.randomElement(using: &g)!
        if !seen.contains(entry.text) {
          seen.append(entry.text)
          result.append(entry)
        }
      }
      return result
    }
  }

  private init(empty: Void) {}

  /// A packet that meets the policy's edges, of a new flow or of none; `path` fields (links, state) included.
  public func packet(using generator: inout some RandomNumberGenerator) -> Packet {
    let source = addresses.randomElement(using: &generator)!
    var destination = addresses.randomElement(using: &generator)!
    while destination.family != source.family { destination = addresses.randomElement(using: &generator)! }
    let ipProtocol = RandomPolicy.protocols.randomElement(using: &generator)!
    let transport: TransportHeader
    switch Int.random(in: 0..<10, using: &generator) {
    case 0:
      transport = TransportHeader(
        bytes: UInt32.random(in: 0...UInt32.max, using: &generator), count: Int.random(in: 0...4, using: &generator))
    default:
      if ipProtocol == .icmp || ipProtocol == .icmpv6 {
        let types: [UInt8] = [0, 3, 8, 13, 128, 129, 130, 131, 133, 135, 136, 139, 143]
        transport = .icmp(
          type: types.randomElement(using: &generator)!, code: UInt8.random(in: 0...4, using: &generator))
      } else {
        transport = .ports(
          source: [22, 53, 67, 68, 546, 547, 1000, 1024, 40000].randomElement(using: &generator)!,
          destination: (RandomPolicy.ports + [67, 68, 546, 547]).randomElement(using: &generator)!)
      }
    }
    var state = ConnectionState.unsolicited(ipProtocol, transport)
    if Int.random(in: 0..<6, using: &generator) == 0 { state = ConnectionState.allCases.randomElement(using: &generator)! }
    let names = ["tap0", "tap1", "eth0", "lo"]
    return Packet(
      source: source, destination: destination, ipProtocol: ipProtocol, transport: transport, state: state,
      inputInterface: names.randomElement(using: &generator)!, outputInterface: names.randomElement(using: &generator)!)
  }
}
