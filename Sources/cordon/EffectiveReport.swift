import Diagnostics
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// All that applies to an instance or a group, as `cordon effective` shows it.
struct EffectiveReport {
  /// Addresses that have the same groups, and what is asked of their packets.
  private struct Part: Encodable {
    struct Step: Encodable {
      /// 0 to 3, as the language counts them.
      var step: Int
      var action: String
      /// What the step is about, in the policy's words.
      var what: String
      var priority: Int?
      var rule: String?
      var place: String?
    }
    var addresses: [String]
    var groups: [String]
    var type: String
    var ingress: [Step]
    var egress: [Step]
  }

  private let name: String
  private var parts: [Part] = []
  private let policy: Policy
  private let places: SourcePlaces

  /// Nil where the policy has neither an instance nor a group of that name. A group is shown as it is alone, for members that
  /// have no other.
  init?(_ name: String, _ policy: Policy, _ sources: SourceFiles) {
    self.name = name
    self.policy = policy
    places = SourcePlaces(sources)
    if let instance = policy.instances.first(where: { $0.name == name }) {
      for entry in AddressClasses(policy).classes where !entry.groups.isEmpty {
        let own = entry.addresses.intersection(instance.addresses)
        if !own.isEmpty { parts.append(part(own, entry.groups)) }
      }
    } else if let group = policy.groups.firstIndex(where: { $0.name == name }) {
      if !policy.groups[group].isExternal { parts = [part(policy.groups[group].members, [group])] }
    } else {
      return nil
    }
  }

  private func part(_ addresses: AddressSet, _ groups: [Int]) -> Part {
    Part(
      addresses: addresses.ranges.map(\.description), groups: groups.map { policy.groups[$0].name },
      type: policy.groups[groups[0]].type.rawValue, ingress: steps(.ingress, groups), egress: steps(.egress, groups))
  }

  private func steps(_ direction: Direction, _ groups: [Int]) -> [Part.Step] {
    let isIngress = direction == .ingress
    var result: [Part.Step] = []
    let exempt = isIngress ? policy.options.exemptFrom : policy.options.exemptTo
    if !exempt.isEmpty {
      result.append(
        .init(step: 0, action: "allow", what: "\(isIngress ? "from" : "to") \(words(exempt)), which `options` exempt"))
    }
    if isIngress || policy.options.intraGroupEgress == .allow {
      for group in groups.map({ policy.groups[$0] }) where group.type == .basic && group.intraGroup == .allow {
        result.append(
          .init(
            step: 1, action: "allow", what: "\(isIngress ? "from" : "to") members of \(group.name), its own",
            place: places.place(group.range)))
      }
    }
    var rules: [(rank: Int, group: Int, index: Int)] = []
    for group in groups {
      for (index, rule) in policy.groups[group].rules(direction).enumerated() {
        rules.append((Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1), group, index))
      }
    }
    for (_, group, index) in rules.sorted(by: { ($0.rank, $0.group, $0.index) < ($1.rank, $1.group, $1.index) }) {
      let rule = policy.groups[group].rules(direction)[index]
      result.append(
        .init(
          step: 2, action: rule.action.rawValue, what: words(rule, direction), priority: Int(rule.priority),
          rule: "\(policy.groups[group].name) \(direction.rawValue) \(index + 1)", place: places.place(rule.range)))
    }
    let isOpen = direction == .egress && policy.groups[groups[0]].type == .basic
    result.append(.init(step: 3, action: isOpen ? "allow" : "deny", what: "everything else"))
    return result
  }

  // MARK: - Words

  private func words(_ rule: Rule, _ direction: Direction) -> String {
    let isIngress = direction == .ingress
    var text = rule.services.map(\.description).joined(separator: ", ")
    if let ports = rule.sourcePorts { text += " from port \(ports.map(\.description).joined(separator: ", "))" }
    text += " \(isIngress ? "from" : "to") \(rule.peers.map(words).joined(separator: ", "))"
    if let own = rule.own { text += " \(isIngress ? "to" : "from") \(words(own))" }
    return text
  }

  private func words(_ peer: Peer) -> String {
    switch peer {
    case .any: "any"
    case .addresses(let range): range.description
    case .prefixList(let index): policy.prefixLists[index].name
    case .group(let index): policy.groups[index].name
    case .instance(let index): policy.instances[index].name
    }
  }

  private func words(_ addresses: AddressSet) -> String { addresses.ranges.map(\.description).joined(separator: ", ") }

  // MARK: - Output

  var text: String {
    if parts.isEmpty { return "\(name): nothing is enforced here, all its groups are external\n" }
    var lines: [String] = []
    for part in parts {
      let addresses = part.addresses.isEmpty ? "no address" : part.addresses.joined(separator: ", ")
      lines.append("\(name): \(addresses)")
      lines.append("  \(part.type) \(part.groups.count == 1 ? "group" : "groups") \(part.groups.joined(separator: ", "))")
      for (direction, steps) in [("ingress", part.ingress), ("egress", part.egress)] {
        lines.append("  \(direction)")
        let width = steps.map(\.what.count).filter { $0 < 60 }.max() ?? 0
        for step in steps {
          let priority = step.priority.map { "priority \($0)" } ?? ""
          let action = step.action == "deny" ? "deny " : "allow"
          let origin = [step.rule, step.place].compactMap { $0 }.joined(separator: ", ")
          let padding = String(repeating: " ", count: max(0, width - step.what.count))
          let shown = [step.what + (origin.isEmpty && priority.isEmpty ? "" : padding), priority, origin].filter { !$0.isEmpty }
          lines.append("    \(step.step)  \(action)  \(shown.joined(separator: "  "))")
        }
      }
      lines.append("")
    }
    return lines.joined(separator: "\n")
  }

  /// `{ "name", "parts": [ { "addresses", "groups", "type", "ingress": [ { "step", "action", "what", "priority", "rule", "place" } ],
  /// "egress": … } ] }`; a step of the language's own has no priority and no rule.
  var json: String {
    struct Report: Encodable {
      var name: String
      var parts: [Part]
    }
    return JSONText.encode(Report(name: name, parts: parts))
  }
}
