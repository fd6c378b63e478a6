import ArgumentParser
import Diagnostics
import Nftables
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// How a command reports.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case human, plain, json
}

/// The options of every command that reads a policy.
struct PolicyOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("Policy files and folders, or - for standard input.", valueName: "policy"))
  var policies: [String]

  @Option(name: .customLong("output-format"), help: "How to report: human, plain (a line each) or json.")
  var outputFormat = OutputFormat.human
}

/// The options that say for whom a policy is compiled.
struct TargetOptions: ParsableArguments {
  @Option(help: ArgumentHelp("This machine is the instance of that name; without it, a gateway.", valueName: "name"))
  var host: String?

  @Option(help: ArgumentHelp("The name of the table, of family inet.", valueName: "name"))
  var table = "cordon"

  @Flag(help: "Drop nothing: what the policy denies is counted and logged, and passes.")
  var observe = false

  func validate() throws {
    if let problem = TableName.problem(table) { throw ValidationError(problem) }
  }
}

extension PolicyOptions {
  /// Reads and checks the policy, reports what there is to say about it, and goes on only where it has no error.
  ///
  /// - Parameter question: one more file, of the command's own making.
  func load(question: SourceFile? = nil) throws -> (policy: Policy, sources: SourceFiles) {
    var (sources, refusals) = PolicySources.read(policies)
    if !refusals.isEmpty {
      report(refusals, sources)
      throw Status.failed
    }
    if let question { _ = sources.add(question) }
    let (policy, diagnostics) = PolicyFrontend.load(sources)
    report(diagnostics, sources)
    guard let policy else { throw Status.failed }
    return (policy, sources)
  }

  /// The same, and compiles it.
  func compile(_ target: TargetOptions) throws -> (compilation: Compilation, sources: SourceFiles) {
    let (accepted, sources) = try load()
    return (
      try compile(accepted, sources, CompilerOptions(tableName: target.table, host: target.host, observes: target.observe)),
      sources
    )
  }

  func compile(_ accepted: Policy, _ sources: SourceFiles, _ options: CompilerOptions) throws -> Compilation {
    var diagnostics: [Diagnostic] = []
    let compilation = Compiler.compile(accepted, options, into: &diagnostics)
    report(diagnostics, sources)
    guard let compilation else { throw Status.failed }
    try prove(compilation)
    return compilation
  }

  /// Judges the policy's expectations, and goes on only where all hold.
  func test(_ accepted: Policy, _ sources: SourceFiles) throws {
    var prover = ExpectationProver(accepted)
    var broken: [Diagnostic] = []
    for index in accepted.expectations.indices {
      do {
        if let found = try prover.prove(index) { broken.append(accepted.diagnostic(found)) }
      } catch {
        broken.append(
          Diagnostic(
            .error, "expectation-too-large", "this speaks of more than \(error.nodes) different cases",
            at: accepted.expectations[index].range, help: "name fewer services or peers, in several expectations"))
      }
    }
    report(broken, sources)
    if !broken.isEmpty { throw Status.failed }
  }

  /// Nothing leaves the compiler that isn't proved to mean the policy, for every packet.
  private func prove(_ compilation: Compilation) throws {
    if let problem = RulesetValidator.validate(compilation.ruleset).first {
      try fail("the ruleset isn't well formed: \(problem)")
    }
    let wrong: Mistranslation?
    do {
      wrong = try compilation.verify()
    } catch {
      Terminal.error(
        """
        error: the policy is too large to be proved: its rules make more than \(error.nodes) different cases
        help: split the groups with the most rules, or the instances that are in many groups at once

        """)
      throw Status.failed
    }
    if let wrong { try fail("\(wrong)") }
  }

  /// Our own bug: said as such.
  private func fail(_ words: String) throws -> Never {
    Terminal.error(
      """
      bug: \(words)
      help: this is an error in cordon, not in the policy; nothing was written or changed. Please report it with the policy

      """)
    throw Status.bug
  }

  func report(_ diagnostics: [Diagnostic], _ sources: SourceFiles) {
    if diagnostics.isEmpty { return }
    let text =
      switch outputFormat {
      case .human: HumanRenderer(colour: Terminal.showsColor(on: 2)).render(diagnostics, in: sources)
      case .plain: PlainRenderer().render(diagnostics, in: sources)
      case .json: JSONRenderer().render(diagnostics, in: sources)
      }
    Terminal.error(text)
  }
}
