import PacketSpace

/// Left sides as libnftables lists them.
///
///     {"meta": {"key": "l4proto"}} · {"payload": {"protocol": "tcp", "field": "dport"}} · {"concat": [ … ]}
///
/// `tcp dport` loads what `th dport` loads, behind a match of `meta l4proto` that isn't listed.
extension JSONTree {
  /// A left side, and the protocols that its spelling stands for besides.
  func key(_ node: Node) -> (key: Key, protocols: [IPProtocol])? {
    if let (key, value) = onlyMember(node), self.is(key, "concat") {
      let parts = elements(value)
      guard parts.count >= 2 else { return nil }
      var fields: [Field] = []
      var protocols: [IPProtocol] = []
      for part in parts {
        guard let (field, ipProtocol) = field(part) else { return nil }
        fields.append(field)
        if let ipProtocol, !protocols.contains(ipProtocol) { protocols.append(ipProtocol) }
      }
      return (.concatenation(fields), protocols)
    }
    guard let (field, ipProtocol) = field(node) else { return nil }
    return (.field(field), ipProtocol.map { [$0] } ?? [])
  }

  private func field(_ node: Node) -> (Field, IPProtocol?)? {
    guard let (kind, value) = onlyMember(node) else { return nil }
    if self.is(kind, "payload") { return payload(value) }
    // direction and family of `ct` and the rest of what may stand beside the key are nothing that Cordon writes
    guard let (keyKey, key) = onlyMember(value), self.is(keyKey, "key") else { return nil }
    if self.is(kind, "ct") { return self.is(key, "state") ? (.connectionState, nil) : nil }
    guard self.is(kind, "meta") else { return nil }
    if self.is(key, "l4proto") { return (.l4proto, nil) }
    if self.is(key, "nfproto") { return (.nfproto, nil) }
    if self.is(key, "iifname") { return (.inputInterface, nil) }
    if self.is(key, "oifname") { return (.outputInterface, nil) }
    return nil
  }

  private func payload(_ node: Node) -> (Field, IPProtocol?)? {
    guard members(node).count == 2, let header = self[node, "protocol"].flatMap(string),
      let name = self[node, "field"].flatMap(string)
    else { return nil }
    switch (header, name) {
    case ("ip", "saddr"): return (.ipSource, nil)
    case ("ip", "daddr"): return (.ipDestination, nil)
    case ("ip", "protocol"): return (.ipProtocol, nil)
    case ("ip6", "saddr"): return (.ip6Source, nil)
    case ("ip6", "daddr"): return (.ip6Destination, nil)
    case ("icmp", "type"): return (.icmpType, nil)
    case ("icmp", "code"): return (.icmpCode, nil)
    case ("icmpv6", "type"): return (.icmpv6Type, nil)
    case ("icmpv6", "code"): return (.icmpv6Code, nil)
    case (_, "sport"), (_, "dport"):
      let field: Field = name == "sport" ? .sourcePort : .destinationPort
      switch header {
      case "th": return (field, nil)
      case "tcp": return (field, .tcp)
      case "udp": return (field, .udp)
      case "sctp": return (field, .sctp)
      case "dccp": return (field, IPProtocol(rawValue: 33))
      case "udplite": return (field, IPProtocol(rawValue: 136))
      default: return nil
      }
    default: return nil
    }
  }
}
