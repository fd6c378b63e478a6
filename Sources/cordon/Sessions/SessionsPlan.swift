import ArgumentParser
import Diagnostics
import Nftables
import NftablesKernel
import PolicyCompiler

/// What becomes of open connections that a new policy denies.
enum Sessions: String, ExpressibleByArgument, CaseIterable {
  case keep, revoke
}

/// The part of an apply that is about connections that are open already.
struct SessionsPlan {
  private let choice: Sessions
  private let compilation: Compilation
  private let places: SourcePlaces
  /// Nil where nothing is denied since the policy only observes.
  private let open: Result<OpenFlows, KernelError>?
  private let isFirst: Bool

  /// - Parameter isFirst: whether nothing is in force yet.
  /// - Throws: `Refusal` where connections are to be cut and the kernel doesn't list them: so before anything is changed.
  init(_ compilation: Compilation, _ sources: SourceFiles, _ choice: Sessions, isFirst: Bool) throws {
    self.choice = choice
    self.compilation = compilation
    self.isFirst = isFirst
    places = SourcePlaces(sources)
    open =
      compilation.observes
      ? nil
      : Result { () throws(KernelError) in
        // who is to cut later what may begin until then finds out now whether that can be
        choice == .keep && OpenFlows.isNothingTracked ? OpenFlows() : try OpenFlows(deniedBy: compilation)
      }
    if choice == .revoke, case .failure(let error) = open {
      throw Refusal(
        "cannot \(error.operation): \(error.words)\n"
          + "help: \(error.help ?? "without --sessions revoke the policy can be applied, and what is open goes on")")
    }
  }

  /// With `revoke`, once the policy is in force: cuts what is open and denied then, and says how much.
  func carryOut(_ format: OutputFormat) throws {
    guard choice == .revoke, !compilation.observes else { return }
    let cut: Conntrack.Cut
    do {
      cut = try OpenFlows.cut(deniedBy: compilation)
    } catch {
      throw Refusal("the policy is in force, but no connection was cut: cannot \(error.operation): \(error.words)")
    }
    let words = "\(SessionsPlan.connections(cut.count)) \(cut.count == 1 ? "was" : "were") cut"
    if let failure = cut.failure {
      throw Refusal("the policy is in force and \(words), but \(cut.failures) more could not be: \(failure)")
    }
    switch format {
    case .human, .plain: Terminal.error("\(words)\n")
    case .json:
      Terminal.error(JSONRenderer().render([Diagnostic(.note, "sessions-cut", words, at: nil)], in: SourceFiles()))
    }
  }

  private static func connections(_ count: Int) -> String { "\(count) open connection\(count == 1 ? "" : "s")" }

  // MARK: - For a person

  /// Empty where there is nothing to say.
  var text: String {
    switch open {
    case nil: return ""
    case .failure(let error):
      return "\nopen connections that the new policy denies can't be listed, and go on: \(error.words)\n"
    case .success(let open):
      if isFirst, open.tracked == 0 {
        return
          "\nconnection tracking holds no connections: one that is open now will be judged by its next packet,\n"
          + "in whichever direction it goes, like the first of a new connection\n"
      }
      return open.denied == 0 ? "" : "\n" + text(open).map { "\($0)\n" }.joined()
    }
  }

  private func text(_ open: OpenFlows) -> [String] {
    let isOne = open.denied == 1
    let denied = "\(SessionsPlan.connections(open.denied)) \(isOne ? "is" : "are") denied by the new policy"
    var lines: [String] = []
    switch choice {
    case .keep: lines.append("\(denied), and \(isOne ? "goes" : "go") on: --sessions revoke cuts \(isOne ? "it" : "them")")
    case .revoke:
      lines.append("\(denied), and \(isOne ? "is" : "are") to be cut")
      if open.answerable > 0 {
        let which =
          isOne
          ? "it comes back once its"
          : open.answerable == 1 ? "1 of them comes back once its" : "\(open.answerable) of them come back once their"
        lines.append("\(which) other end sends something: the policy lets that end begin connections")
      }
    }
    for (flow, reason) in open.listed {
      let front = flow.hook == .forward ? "" : "\(flow.hook.rawValue): "
      lines.append("  \(front)\(flow.first)  \(reason.message)" + (reason.range.map { "  (\(places.place($0)))" } ?? ""))
    }
    if open.denied > open.listed.count { lines.append("  and \(open.denied - open.listed.count) more") }
    return lines
  }

  // MARK: - For a program

  /// `{ "choice": "keep"|"revoke", "problem": TEXT | missing, "tracked": N, "denied": N, "answerable": N, "flows": [ { "flow",
  /// "hook", "reason", "place": `file:line` or missing } ] }`; at most 20 flows. The numbers and flows are missing where there is
  /// a problem. Null where nothing is denied since the policy only observes.
  var json: String {
    struct Report: Encodable {
      struct Flow: Encodable {
        var flow, hook, reason: String
        var place: String?
      }
      var choice: String
      var problem: String?
      var tracked, denied, answerable: Int?
      var flows: [Flow]?
    }
    switch open {
    case nil: return "null"
    case .failure(let error): return JSONText.encode(Report(choice: choice.rawValue, problem: "\(error)"))
    case .success(let open):
      let flows = open.listed.map { flow, reason in
        Report.Flow(
          flow: "\(flow.first)", hook: flow.hook.rawValue, reason: reason.message, place: reason.range.map(places.place))
      }
      return JSONText.encode(
        Report(
          choice: choice.rawValue, tracked: open.tracked, denied: open.denied, answerable: open.answerable, flows: flows))
    }
  }
}
