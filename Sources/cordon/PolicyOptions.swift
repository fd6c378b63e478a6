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
  /// - Parameter isTested: whether an expectation that doesn't hold is an error.
  func load(isTested: Bool = false) throws -> (policy: Policy, sources: SourceFiles) {
    var (policy, sources, diagnostics) = read()
    if let policy, isTested { diagnostics += broken(policy) }
    report(diagnostics, sources)
    guard let policy, !diagnostics.contains(where: { $0.severity == .error }) else { throw Status.failed }
    return (policy, sources)
  }

  /// The same, and compiles it.
  ///
  /// - Parameters:
  ///   - early: what the command begins while the rules are lowered, which takes one core alone.
  ///   - isPatient: whether the proof leaves the cores to `other` where both want them. The proof can use all of them at the end,
  ///     and what is made meanwhile often only one.
  ///   - other: what it makes of the ruleset while it is being proved. It changes nothing that is in force or kept: what isn't
  ///     proved is as if it had never been.
  func compile(
    _ target: TargetOptions, isTested: Bool = false, beginning early: (SourceFiles) -> Void = { _ in },
    isPatient: Bool = false, meanwhile other: (Compilation, SourceFiles) -> Void = { _, _ in }
  ) throws -> (compilation: Compilation, sources: SourceFiles) {
    let options = CompilerOptions(tableName: target.table, host: target.host, observes: target.observe)
    return try compile(options, isTested: isTested, beginning: early, isPatient: isPatient, meanwhile: other)
  }

  /// - Parameter question: one more file, of the command's own making.
  func compile(
    _ options: CompilerOptions, question: SourceFile? = nil, isTested: Bool = false,
    beginning early: (SourceFiles) -> Void = { _ in }, isPatient: Bool = false,
    meanwhile other: (Compilation, SourceFiles) -> Void = { _, _ in }
  ) throws -> (compilation: Compilation, sources: SourceFiles) {
    var (policy, sources, diagnostics) = read(question)
    if policy != nil { early(sources) }
    let compilation = policy.flatMap { Compiler.compile($0, options, into: &diagnostics) }
    if let policy, isTested { diagnostics += broken(policy) }
    guard let compilation, !diagnostics.contains(where: { $0.severity == .error }) else {
      report(diagnostics, sources)
      throw Status.failed
    }
    let proof = Later(isPatient: isPatient) { PolicyOptions.disproof(compilation) }
    let malformed = Later(isPatient: isPatient) { RulesetValidator.validate(compilation.ruleset).first }
    other(compilation, sources)
    let wrong = malformed.value.map { PolicyOptions.bug("the ruleset isn't well formed: \($0)") } ?? proof.value
    if let wrong { diagnostics.append(wrong.diagnostic) }
    report(diagnostics, sources)
    if let wrong { throw wrong.status }
    PolicyOptions.leave(compilation)
    return (compilation, sources)
  }

  private func read(_ question: SourceFile? = nil) -> (policy: Policy?, sources: SourceFiles, diagnostics: [Diagnostic]) {
    var (sources, refusals) = PolicySources.read(policies)
    if !refusals.isEmpty { return (nil, sources, refusals) }
    let asked = question.map { sources.add($0) }
    var (policy, diagnostics) = PolicyFrontend.load(sources)
    if let policy { PolicyOptions.leave(policy) }
    if let asked { diagnostics = diagnostics.map { PolicyOptions.answer($0, asked) } }
    return (policy, sources, diagnostics)
  }

  /// Leaves a value as it is until the process ends: to take a large policy apart rule by rule takes longer than to
  /// write its ruleset.
  static func leave<Value>(_ value: Value) { _ = Unmanaged.passRetained(Holder(value)) }

  private final class Holder<Value> {
    let value: Value
    init(_ value: Value) { self.value = value }
  }

  /// A diagnostic of the question, which the user hasn't written as it stands there: without the place.
  private static func answer(_ diagnostic: Diagnostic, _ question: Int) -> Diagnostic {
    guard let range = diagnostic.range, Int(range.file) == question else { return diagnostic }
    var answer = diagnostic
    answer.range = nil
    if diagnostic.code == "expectation-of-nothing" {
      answer.message = diagnostic.message.replacing("this expectation speaks", with: "the question speaks")
      answer.help = nil
    }
    return answer
  }

  /// The policy's expectations that don't hold.
  private func broken(_ policy: Policy) -> [Diagnostic] {
    // it costs a lot to be ready to prove anything
    if policy.expectations.isEmpty { return [] }
    var prover = ExpectationProver(policy)
    var broken: [Diagnostic] = []
    for index in policy.expectations.indices {
      do {
        if let found = try prover.prove(index) { broken.append(policy.diagnostic(found)) }
      } catch {
        broken.append(
          Diagnostic(
            .error, "expectation-too-large", "this speaks of more than \(error.nodes) different cases",
            at: policy.expectations[index].range, help: "name fewer services or peers, in several expectations"))
      }
    }
    return broken
  }

  /// Nothing leaves the compiler that isn't proved to mean the policy, for every packet: why it isn't, or nil.
  private static func disproof(_ compilation: Compilation) -> (diagnostic: Diagnostic, status: ExitCode)? {
    do {
      return try compilation.verify().map { bug("\($0)") }
    } catch {
      let diagnostic = Diagnostic(
        .error, "policy-too-large", "the policy's rules make more than \(error.nodes) different cases, too many to be proved",
        at: nil, help: "split the groups with the most rules, or the instances that are in many groups at once")
      return (diagnostic, Status.failed)
    }
  }

  private static func bug(_ problem: String) -> (diagnostic: Diagnostic, status: ExitCode) {
    let diagnostic = Diagnostic(
      .error, "bug", problem, at: nil,
      help: "this is an error in cordon, not in the policy; nothing was written or changed: please report it with the policy")
    return (diagnostic, Status.bug)
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
