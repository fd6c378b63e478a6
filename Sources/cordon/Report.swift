import Nftables
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// What differs between two tables, as the command shows it: first for packets, then in nft's words.
struct DifferenceReport {
  private let difference: RulesetDifference
  /// Nil where it would take too much to find out.
  private let traffic: TrafficDifference?
  private let describer: PacketsDescriber
  /// How many kinds of packets are shown, each way.
  private static let longest = 20

  init(live: Ruleset?, planned: Ruleset, _ policy: Policy) {
    difference = RulesetDifference.compare(live: live, planned: planned)
    describer = PacketsDescriber(policy)
    let nothing = Ruleset(tableName: planned.tableName)
    traffic = difference.isEmpty ? TrafficDifference() : try? TrafficComparison.compare(live: live ?? nothing, planned: planned)
  }

  var isEmpty: Bool { difference.isEmpty }

  /// - Parameters:
  ///   - plan: how the table is changed, where it is.
  ///   - sessions: what becomes of connections that are open then.
  func text(_ format: OutputFormat, plan: ChangePlan? = nil, sessions: SessionsPlan? = nil) -> String {
    switch format {
    case .human, .plain:
      (isEmpty
        ? "table inet \(difference.tableName): no difference\n"
        : stateText + trafficText + rulesetText + (plan.map { "\n\($0.summary)\n" } ?? ""))
        + (sessions?.text ?? "")
    case .json:
      json(plan, sessions)
    }
  }

  /// What is the matter with the table as a whole, before all that follows from it.
  private var stateText: String {
    switch difference.table {
    case .missing: "table inet \(difference.tableName) isn't there: nothing is enforced\n\n"
    case .flagged, .flaggedAndCutOff:
      "table inet \(difference.tableName) has flags, as a dormant one has: nothing in it is enforced\n\n"
    case .unflagged, nil: ""
    }
  }

  private var rulesetText: String {
    switch difference.table {
    case .missing: ""
    case .flagged, .flaggedAndCutOff, .unflagged, nil: "\n" + difference.text()
    }
  }

  // MARK: - Traffic

  private var trafficText: String {
    guard let traffic, traffic.isComplete || !traffic.changes.isEmpty else {
      return "what changes for packets takes too many cases to find out; in nft's words:\n"
    }
    if traffic.isEmpty { return "no packet is treated otherwise\n" }
    var lines: [String] = []
    for kind in TrafficDifference.Kind.allCases {
      let changes = traffic.changes.filter { $0.kind == kind }
      if changes.isEmpty { continue }
      lines.append(DifferenceReport.heading(kind))
      let flows = describer.describe(changes.filter(\.beginsFlow).map { (DifferenceReport.place($0.hook), $0.packets) })
      for (words, packets) in flows.prefix(DifferenceReport.longest) {
        lines.append("  \(DifferenceReport.mark(kind)) \(words)")
        if let example = packets.example() { lines.append("      for example \(example)") }
      }
      if flows.count > DifferenceReport.longest { lines.append("    and \(flows.count - DifferenceReport.longest) more") }
      if !changes.allSatisfy(\.beginsFlow) {
        lines.append(
          "  \(DifferenceReport.mark(kind)) packets that begin no flow, such as those that connection tracking calls invalid")
      }
    }
    if !traffic.isComplete { lines.append("and more: the comparison stopped here") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What stands in front of packets that aren't forwarded.
  private static func place(_ hook: Hook) -> String { hook == .forward ? "" : "\(hook.rawValue): " }

  private static func heading(_ kind: TrafficDifference.Kind) -> String {
    switch kind {
    case .opens: "would newly pass:"
    case .closes: "would newly be dropped:"
    case .unknown: "would pass or be dropped by rules that cordon doesn't understand:"
    }
  }

  private static func mark(_ kind: TrafficDifference.Kind) -> String {
    switch kind {
    case .opens: "+"
    case .closes: "-"
    case .unknown: "?"
    }
  }

  // MARK: - JSON

  /// `{ "traffic": { "complete", "changes": [ { "change": "opens"|"closes"|"unknown", "hook", "service", "from", "to",
  /// "circumstances", "example" } ] } | null, "ruleset": …, "transactions": [ … ], "sessions": … }`, where `ruleset` is
  /// `RulesetDifference.json()`'s and each transaction is named by its phase; they are left out where there is no plan, as is
  /// `sessions`, which is `SessionsPlan.json`.
  private func json(_ plan: ChangePlan?, _ sessions: SessionsPlan?) -> String {
    struct Change: Encodable { var change, hook, service, from, to, circumstances, example: String }
    struct Traffic: Encodable {
      var complete: Bool
      var changes: [Change]
    }
    let shown = traffic.map { traffic in
      Traffic(
        complete: traffic.isComplete,
        changes: traffic.changes.map { change in
          let words = describer.describe(change.packets)
          return Change(
            change: "\(change.kind)", hook: change.hook.rawValue, service: words.service, from: words.from, to: words.to,
            circumstances: words.circumstances, example: "\(change.witness)")
        })
    }
    let steps = plan.map { ",\"transactions\":\(JSONText.encode($0.transactions.map(\.name)))" } ?? ""
    let open = sessions.map { ",\"sessions\":\($0.json)" } ?? ""
    return "{\"traffic\":\(shown.map { JSONText.encode($0) } ?? "null"),\"ruleset\":\(difference.json())\(steps)\(open)}\n"
  }
}

extension TrafficDifference.Change {
  /// Whether first packets of flows are among its packets.
  fileprivate var beginsFlow: Bool {
    [ConnectionState.new, .untracked].contains { packets[.connectionState].contains($0.bit) }
  }
}
