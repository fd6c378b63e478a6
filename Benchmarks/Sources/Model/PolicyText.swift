extension Policy {
  /// The policy as Cordon reads it.
  public var text: String {
    var text = "version: 1\n\nprefix-lists:\n"
    for (number, list) in prefixLists.enumerated() {
      text += "  list-\(number): [\(list.map(\.text).joined(separator: ", "))]\n"
    }
    text += "\nservices:\n  app: [tcp/8080, tcp/8443]\n  metrics: tcp/9100-9110\n\ngroups:\n"
    for group in groups { write(group, to: &text) }
    text += "\ninstances:\n"
    for instance in instances {
      let addresses = Self.list(instance.addresses.map(\.text))
      text += "  \(instance.name): { addresses: \(addresses), groups: \(Self.list(instance.groups.map { groups[$0].name })) }\n"
    }
    return text
  }

  private func write(_ group: Group, to text: inout String) {
    text += "  \(group.name):\n"
    if group.isAdvanced { text += "    type: advanced\n" }
    if group.isIsolated { text += "    intra-group: isolate\n" }
    for (direction, end, rules) in [("ingress", "from", group.ingress), ("egress", "to", group.egress)] {
      text += "    \(direction):\n"
      for rule in rules {
        text += "      - \(rule.allows ? "allow" : "deny"): \(Self.list(rule.services.map(\.text)))\n"
        text += "        \(end): \(Self.list(rule.peers.map(word)))\n"
        if let priority = rule.priority { text += "        priority: \(priority)\n" }
        if let description = rule.description { text += "        description: \(description)\n" }
      }
    }
  }

  private func word(_ peer: Peer) -> String {
    switch peer {
    case .any: "any"
    case .prefix(let prefix): prefix.text
    case .list(let number): "list-\(number)"
    case .group(let number): groups[number].name
    }
  }

  /// A list, or its one value alone.
  private static func list(_ words: [String]) -> String {
    words.count == 1 ? words[0] : "[\(words.joined(separator: ", "))]"
  }
}
