import Diagnostics
import Glibc
import PolicyLanguage
import TestSupport
import Testing

/// fixtures/diagnostics: a folder is a code, with a policy that earns it and all that the command prints about that policy.
@Suite struct DiagnosticFixtureTests {
  static let codes = Fixtures.names(in: "diagnostics")

  /// What no file of a sensible size earns; other tests show these.
  static let withoutFixture: Set<String> = ["file-too-large", "too-many-services", "too-many-addresses"]

  /// Each folder is read as on a command line: the names in its file `arguments`, or all its policies.
  @Test(arguments: codes) func aFixtureIsReportedAsExpected(_ code: String) {
    let folder = Fixtures.path("diagnostics/\(code)")
    let names =
      Fixtures.text("diagnostics/\(code)/arguments")?.split(separator: "\n").map(String.init)
      ?? Fixtures.names(in: "diagnostics/\(code)").filter { $0.hasSuffix(".yaml") }
    let (read, readDiagnostics) = PolicySources.read(names.map { "\(folder)/\($0)" })
    var sources = SourceFiles()
    for file in read.files {
      _ = sources.add(SourceFile(name: String(file.name.dropFirst(folder.utf8.count + 1)), bytes: file.bytes))
    }
    var diagnostics = readDiagnostics
    if diagnostics.isEmpty {
      let (policy, found) = PolicyFrontend.load(sources)
      diagnostics = found
      #expect((policy == nil) == found.contains { $0.severity == .error })
    }
    #expect(diagnostics.contains { $0.code == code }, "the fixture of \(code) earns \(Set(diagnostics.map(\.code)).sorted())")
    let text = HumanRenderer().render(diagnostics, in: sources).replacing("\(folder)/", with: "")
    expectGolden(text, at: "diagnostics/\(code)/expected.txt")
  }

  @Test func everyCodeHasAFixture() throws {
    let sources = "\(Fixtures.repository)/Sources/PolicyLanguage"
    var codes: Set<String> = []
    let resolver = try #require(Files.read("\(sources)/Resolve/DiagnosticCode.swift"))
    for match in String(decoding: resolver, as: UTF8.self).matches(of: /= "([a-z0-9-]+)"/) { codes.insert(String(match.1)) }
    for name in try names(in: "\(sources)/Syntax") {
      let source = try #require(Files.read("\(sources)/Syntax/\(name)"))
      for match in String(decoding: source, as: UTF8.self).matches(of: /error(?:\(\s*|, )"([a-z0-9-]+)"/) {
        codes.insert(String(match.1))
      }
    }
    #expect(codes.count > 70)
    #expect(codes.subtracting(Self.codes).subtracting(Self.withoutFixture).sorted() == [])
    #expect(Set(Self.codes).subtracting(codes).sorted() == [])
  }

  private func names(in folder: String) throws -> [String] {
    try Shell.run(["ls", folder]).stdout.split(separator: "\n").map(String.init)
  }
}
