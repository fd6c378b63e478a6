/// A policy as the ruleset that somebody would write who thinks of nothing but the policy: a chain for each profile and
/// direction, found by address, and in it a rule for each service, peer and family, in the order in which they decide. Groups
/// that rules name and prefix lists are sets.
///
/// It is what Cordon's output is measured against. Nothing of Cordon has a part in it.
public struct PlainLowering {
  private let policy: Policy
  private let profiles: Profiles
  private let isBare: Bool
  private var isNamed: [Bool]
  private var lines: [String] = []

  /// With `isBare` the chains are found and let every packet pass that is valid: what no ruleset that goes by both ends can go
  /// below.
  public init(_ policy: Policy, isBare: Bool = false) {
    self.policy = policy
    self.isBare = isBare
    profiles = Profiles(policy)
    isNamed = policy.groups.map { _ in false }
    for rule in policy.groups.lazy.flatMap({ $0.ingress + $0.egress }) {
      for case .group(let group) in rule.peers { isNamed[group] = true }
    }
  }

  /// For `nft -f`, any number of times.
  public func text() -> String {
    var writer = self
    writer.write()
    return writer.lines.joined(separator: "\n") + "\n"
  }

  private mutating func write() {
    lines += ["table inet plain", "delete table inet plain", "table inet plain {"]
    for (number, list) in policy.prefixLists.enumerated() {
      for isIPv6 in [false, true] {
        let ranges = list.filter { $0.isIPv6 == isIPv6 }.map(\.range)
        writeSet("list-\(number)", isIPv6, flags: "flags interval; ", Prefix.merged(ranges, isIPv6: isIPv6))
      }
    }
    for (number, group) in policy.groups.enumerated() where isNamed[number] {
      for isIPv6 in [false, true] {
        let members = profiles.members[number].filter { $0.isIPv6 == isIPv6 }
        writeSet("group-\(group.name)", isIPv6, flags: "", members.map(\.description))
      }
    }
    for profile in profiles.all {
      writeChain(
        "egress-\(profile.name)", admitting: [], profile.egress, end: "daddr", allow: "return",
        default: profile.isAdvanced ? "drop" : "return")
      writeChain(
        "ingress-\(profile.name)", admitting: profile.admitting, profile.ingress, end: "saddr", allow: "accept",
        default: "drop")
    }
    writeBase()
    lines.append("}")
  }

  private mutating func writeSet(_ name: String, _ isIPv6: Bool, flags: String, _ elements: [String]) {
    let elements = elements.isEmpty ? "" : "elements = { \(elements.joined(separator: ", ")) } "
    lines.append("set \(name)-\(isIPv6 ? 6 : 4) { type \(isIPv6 ? "ipv6_addr" : "ipv4_addr"); \(flags)\(elements)}")
  }

  private mutating func writeBase() {
    let addresses = profiles.byAddress.sorted { ($0.value, $0.key.bits) < ($1.value, $1.key.bits) }
    var dispatch: [String] = []
    for (direction, end) in [("egress", "saddr"), ("ingress", "daddr")] {
      for isIPv6 in [false, true] {
        let elements = addresses.filter { $0.key.isIPv6 == isIPv6 }
          .map { "\($0.key) : jump \(direction)-\(profiles.all[$0.value].name)" }
        if elements.isEmpty { continue }
        let map = "\(direction)-\(isIPv6 ? 6 : 4)"
        lines.append(
          "map \(map) { type \(isIPv6 ? "ipv6_addr" : "ipv4_addr") : verdict; elements = { \(elements.joined(separator: ", ")) } }"
        )
        dispatch.append("\(isIPv6 ? "ip6" : "ip") \(end) vmap @\(map)")
      }
    }
    lines += ["chain forward {", "type filter hook forward priority 0; policy accept;", "ct state established,related accept"]
    lines += dispatch + ["}"]
  }

  private mutating func writeChain(
    _ name: String, admitting: [Int], _ rules: [Policy.Rule], end: String, allow: String, default verdict: String
  ) {
    lines += ["chain \(name) {", "ct state invalid drop"]
    if isBare {
      lines += [allow, "}"]
      return
    }
    for group in admitting { writeMembers(of: group, end) }
    for rule in rules {
      for service in rule.services.flatMap(\.terms) {
        for peer in rule.peers {
          for match in matches(peer, end) {
            guard let words = words(service, isIPv6: match.isIPv6) else { continue }
            lines.append((match.words + words + [rule.allows ? allow : "drop"]).joined(separator: " "))
          }
        }
      }
    }
    lines += [verdict, "}"]
  }

  /// A set where there is one; otherwise a rule for each run of addresses.
  private mutating func writeMembers(of group: Int, _ end: String) {
    for isIPv6 in [false, true] {
      let family = isIPv6 ? "ip6" : "ip"
      if isNamed[group] {
        lines.append("\(family) \(end) @group-\(policy.groups[group].name)-\(isIPv6 ? 6 : 4) accept")
      } else {
        let members = profiles.members[group].filter { $0.isIPv6 == isIPv6 }.map { $0.bits...$0.bits }
        lines += Prefix.merged(members, isIPv6: isIPv6).map { "\(family) \(end) \($0) accept" }
      }
    }
  }

  /// How a rule matches a peer, once for each family that it has; `any` is of both at once.
  private func matches(_ peer: Policy.Peer, _ end: String) -> [(words: [String], isIPv6: Bool?)] {
    func match(_ isIPv6: Bool, _ word: String) -> (words: [String], isIPv6: Bool?) {
      ([isIPv6 ? "ip6" : "ip", end, word], isIPv6)
    }
    return switch peer {
    case .any: [([], nil)]
    case .prefix(let prefix): [match(prefix.isIPv6, prefix.text)]
    case .group(let number): [false, true].map { match($0, "@group-\(policy.groups[number].name)-\($0 ? 6 : 4)") }
    case .list(let number):
      [false, true].filter { isIPv6 in policy.prefixLists[number].contains { $0.isIPv6 == isIPv6 } }
        .map { match($0, "@list-\(number)-\($0 ? 6 : 4)") }
    }
  }

  /// How a rule matches a service; nil where it has nothing of the family.
  private func words(_ term: Service.Term, isIPv6: Bool?) -> [String]? {
    switch term.kind {
    case .all: []
    case .icmp: isIPv6 == true ? nil : ["icmp type echo-request"]
    case .icmpv6: isIPv6 == false ? nil : ["icmpv6 type echo-request"]
    case .tcp, .udp, .sctp, .gre:
      if let ports = term.ports {
        ["\(term.kind) dport \(ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)")"]
      } else {
        ["meta l4proto \(term.kind)"]
      }
    }
  }
}
