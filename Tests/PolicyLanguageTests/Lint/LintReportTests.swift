import Diagnostics
import PacketSpace
import Testing

@testable import PolicyLanguage

@Suite struct LintReportTests {
  /// A group that is too large for its diagrams is said so once, whatever rule of the linter finds it out.
  @Test func tooComplexIsAFinding() {
    let group = Group(name: "web", range: SourceRange(file: 0, start: 3, end: 6))
    var report = LintReport()
    for _ in 0..<2 {
      report.judge(group) { _ throws(DiagramBudgetExceeded) in
        var store = DiagramStore(budget: 0)
        _ = try store.overlay(PacketBox().narrowed(.ipProtocol, to: Interval(6)), .leaf(1), on: .leaf(0))
      }
    }
    #expect(report.diagnostics.map(\.code) == ["too-complex"])
    #expect(report.diagnostics.first?.range == group.range)
  }

  /// Comments silence what stands beside or below them, by the code and by nothing else.
  @Test(arguments: [
    ("a # cordon: allow open-admin\n", true), ("# cordon: allow open-admin\na\n", true),
    ("# cordon: allow open-admin\n# another comment\na\n", true), ("# cordon: allow open-all, open-admin\na\n", true),
    ("# cordon: allow open-admin because we said so\na\n", true), ("# cordon: allow open-admin, because we said so\na\n", true),
    ("#cordon:allow open-admin\na\n", true), ("# cordon: allow open-all\na\n", false),
    ("b # cordon: allow open-admin\na\n", false),
    ("# cordon: allow open-admin\n\na\n", false), ("a\n# cordon: allow open-admin\n", false),
    ("# allow open-admin\na\n", false),
    ("# cordon: allow\na\n", false), ("# cordon: allow open-admi\na\n", false), ("a # cordon:", false),
    ("a # cordon: allow ,", false),
  ])
  func waives(_ text: String, _ isWaived: Bool) throws {
    var sources = SourceFiles()
    let bytes = Array(text.utf8)
    _ = sources.add(SourceFile(name: "policy.yaml", bytes: bytes))
    var comments: [SourceRange] = []
    var start: Int?
    for (offset, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "#"), start == nil { start = offset }
      if byte == 0x0A, let begin = start {
        comments.append(SourceRange(file: 0, start: begin, end: offset))
        start = nil
      }
    }
    if let begin = start { comments.append(SourceRange(file: 0, start: begin, end: bytes.count)) }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let before = lines.prefix { !$0.hasPrefix("a") }.reduce(0) { $0 + $1.utf8.count + 1 }
    let finding = Diagnostic(.warning, "open-admin", "x", at: SourceRange(file: 0, start: before, end: before + 1))
    var waivers = Waivers(comments, sources)
    #expect(waivers.apply(to: [finding]).contains(finding) == !isWaived)
  }
}
