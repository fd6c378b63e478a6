import Diagnostics
import PacketSpace

/// Flows between two environments: `environment-crossing`.
///
/// Found is what both ends allow: a rule of the destination that lets in addresses of another environment, and does so after all
/// stronger rules have spoken, and an egress that lets them out. Each rule is reported once, with a packet.
struct Environments {
  private let facts: LintFacts
  /// The addresses of each environment, by its name.
  private var addresses: [String: AddressSet] = [:]
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
  }

  private mutating func find(_ report: inout LintReport) {
    for entry in facts.classes {
      let own = addresses.keys.filter { addresses[$0]!.meets(entry.addresses) }.sorted()
      if own.count > 1 {
        reportBoth(entry, own, &report)
      } else if let name = own.first {
        let foreign = addresses.keys.filter { $0 != name }.sorted()
        let group = facts.policy.groups[entry.groups[0]]
        report.judge(group) { report throws(DiagramBudgetExceeded) in
          for other in foreign { try judge(entry, name, other, &report) }
        }
      }
    }
  }

  private mutating func judge(
    _ entry: AddressClasses.Class, _ name: String, _ other: String, _ report: inout LintReport
  ) throws(DiagramBudgetExceeded) {
    let layers = facts.layers(entry.groups, .ingress)
    let sources = addresses[other]!.subtracting(addresses[name]!)
    for (index, layer) in layers.enumerated()
    where layer.action == .allow && layer.origin != .exempt && !seen.contains(layer.origin) {
      let focus = layer.boxes.beginningFlows.narrowed(.source, to: sources).narrowed(.destination, to: entry.addresses)
      if focus.isEmpty { continue }
      let deciders = try layers.deciders(of: focus)
      guard deciders.layers.contains(index), let packet = try allowedOut(deciders.boxes(index)) else { continue }
      seen.insert(layer.origin)
      reportCrossing(layer, packet, from: other, to: name, &report)
    }
  }

  /// A packet of those that their source's egress allows too.
  private func allowedOut(_ boxes: [PacketBox]) throws(DiagramBudgetExceeded) -> Packet? {
    for source in facts.classes {
      let focus = boxes.narrowed(.source, to: source.addresses)
      if focus.isEmpty { continue }
      let layers = facts.layers(source.groups, .egress)
      let deciders = try layers.deciders(of: focus)
      if let index = deciders.layers.first(where: { layers[$0].action == .allow }), let packet = deciders.witness(index) {
        return packet
      }
      if deciders.includesDefault, facts.defaultAction(source.groups[0], .egress) == .allow, let packet = deciders.witness(nil)
      {
        return packet
      }
    }
    // who isn't protected may send
    let unprotected = facts.classes.reduce(AddressSet.all) { $0.subtracting($1.addresses) }
    return boxes.narrowed(.source, to: unprotected).lazy.compactMap {
      $0.narrowed(.connectionState, to: Interval(8)).example(endsDiffer: true)
    }.first
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
