import ArgumentParser
import Diagnostics
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// `cordon explain`: why packets pass or don't.
struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say how flows are decided, and by what.",
    discussion: """
      --from, --to and --service take what a rule takes: any, addresses, prefix lists, groups and instances; services by name or \
      such as tcp/22. Each may be given several times. Where the flows asked about are decided in several ways, each is a case, \
      with an example.

        cordon explain policy.yaml --from 203.0.113.7 --to web-1 --service ssh
      """)

  @OptionGroup var policy: PolicyOptions

  @Option(help: ArgumentHelp("Where the flow begins.", valueName: "peer"))
  var from: [String]

  @Option(help: ArgumentHelp("Where it goes.", valueName: "peer"))
  var to: [String]

  @Option(help: ArgumentHelp("What it is.", valueName: "service"))
  var service: [String] = ["all"]

  @Option(name: .customLong("source-port"), help: ArgumentHelp("The port that it comes from.", valueName: "port"))
  var sourcePort: [String] = []

  @Option(help: ArgumentHelp("Ask what the machine that is that instance does; without it, a gateway.", valueName: "name"))
  var host: String?

  func run() throws {
    let (compilation, sources) = try policy.compile(CompilerOptions(host: host), question: question)
    let claim = compilation.policy.expectations[compilation.policy.expectations.count - 1]
    var explainer = Explainer(compilation.policy, compilation.enforcement)
    let (cases, isComplete): ([ExplainedCase], Bool)
    do {
      (cases, isComplete) = try explainer.cases(claim)
    } catch {
      policy.report(
        [
          Diagnostic(
            .error, "question-too-large", "the question speaks of more than \(error.nodes) different cases", at: nil,
            help: "ask for fewer services or peers")
        ], sources)
      throw Status.failed
    }
    let report = ExplanationReport(compilation, sources, cases, isComplete: isComplete)
    try Status.refusing(policy.outputFormat) { try Terminal.output(policy.outputFormat == .json ? report.json : report.text) }
  }

  /// The question as an expectation, in the policy's language: so its words are read, and refused, as a rule's are.
  private var question: SourceFile {
    func list(_ words: [String]) -> String { "[\(words.map { "\"\(Explain.escaped($0))\"" }.joined(separator: ", "))]" }
    var fields = ["allow: \(list(service))", "from: \(list(from))", "to: \(list(to))"]
    if !sourcePort.isEmpty { fields.append("source-ports: \(list(sourcePort))") }
    return SourceFile(name: "<arguments>", bytes: Array("expect: [{ \(fields.joined(separator: ", ")) }]\n".utf8))
  }

  /// A word in a double-quoted scalar: what isn't plain ASCII as an escape.
  private static func escaped(_ word: String) -> String {
    word.unicodeScalars.map { scalar in
      if scalar == "\"" || scalar == "\\" { return "\\\(scalar)" }
      if scalar.value >= 0x20, scalar.value < 0x7F { return String(scalar) }
      let digits = String(scalar.value, radix: 16)
      return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }
}
