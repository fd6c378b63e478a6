extension AppliedState {
  /// `policy.yaml as web-1, applied 2026-11-24T03:46:26Z`.
  var words: String {
    let time = Clock.text(time)
    if sha256 == nil { return "no table, as it was found \(time)" }
    return switch origin {
    case .found: "as it was found \(time)"
    case .applied: "\(policyWords), applied \(time)"
    }
  }

  var policyWords: String {
    let shown = policies.prefix(3).map(\.name).joined(separator: " ")
    return shown + (policies.count > 3 ? " and \(policies.count - 3) more" : "") + (host.map { " as \($0)" } ?? "")
      + (observes ? ", observed only" : "")
  }
}

/// The states that are kept, as `cordon history` shows them.
struct HistoryReport {
  private let folder: StateFolder
  private let index: StateIndex?
  private var newestFirst: [AppliedState] { (index?.states ?? []).reversed() }

  init(_ folder: StateFolder, _ index: StateIndex?) {
    self.folder = folder
    self.index = index
  }

  /// What became of a state.
  private func fate(_ state: AppliedState) -> String {
    if index?.pending?.state == state.number { return "waits to be confirmed" }
    if index?.confirmed == state.number { return "confirmed, comes back at boot" }
    return state.isConfirmed ? "confirmed" : "not confirmed, undone"
  }

  var text: String {
    if newestFirst.isEmpty { return "nothing was applied to table inet \(folder.table)\n" }
    return newestFirst.map { state in
      "\(state.number == index?.current ? "*" : " ") \(state.number)  \(state.words)  (\(fate(state)))\n"
    }.joined()
  }

  var plain: String {
    newestFirst.map { state in
      let columns = [
        "\(state.number)", Clock.text(state.time), fate(state), state.cordon, state.sha256 ?? "no table",
        state.policies.map(\.name).joined(separator: " "),
      ]
      // a name with a tab or a line end in it is no column or line of its own
      let safe = columns.map { Terminal.safe(String($0.map { $0 == "\t" || $0.isNewline ? "\u{FFFD}" : $0 })) }
      return safe.joined(separator: "\t") + "\n"
    }.joined()
  }

  /// `{ "table", "namespace", "states": [ { "state", "time", "origin", "policies": [ { "name", "sha256" } ], "host", "observes",
  /// "cordon", "sha256", "confirmed", "current", "atBoot", "previous" } ] }`, the newest first. `sha256` of a state is that of its ruleset,
  /// missing where there was no table; `host` and `previous` are missing where there is none.
  var json: String {
    struct Report: Encodable {
      var table, namespace: String
      var states: [StateReport]
    }
    return JSONText.encode(
      Report(
        table: folder.table, namespace: folder.namespace,
        states: newestFirst.map {
          StateReport($0, isCurrent: $0.number == index?.current, isAtBoot: $0.number == index?.confirmed)
        }
      ))
  }
}

/// A state in JSON.
struct StateReport: Encodable {
  var state: Int
  var time: String
  var origin: AppliedState.Origin
  var policies: [AppliedState.PolicyFile]
  var host: String?
  var observes: Bool
  var cordon: String
  var sha256: String?
  var confirmed, current, atBoot: Bool
  var previous: Int?

  init(_ state: AppliedState, isCurrent: Bool, isAtBoot: Bool) {
    self.state = state.number
    time = Clock.text(state.time)
    origin = state.origin
    policies = state.policies
    host = state.host
    observes = state.observes
    cordon = state.cordon
    sha256 = state.sha256
    confirmed = state.isConfirmed
    current = isCurrent
    atBoot = isAtBoot
    previous = state.previous
  }
}
