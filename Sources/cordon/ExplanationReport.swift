import Diagnostics
import FoundationEssentials
import Nftables
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// How flows are decided, as `cordon explain` shows it.
struct ExplanationReport {
  private let policy: Policy
  private let places: SourcePlaces
  private let cases: [ExplainedCase]
  private let isComplete: Bool
  private let describer: PacketsDescriber
  private let compilation: Compilation
  private let explainer: Explainer
  /// How many boxes of packets a case shows.
  private static let longest = 8

  init(_ compilation: Compilation, _ sources: SourceFiles, _ cases: [ExplainedCase], isComplete: Bool) {
    policy = compilation.policy
    places = SourcePlaces(sources)
    self.cases = cases
    self.isComplete = isComplete
    describer = PacketsDescriber(policy)
    self.compilation = compilation
    explainer = Explainer(policy, compilation.enforcement)
  }

  // MARK: - For a person

  var text: String {
    var lines: [String] = []
    if cases.isEmpty { lines.append("no flow is of this kind: it has no first packet between these ends") }
    for explained in cases {
      lines.append(explained.decision.isAllowed ? "allowed" : "denied")
      lines += boxes(explained).map { "  " + $0 }
      lines.append("  for example \(explained.example)")
      lines += ends(explained).map { "    " + $0 }
      lines += path(explained).map { "    " + $0 }
      lines.append("")
    }
    if !isComplete { lines.append("There are more cases: ask for fewer services or peers to see them.") }
    if namesFTP {
      lines.append(
        "FTP opens data connections of its own: they need rules for their ports, or a conntrack helper that makes them related."
      )
    }
    while lines.last == "" { lines.removeLast() }
    return lines.joined(separator: "\n") + "\n"
  }

  private func boxes(_ explained: ExplainedCase) -> [String] {
    let lines = describer.describe(explained.packets.map { ("", $0) }).map(\.words)
    let more = lines.count - ExplanationReport.longest
    return lines.prefix(ExplanationReport.longest) + (more > 0 ? ["and \(more) more"] : [])
  }

  /// The ends in the order in which they were asked, each with the rules that match besides the one that decided.
  private func ends(_ explained: ExplainedCase) -> [String] {
    func line(_ note: Diagnostic.Note) -> String { note.message + (note.range.map { "  (\(places.place($0)))" } ?? "") }
    let evaluator = PolicyEvaluator(policy, compilation.enforcement)
    let notes = policy.notes(explained.example, explained.decision)
    var lines: [String] = []
    for (index, note) in notes.enumerated() {
      lines.append(line(note))
      guard explained.decision.ends.indices.contains(index) else { continue }
      lines += evaluator.overruled(explained.example, at: explained.decision.ends[index]).map { "  " + line($0) }
    }
    return lines
  }

  /// The chains that the packet goes through in the compiled ruleset, with the rules that send it on or decide it.
  private func path(_ explained: ExplainedCase) -> [String] {
    let hook: Hook =
      switch explainer.path(explained.example) {
      case .forwarded: .forward
      case .input: .input
      case .output: .output
      }
    let outcome = RulesetEvaluator(compilation.ruleset).evaluate(explained.example, at: hook)
    let chains = Dictionary(compilation.ruleset.chains.map { ($0.name, $0) }) { first, _ in first }
    return outcome.trace.indices.compactMap { place in
      let step = outcome.trace[place]
      guard let rule = step.rule, let chain = chains[step.chain], let verdict = step.verdict else { return nil }
      // a chain that sent the packet back without a word had no part in it
      if case .jump(let name) = verdict, place + 1 < outcome.trace.count, outcome.trace[place + 1].chain != name { return nil }
      return "in the ruleset, chain \(step.chain): \(TextWriter.line(chain.rules[rule]))"
    }
  }

  private var namesFTP: Bool {
    cases.contains { explained in
      explained.packets.contains {
        $0[.ipProtocol].contains(6) && $0[.secondWord].contains(21) && $0[.secondWord].intervals.allSatisfy(\.isSingle)
      }
    }
  }

  // MARK: - For a program

  /// `{ "cases": [ { "allowed", "packets": [ { "service", "from", "to" } ], "example", "ends": [ { "direction", "allowed",
  /// "reason", "place" } ] } ], "complete" }`; `place` is `file:line` or missing.
  var json: String {
    struct Report: Encodable {
      struct Box: Encodable { var service, from, to: String }
      struct End: Encodable {
        var direction: String
        var allowed: Bool
        var reason: String
        var place: String?
      }
      struct Case: Encodable {
        var allowed: Bool
        var packets: [Box]
        var example: String
        var ends: [End]
      }
      var cases: [Case]
      var complete: Bool
    }
    let report = Report(
      cases: cases.map { explained in
        let boxes = explained.packets.map { box in
          let words = describer.describe(box)
          return Report.Box(service: words.service, from: words.from, to: words.to)
        }
        let ends = explained.decision.ends.map { end in
          let note = policy.words(end.step, end.direction, isAllowed: end.isAllowed)
          return Report.End(
            direction: end.direction.rawValue, allowed: end.isAllowed, reason: note.message, place: note.range.map(places.place)
          )
        }
        return Report.Case(
          allowed: explained.decision.isAllowed, packets: boxes, example: "\(explained.example)", ends: ends)
      }, complete: isComplete)
    return JSONText.encode(report)
  }
}

/// JSON of what a command reports.
enum JSONText {
  /// Keys sorted, so that the same report is the same text; a line feed at the end.
  static func encode(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { preconditionFailure("a report is made of text, numbers and lists") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}
