import ArgumentParser
import Diagnostics
import PolicyLanguage

/// `cordon format`: one way to lay out a policy.
struct Format: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lay out policies in the one standard way.",
    discussion: """
      Files are rewritten in place, comments and all; standard input goes to standard output. What a policy means doesn't \
      change. A file that isn't well formed is left as it is. --check changes nothing, names the files that would change, and \
      exits with 1 where there are any.
      """)

  @OptionGroup var policy: PolicyOptions

  @Flag(help: "Change nothing; exit with 1 where a file would change.")
  var check = false

  func run() throws {
    let (sources, refusals) = PolicySources.read(policy.policies)
    if !refusals.isEmpty {
      policy.report(refusals, sources)
      throw Status.failed
    }
    var isFailed = false
    for (index, file) in sources.files.enumerated() {
      var diagnostics: [Diagnostic] = []
      let formatted = PolicyFormatter.format(file, index: index, into: &diagnostics)
      policy.report(diagnostics, sources)
      guard let formatted, !diagnostics.contains(where: { $0.severity == .error }) else {
        isFailed = true
        continue
      }
      if file.name == PolicySources.standardInput && !check {
        try Status.refusing(policy.outputFormat) { try Terminal.output(formatted) }
      } else if formatted != file.bytes {
        if check {
          let finding = Diagnostic(
            .error, "not-formatted", "`\(file.name)` isn't laid out in the standard way", at: nil, help: "run `cordon format`")
          policy.report([finding], sources)
          isFailed = true
        } else {
          try Status.refusing(policy.outputFormat) { try Files.write(formatted, to: file.name) }
        }
      }
    }
    if isFailed { throw Status.failed }
  }
}
