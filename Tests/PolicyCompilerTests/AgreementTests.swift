import Diagnostics
import Nftables
import PacketSpace
import PolicyCompiler
import PolicyLanguage
import TestSupport
import Testing

/// The policy's meaning and the ruleset's, which know nothing of each other, say the same of every packet.
@Suite struct AgreementTests {
  /// A policy, compiled for a gateway or for one of its instances.
  struct Subject {
    var compilation: Compilation
    var meaning: PolicyEvaluator
    var ruleset: RulesetEvaluator
    var text: String
  }

  static func subject(_ text: String, host: String? = nil) throws -> Subject? {
    var sources = SourceFiles()
    _ = sources.add(SourceFile(name: "policy.yaml", bytes: Array(text.utf8)))
    let (policy, diagnostics) = PolicyFrontend.load(sources)
    let shown = PlainRenderer().render(diagnostics, in: sources)
    let accepted = try #require(policy, "not a policy:\n\(shown)\n\(text)")
    var refusals: [Diagnostic] = []
    guard let compilation = Compiler.compile(accepted, CompilerOptions(host: host), into: &refusals) else {
      #expect(refusals.allSatisfy { ["mixed-types", "host-without-group"].contains($0.code) }, "\(refusals)\n\(text)")
      return nil
    }
    let problems = RulesetValidator.validate(compilation.ruleset)
    #expect(problems.isEmpty, "\(problems)\n\(text)")
    let wrong = try compilation.verify()
    #expect(wrong == nil, "\(wrong!)\n\(text)")
    return Subject(
      compilation: compilation, meaning: PolicyEvaluator(accepted, compilation.enforcement),
      ruleset: RulesetEvaluator(compilation.ruleset), text: text)
  }

  static func check(_ subject: Subject, _ packet: Packet, _ path: PacketPath) {
    let hook: Hook =
      switch path {
      case .forwarded: .forward
      case .input: .input
      case .output: .output
      }
    let decision = subject.meaning.decide(packet, on: path)
    let outcome = subject.ruleset.evaluate(packet, at: hook)
    #expect(
      (outcome.decision == .accept) == decision.isAllowed,
      "\(path) \(packet)\npolicy: \(decision)\nruleset: \(outcome)\n\(subject.text)")
  }

  @Test(arguments: 0..<120) func forwarded(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: number)
    let random = RandomPolicy(using: &generator)
    guard let subject = try AgreementTests.subject(random.text) else { return }
    for _ in 0..<150 { AgreementTests.check(subject, random.packet(using: &generator), .forwarded) }
  }

  @Test(arguments: 1000..<1080) func ofTheMachineItself(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: number)
    let random = RandomPolicy(using: &generator)
    guard let host = random.instances.randomElement(using: &generator),
      let subject = try AgreementTests.subject(random.text, host: host)
    else { return }
    for _ in 0..<100 {
      let packet = random.packet(using: &generator)
      for path in PacketPath.allCases { AgreementTests.check(subject, packet, path) }
    }
  }

  /// Whatever the policy, its ruleset is proved.
  @Test(arguments: 0..<50) func manyAreProved(_ block: UInt64) throws {
    for number in block * 10..<block * 10 + 10 {
      var generator = SeededGenerator(seed: 10_000 + number)
      let random = RandomPolicy(using: &generator)
      _ = try AgreementTests.subject(random.text)
      if let host = random.instances.first { _ = try AgreementTests.subject(random.text, host: host) }
    }
  }
}
