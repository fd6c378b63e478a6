import Diagnostics
import PacketSpace

/// Flows between two environments: `environment-crossing`.
///
/// Found is what both ends allow: a rule of the destination that lets in addresses of another environment, and does so after all
/// stronger rules have spoken, and an egress that lets them out. Each rule is reported once, with a packet.
struct Environments {
  /// Addresses of one environment that may send what the same groups' egress lets out.
  private struct Sender {
    var environment: String
    var addresses: AddressSet
    /// Empty where somebody else decides about egress.
    var groups: [Int]
  }

  private let facts: LintFacts
  /// The addresses of each environment, by its name.
  private var addresses: [String: AddressSet] = [:]
  private var senders: [Sender] = []
  private var senderOfAddress = AddressIndex([])
  private var seen: Set<RuleLayer.Origin> = []

  static func find(_ facts: LintFacts, into report: inout LintReport) {
    var finder = Environments(facts)
    if finder.addresses.count > 1 { finder.find(&report) }
  }

  private init(_ facts: LintFacts) {
    self.facts = facts
    for group in facts.policy.groups {
      if let name = group.environment { addresses[name] = (addresses[name] ?? AddressSet()).union(group.members) }
    }
    if addresses.count < 2 { return }
    for entry in facts.classes {
      let names = environments(of: entry)
      if names.count == 1 { senders.append(Sender(environment: names[0], addresses: entry.addresses, groups: entry.groups)) }
    }
    var taken = AddressSet(facts.classes.flatMap(\.addresses.ranges))
    for name in addresses.keys.sorted() {
      let unprotected = addresses[name]!.subtracting(taken)
      taken = taken.union(unprotected)
      if !unprotected.isEmpty { senders.append(Sender(environment: name, addresses: unprotected, groups: [])) }
    }
    senderOfAddress = AddressIndex(senders.map(\.addresses))
  }

  private func environments(of entry: AddressClasses.Class) -> [String] {
    addresses.keys.filter { entry.addresses.meets(addresses[$0]!) }.sorted()
  }

  private mutating func find(_ report: inout LintReport) {
    for entry in facts.classes {
      let names = environments(of: entry)
      if names.count > 1 {
        reportBoth(entry, names, &report)
      } else if let name = names.first {
        report.judge(facts.policy.groups[entry.groups[0]]) { report throws(DiagramBudgetExceeded) in
          try judge(entry, name, &report)
        }
      }
    }
  }

  private mutating func judge(
    _ entry: AddressClasses.Class, _ name: String, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) {
    let layers = facts.layers(entry.groups, .ingress)
    for (index, layer) in layers.enumerated() where layer.action == .allow && !seen.contains(layer.origin) {
      let focus = layer.boxes.beginningFlows.narrowed(.destination, to: entry.addresses)
      if focus.isEmpty { continue }
      for sender in senders(layer) where sender.environment != name {
        let sent = focus.narrowed(.source, to: sender.addresses)
        if sent.isEmpty { continue }
        let deciders = try layers.deciders(of: sent)
        guard deciders.layers.contains(index), let packet = try allowedOut(deciders.boxes(index), sender) else { continue }
        seen.insert(layer.origin)
        reportCrossing(layer, packet, from: sender.environment, to: name, &report)
        break
      }
    }
  }

  /// The senders that a layer speaks of. Exemptions are nobody's: who is exempt was chosen for all groups.
  private func senders(_ layer: RuleLayer) -> [Sender] {
    let peers: AddressSet
    switch layer.origin {
    case .exempt: return []
    case .intraGroup(let group): peers = facts.policy.groups[group].members
    case .rule(let place): peers = facts.addresses(facts.rule(place).peers)
    }
    return Set(peers.ranges.flatMap { senderOfAddress.all($0) }).sorted().map { senders[$0] }
  }

  /// A packet of those that their sender's egress allows too.
  private func allowedOut(_ boxes: [PacketBox], _ sender: Sender) throws(DiagramBudgetExceeded) -> Packet? {
    if sender.groups.isEmpty {
      return boxes.lazy.compactMap { $0.narrowed(.connectionState, to: Interval(8)).example(endsDiffer: true) }.first
    }
    let layers = facts.layers(sender.groups, .egress)
    let deciders = try layers.deciders(of: boxes)
    for index in deciders.layers where layers[index].action == .allow {
      if let packet = deciders.witness(index) { return packet }
    }
    let isAllowedByDefault = deciders.includesDefault && facts.defaultAction(sender.groups[0], .egress) == .allow
    return isAllowedByDefault ? deciders.witness(nil) : nil
  }

  private func reportCrossing(
    _ layer: RuleLayer, _ packet: Packet, from: String, to: String, _ report: inout LintReport
  ) {
    let port = packet.transport.destinationPort.flatMap { packet.ipProtocol.hasPorts ? "/\($0)" : nil } ?? ""
    let witness = Diagnostic.Note(
      "as \(packet.ipProtocol.policyName)\(port) from \(packet.source) to \(packet.destination)")
    switch layer.origin {
    case .exempt: break
    case .intraGroup(let index):
      let group = facts.policy.groups[index]
      report.add(
        .warning, .environmentCrossing, "members of `\(group.name)` are in `\(from)` and in `\(to)`, and reach each other",
        at: group.range, help: "write `intra-group: isolate`, or make a group for each environment", notes: [witness])
    case .rule(let place):
      report.add(
        .warning, .environmentCrossing, "this lets the environment `\(from)` reach `\(to)`", at: facts.rule(place).range,
        help: "name peers of `\(to)` only, or deny those of `\(from)` at a smaller `priority`", notes: [witness])
    }
  }

  private mutating func reportBoth(_ entry: AddressClasses.Class, _ names: [String], _ report: inout LintReport) {
    let groups = facts.policy.groups.indices.filter {
      facts.policy.groups[$0].environment != nil && facts.policy.groups[$0].members.meets(entry.addresses)
    }
    guard let last = groups.last, seen.insert(.intraGroup(-1 - last)).inserted else { return }
    let both = LintText.list(names.map { "`\($0)`" })
    let address = entry.addresses.ranges.first.map { "\($0.lowerAddress)" } ?? ""
    report.add(
      .warning, .environmentCrossing, "`\(address)` is in two environments: \(both)", at: facts.policy.groups[last].range,
      help: "give each environment instances of its own",
      notes: groups.dropLast().map { Diagnostic.Note("it is in this group too", at: facts.policy.groups[$0].range) })
  }
}
