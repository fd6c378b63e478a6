import TestSupport
import Testing

/// The folders of fixtures/cli: `command` holds the arguments, divided by blanks, and `expected` what came of them when they were
/// run in that folder, word for word.
struct CaseTests {
  static let cases = Fixtures.names(in: "cli")

  @Test(arguments: cases)
  func saysWhatIsExpected(name: String) throws {
    let done = try Cordon.run(CaseTests.arguments(name), directory: Fixtures.path("cli/\(name)"))
    var text = "status \(done.status)\n"
    if !done.stdout.isEmpty { text += "--- stdout\n\(done.stdout)" }
    if !done.stderr.isEmpty { text += "--- stderr\n\(done.stderr)" }
    expectGolden(text, at: "cli/\(name)/expected")
  }

  /// A policy with an error leaves no file and changes no kernel.
  @Test(.requireNamespaces, arguments: cases.filter { $0.hasPrefix("bad-") })
  func leavesNothingBehind(name: String) throws {
    let arguments = CaseTests.arguments(name)
    let folder = Fixtures.path("cli/\(name)")
    try Files.withTemporaryFolder { out in
      expectStatus(try Cordon.run(arguments + ["-o", "\(out)/rules.nft"], directory: folder), 1)
      #expect(try Shell.run(["ls", "-A", out]).stdout == "")
    }
    try inPrivateNamespace {
      try nft("add table inet other")
      expectStatus(try Cordon.run(arguments + ["--apply"], directory: folder), 1)
      expectStatus(try Cordon.run(arguments + ["--check"], directory: folder), 1)
      #expect(try nft("list tables") == "table inet other\n")
    }
  }

  static func arguments(_ name: String) -> [String] {
    (Fixtures.text("cli/\(name)/command") ?? "").split(whereSeparator: \.isWhitespace).map { String($0) }
  }
}
