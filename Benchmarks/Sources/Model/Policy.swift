/// A policy in the benchmarks' own words.
public struct Policy {
  public struct Group {
    var name: String
    var isAdvanced: Bool
    var isIsolated: Bool
    var ingress: [Rule] = []
    var egress: [Rule] = []

    /// Whether members reach each other whatever the rules say.
    var admitsMembers: Bool { !isAdvanced && !isIsolated }
  }

  public struct Rule {
    var allows: Bool
    var services: [Service]
    var peers: [Peer]
    var priority: Int?
    var description: String?
  }

  enum Peer {
    case any
    case prefix(Prefix)
    case list(Int)
    case group(Int)
  }

  public struct Instance {
    var name: String
    var addresses: [(text: String, address: Address)]
    var groups: [Int]
  }

  var prefixLists: [[Prefix]] = []
  var groups: [Group] = []
  var instances: [Instance] = []
}

/// A service, by the name that a policy has for it.
struct Service: Sendable {
  enum Kind: String, Sendable { case all, tcp, udp, sctp, gre, icmp, icmpv6 }

  /// A protocol and its ports, where it is not all of them. ICMP is the echo request.
  struct Term: Sendable {
    var kind: Kind
    var ports: ClosedRange<Int>?

    init(_ kind: Kind, _ ports: ClosedRange<Int>? = nil) { (self.kind, self.ports) = (kind, ports) }
    init(_ kind: Kind, _ port: Int) { self.init(kind, port...port) }
  }

  var text: String
  var terms: [Term]

  /// A service that has a name here, a whole protocol, or a protocol with ports.
  init(_ text: String) {
    self.text = text
    if let known = Self.named[text] {
      terms = known
    } else {
      let words = text.split(separator: "/")
      let ports = words.count == 1 ? [] : words[1].split(separator: "-").map { Int($0)! }
      terms = [Term(Kind(rawValue: String(words[0]))!, ports.isEmpty ? nil : ports.first!...ports.last!)]
    }
  }

  /// What the policy's own services are made of; the rest is built into the language.
  private static let named: [String: [Term]] = [
    "app": [Term(.tcp, 8080), Term(.tcp, 8443)], "metrics": [Term(.tcp, 9100...9110)],
    "dns": [Term(.udp, 53), Term(.tcp, 53)], "ntp": [Term(.udp, 123)], "ping": [Term(.icmp), Term(.icmpv6)],
    "ssh": [Term(.tcp, 22)], "smtp": [Term(.tcp, 25)], "http": [Term(.tcp, 80)], "https": [Term(.tcp, 443)],
    "imaps": [Term(.tcp, 993)], "mysql": [Term(.tcp, 3306)], "rdp": [Term(.tcp, 3389)],
    "postgresql": [Term(.tcp, 5432)], "redis": [Term(.tcp, 6379)], "mongodb": [Term(.tcp, 27017)],
  ]
}
