import ArgumentParser
import Diagnostics
import PolicyLanguage

/// `cordon effective`: everything that applies to an instance or a group.
struct Effective: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show all that applies to an instance or a group, in order.",
    discussion: """
      The rules of all groups that an address has are merged, whatever file they stand in: this is what is left, from the first \
      step to the default, in the order in which it is asked.

        cordon effective web-1 policy.yaml
      """)

  @Argument(help: ArgumentHelp("An instance or a group.", valueName: "name"))
  var name: String

  @OptionGroup var policy: PolicyOptions

  func run() throws {
    let (accepted, sources) = try policy.load()
    guard let report = EffectiveReport(name, accepted, sources) else {
      let names = accepted.instances.map(\.name) + accepted.groups.map(\.name)
      let nearest = Suggestion.nearest(name, among: names)
      policy.report(
        [
          Diagnostic(
            .error, "unknown-name", "the policy has no instance or group `\(name)`", at: nil,
            help: nearest.map { "did you mean `\($0)`?" })
        ], sources)
      throw Status.failed
    }
    try Status.refusing(policy.outputFormat) { try Terminal.output(policy.outputFormat == .json ? report.json : report.text) }
  }
}
