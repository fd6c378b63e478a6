import Diagnostics
import PacketSpace

/// Allows that let the whole internet in to what isn't meant for it: `open-all`, `open-admin` and `open-database`.
///
/// Open is what at least half of the internet's addresses of a family reach after the stronger rules have spoken, at some address of
/// the group: so two halves of the internet are found as well as `any`, and what another rule denies isn't.
enum OpenRules {
  static func find(_ facts: LintFacts, into report: inout LintReport) {
    for group in facts.enforcedGroups {
      report.judge(facts.policy.groups[group]) { report throws(DiagramBudgetExceeded) in
        for place in facts.places(of: group) where place.direction == .ingress {
          let rule = facts.rule(place)
          if rule.action == .allow { try judge(rule, place, facts, &report) }
        }
      }
    }
  }

  private static func judge(
    _ rule: Rule, _ place: RulePlace, _ facts: LintFacts, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) {
    let families = IPFamily.allCases.filter { Internet.isWide(facts.addresses(rule.peers)[$0], $0) }
    if families.isEmpty { return }
    let whole = rule.services.filter { isWhole($0) }
    if !whole.isEmpty {
      let open = try openFamilies(PolicyDiagrams.boxes(whole), families, place, facts)
      if !open.isEmpty {
        let what = whole.contains(.all) ? "everything" : "every port of \(LintText.list(whole.map { "`\(protocolName($0))`" }))"
        report.add(
          .warning, .openAll, "\(what) is open to \(to(open))", at: rule.range,
          help: "allow the services that are meant for everybody, and name who may use the others")
        return
      }
    }
    for (code, ports, help) in [
      (
        LintCode.openAdmin, KnownPort.administration,
        "name who may log in: the office's addresses, or the group of a jump server"
      ),
      (LintCode.openDatabase, KnownPort.databases, "name who may ask it: the group of the servers that do"),
    ] {
      var names: [String] = []
      var open: Set<IPFamily> = []
      for port in ports where rule.services.contains(where: { port.isIn($0) }) {
        let reached = try openFamilies(PolicyDiagrams.boxes([port.term]), families, place, facts)
        if !reached.isEmpty, !names.contains("`\(port.name)`") { names.append("`\(port.name)`") }
        open.formUnion(reached)
      }
      if !names.isEmpty {
        let message = "\(LintText.list(names)) \(names.count == 1 ? "is" : "are") open to \(to(open.sorted()))"
        report.add(.warning, code, message, at: rule.range, help: help)
      }
    }
  }

  /// The families whose internet a rule lets in to the packets of `services`, at some address of its group.
  private static func openFamilies(
    _ services: [PacketBox], _ families: [IPFamily], _ place: RulePlace, _ facts: LintFacts
  ) throws(DiagramBudgetExceeded) -> [IPFamily] {
    var result: [IPFamily] = []
    let classes = facts.classesOfGroup[place.group].map { facts.classes[$0].groups }
    let scenes = classes.isEmpty || classes.contains([place.group]) ? [[place.group]] : classes
    for family in families {
      let focus = services.map { $0.narrowed(.family, to: Interval(UInt128(family.rawValue))) }.filter { !$0.isEmpty }
      for scene in scenes {
        let layers = facts.layers(scene, .ingress)
        guard let index = layers.firstIndex(where: { $0.place == place }) else { continue }
        let sources = try layers.deciders(of: focus).boxes(index).map { $0[.source] }
        let union = IntervalSet(sources.flatMap(\.intervals)).intersection(IntervalSet([Interval(0, family.maximum)]))
        if Internet.isWide(union, family) {
          result.append(family)
          break
        }
      }
    }
    return result
  }

  private static func isWhole(_ term: ServiceTerm) -> Bool {
    switch term {
    case .all: true
    case .ipProtocol(let p): p.hasPorts
    case .ports(_, let range): range.lower <= 1 && range.upper == .max
    case .icmp: false
    }
  }

  private static func protocolName(_ term: ServiceTerm) -> String { term.ipProtocol?.policyName ?? "all" }

  private static func to(_ families: [IPFamily]) -> String {
    switch families {
    case [.ipv4]: "any IPv4 address"
    case [.ipv6]: "any IPv6 address"
    default: "any address"
    }
  }
}

/// The addresses of everybody.
enum Internet {
  /// Addresses that packets on the internet have: private, shared, link-local, loopback, multicast and reserved ones aside. Those of
  /// documents count as public, as they stand for such. Source: the IANA registries of special-purpose addresses.
  static let addresses: AddressSet = {
    func range(_ text: String, _ length: Int) -> AddressRange { AddressRange(prefix: IPAddress(text)!, length: length) }
    let special = AddressSet(
      [
        ("0.0.0.0", 8), ("10.0.0.0", 8), ("100.64.0.0", 10), ("127.0.0.0", 8), ("169.254.0.0", 16), ("172.16.0.0", 12),
        ("192.168.0.0", 16), ("224.0.0.0", 3),
      ].map { range($0.0, $0.1) })
    return AddressSet([.all(.ipv4), range("2000::", 3)]).subtracting(special)
  }()

  /// Whether at least half of the internet's addresses are in a set.
  static func isWide(_ set: IntervalSet, _ family: IPFamily) -> Bool {
    let all = addresses[family]
    return count(set.intersection(all)) >= count(all) / 2
  }

  private static func count(_ set: IntervalSet) -> UInt128 { set.intervals.reduce(0) { $0 + ($1.upper - $1.lower) } }
}

/// A port that a kind of software listens on.
struct KnownPort: Sendable {
  var name: String
  var ipProtocol: IPProtocol
  var port: UInt16

  private init(_ name: String, _ ipProtocol: IPProtocol, _ port: UInt16) {
    self.name = name
    self.ipProtocol = ipProtocol
    self.port = port
  }

  var term: ServiceTerm { .ports(ipProtocol, PortRange(port)) }

  func isIn(_ term: ServiceTerm) -> Bool {
    switch term {
    case .all: true
    case .ipProtocol(let p): p == ipProtocol
    case .ports(let p, let range): p == ipProtocol && range.contains(port)
    case .icmp: false
    }
  }

  /// Ways to log in to a machine, or to command it.
  static let administration = [
    KnownPort("ssh", .tcp, 22), KnownPort("telnet", .tcp, 23), KnownPort("docker", .tcp, 2375), KnownPort("docker", .tcp, 2376),
    KnownPort("rdp", .tcp, 3389), KnownPort("rdp", .udp, 3389), KnownPort("vnc", .tcp, 5900), KnownPort("winrm", .tcp, 5985),
    KnownPort("winrm", .tcp, 5986),
  ]

  static let databases = [
    KnownPort("mssql", .tcp, 1433), KnownPort("oracle", .tcp, 1521), KnownPort("etcd", .tcp, 2379),
    KnownPort("mysql", .tcp, 3306), KnownPort("postgresql", .tcp, 5432), KnownPort("redis", .tcp, 6379),
    KnownPort("cassandra", .tcp, 9042), KnownPort("elasticsearch", .tcp, 9200), KnownPort("memcached", .tcp, 11211),
    KnownPort("memcached", .udp, 11211), KnownPort("mongodb", .tcp, 27017), KnownPort("db2", .tcp, 50000),
  ]

  static let web = [
    KnownPort("http", .tcp, 80), KnownPort("https", .tcp, 443), KnownPort("https", .udp, 443), KnownPort("http", .tcp, 8080),
    KnownPort("https", .tcp, 8443),
  ]

  static let mail = [
    KnownPort("smtp", .tcp, 25), KnownPort("pop3", .tcp, 110), KnownPort("imap", .tcp, 143), KnownPort("smtps", .tcp, 465),
    KnownPort("submission", .tcp, 587), KnownPort("imaps", .tcp, 993), KnownPort("pop3s", .tcp, 995),
  ]

  static let names = [KnownPort("dns", .tcp, 53), KnownPort("dns", .udp, 53)]

  static let files = [
    KnownPort("ftp", .tcp, 21), KnownPort("rpcbind", .tcp, 111), KnownPort("netbios", .tcp, 139), KnownPort("smb", .tcp, 445),
    KnownPort("nfs", .tcp, 2049),
  ]
}
