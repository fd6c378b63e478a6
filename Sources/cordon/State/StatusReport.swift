import Nftables

/// Whether what was applied is in force, as `cordon status` shows it.
struct StatusReport {
  enum Verdict: String, Encodable {
    case asApplied = "as-applied"
    case changed
    /// A process died while it changed the table, or is doing so now.
    case unfinished
    case neverApplied = "never-applied"
  }

  let folder: StateFolder
  let index: StateIndex?
  /// What the index is to be behind a change that broke off or is under way.
  let unfinished: StateIndex?
  let difference: RulesetDifference?

  var verdict: Verdict {
    if unfinished != nil { return .unfinished }
    if index == nil { return .neverApplied }
    return difference == nil ? .asApplied : .changed
  }

  private var pending: StateIndex.Pending? { unfinished?.pending ?? index?.pending }

  /// Whether something that nobody confirmed should have been undone by now, and whoever was to do it is gone.
  var isOverdue: Bool { pending.map { Clock.sinceBoot > $0.bootTime + 5_000_000_000 } ?? false }

  var text: String {
    var lines: [String] = []
    switch verdict {
    case .asApplied: lines.append("table inet \(folder.table) is as it was applied")
    case .changed: lines.append("table inet \(folder.table) isn't as it was applied")
    case .unfinished:
      lines.append(
        "a change of table inet \(folder.table) is under way, or broke off: if nobody is at it, apply again or run `cordon rollback`"
      )
      if let state = unfinished?.currentState { lines.append("it was to be state \(state.number): \(state.words)") }
    case .neverApplied: lines.append("nothing was applied to table inet \(folder.table)")
    }
    if let index, let state = index.currentState {
      lines.append("state \(state.number): \(state.words)")
      for policy in state.policies { lines.append("  \(policy.name), SHA-256 \(policy.sha256)") }
      if let undone = index.undone {
        lines.append("state \(undone.state) wasn't confirmed in time, and was undone at \(Clock.text(undone.time))")
      }
    }
    if let pending {
      let time = Clock.text(pending.deadline)
      if pending.isOver {
        lines.append("state \(pending.state) was to be undone at \(time): if it isn't in a moment, run `cordon rollback`")
      } else {
        let unless = unfinished?.pending == nil ? " unless it is confirmed: run `cordon confirm`" : ""
        lines.append("state \(pending.state) is undone at \(time)\(unless)")
      }
    }
    let changes = difference.map { $0.text().replacing("planned", with: "applied") } ?? ""
    return lines.joined(separator: "\n") + "\n" + changes
  }

  /// `{ "status": { "table", "namespace", "verdict": "as-applied" | "changed" | "unfinished" | "never-applied", "applied": STATE, "pending":
  /// { "state", "deadline", "secondsLeft" }, "undone": { "state", "time" } }, "difference": … }`, where STATE is one of `cordon
  /// history`'s, and `difference` is `cordon diff`'s `ruleset`; what there isn't is missing, or null for `difference`.
  var json: String {
    struct Pending: Encodable {
      var state: Int
      var deadline: String
      var secondsLeft: Int
    }
    struct Undone: Encodable {
      var state: Int
      var time: String
    }
    struct Report: Encodable {
      var table, namespace: String
      var verdict: Verdict
      var applied: StateReport?
      var pending: Pending?
      var undone: Undone?
    }
    let report = Report(
      table: folder.table, namespace: folder.namespace, verdict: verdict,
      applied: index?.currentState.map {
        StateReport($0, isCurrent: true, isAtBoot: $0.number == index?.confirmed)
      },
      pending: pending.map {
        Pending(state: $0.state, deadline: Clock.text($0.deadline), secondsLeft: max(0, $0.deadline - Clock.now))
      },
      undone: index?.undone.map { Undone(state: $0.state, time: Clock.text($0.time)) })
    return "{\"status\":\(JSONText.encode(report)),\"difference\":\(difference?.json() ?? "null")}\n"
  }
}
