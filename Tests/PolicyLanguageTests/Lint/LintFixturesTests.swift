import Diagnostics
import PolicyLanguage
import TestSupport
import Testing

/// Each kind of finding has a policy in fixtures/lint: what must be found in it, and beside it what must not.
@Suite struct LintFixturesTests {
  @Test(arguments: Fixtures.names(in: "lint"))
  func isFound(_ name: String) throws {
    var sources = SourceFiles()
    let bytes = try #require(Fixtures.bytes("lint/\(name)/policy.yaml"))
    _ = sources.add(SourceFile(name: "policy.yaml", bytes: bytes))
    let (policy, diagnostics) = PolicyFrontend.load(sources)
    #expect(diagnostics.allSatisfy { $0.severity != .error }, "\(diagnostics)")
    let findings = Linter.lint(try #require(policy), sources)
    #expect(findings.contains { $0.code == name })
    expectGolden(HumanRenderer().render(findings, in: sources), at: "lint/\(name)/expected.txt")
  }

  @Test func eachCodeHasAFixture() {
    // what takes millions of nodes is too large for a fixture
    let codes = LintCode.allCases.map(\.rawValue).filter { $0 != LintCode.tooComplex.rawValue }
    #expect(Fixtures.names(in: "lint") == codes.sorted())
  }

  @Test func eachCodeIsDocumented() {
    let page = Files.read(Fixtures.repository + "/docs/lint.md").map { String(decoding: $0, as: UTF8.self) } ?? ""
    let headings = page.split(separator: "\n").filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) }
    #expect(headings == LintCode.allCases.map(\.rawValue))
  }

  /// Whatever the language accepts is judged, and the same way each time.
  @Test func randomPoliciesAreJudged() throws {
    var generator = SeededGenerator(seed: 4)
    for number in 0..<40 {
      var sources = SourceFiles()
      _ = sources.add(SourceFile(name: "policy.yaml", bytes: Array(RandomPolicy(using: &generator).text.utf8)))
      let (policy, _) = PolicyFrontend.load(sources)
      let accepted = try #require(policy, "policy \(number), \(generator)")
      let findings = Linter.lint(accepted, sources)
      #expect(findings == Linter.lint(accepted, sources), "policy \(number), \(generator)")
      #expect(findings.allSatisfy { $0.range != nil })
    }
  }
}
