import ArgumentParser
import Diagnostics
import PolicyLanguage

/// `cordon lint`: advice on a policy that is in order.
struct Lint: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look for rules that do nothing, or more than they should.",
    discussion: """
      Rules are judged by what they mean together, for all packets: whether stronger ones cover a rule, whether removing it \
      changes anything, what is open to everybody, and what a cloud would refuse. A comment `# cordon: allow CODE` on the line \
      of a finding, or alone on the line before it, waives it. Exits with 1 where there are errors; with --strict, warnings \
      count as such.
      """)

  @OptionGroup var policy: PolicyOptions

  @Flag(help: "Exit with 1 where there are warnings, too.")
  var strict = false

  func run() throws {
    let (sources, refusals) = PolicySources.read(policy.policies)
    if !refusals.isEmpty {
      policy.report(refusals, sources)
      throw Status.failed
    }
    let (accepted, diagnostics) = PolicyFrontend.load(sources)
    guard let accepted else {
      policy.report(diagnostics, sources)
      throw Status.failed
    }
    let findings = diagnostics + Linter.lint(accepted, sources)
    let text =
      switch policy.outputFormat {
      case .human: HumanRenderer(colour: Terminal.showsColor(on: 1)).render(findings, in: sources)
      case .plain: PlainRenderer().render(findings, in: sources)
      case .json: JSONRenderer().render(findings, in: sources)
      }
    try Status.refusing(policy.outputFormat) { try Terminal.output(text) }
    if findings.contains(where: { $0.severity == .error || strict && $0.severity == .warning }) { throw Status.failed }
  }
}
