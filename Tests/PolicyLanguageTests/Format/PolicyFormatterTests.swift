import Diagnostics
import PolicyLanguage
import TestSupport
import Testing

@Suite struct PolicyFormatterTests {
  private static func format(_ bytes: [UInt8]) -> [UInt8]? {
    var diagnostics: [Diagnostic] = []
    return PolicyFormatter.format(SourceFile(name: "p", bytes: bytes), index: 0, into: &diagnostics)
  }

  /// The comments of a text, in order.
  private static func comments(_ bytes: [UInt8]) -> [String] {
    var diagnostics: [Diagnostic] = []
    let tree = SyntaxParser.parse(SourceFile(name: "p", bytes: bytes), index: 0, into: &diagnostics)
    return (tree?.comments ?? []).map { range in
      let text = String(decoding: bytes[Int(range.start)..<Int(range.end)], as: UTF8.self)
      return String(text.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
  }

  /// Same tree for both parsers, same comments, nothing left to do, and the layout's plain rules.
  private static func check(_ bytes: [UInt8], _ context: String) {
    guard let formatted = format(bytes) else {
      Issue.record("not formatted: \(context)")
      return
    }
    let text = String(decoding: formatted, as: UTF8.self)
    #expect(SyntaxShape.ours(formatted).shape == SyntaxShape.ours(bytes).shape, "\(context)\n\(text)")
    #expect(SyntaxShape.theirs(formatted) == SyntaxShape.theirs(bytes), "\(context)\n\(text)")
    #expect(comments(formatted) == comments(bytes), "\(context)\n\(text)")
    #expect(format(formatted).map { String(decoding: $0, as: UTF8.self) } == text, "\(context)\n\(text)")
    #expect(!text.contains("\r") && !text.contains("\n\n\n") && !text.hasPrefix("\n") && !text.hasSuffix("\n\n"), "\(context)")
    #expect(text.isEmpty || text.hasSuffix("\n"), "\(context)")
    #expect(!text.split(separator: "\n").contains { $0.hasSuffix(" ") && !$0.contains("#") }, "\(context)\n\(text)")
  }

  @Test func keepsTreesAndCommentsOfGeneratedDocuments() {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<2_000 {
      let text = GeneratedDocument.valid(using: &generator)
      Self.check(Array(text.utf8), "\(generator): \(text.debugDescription)")
    }
  }

  @Test func keepsTreesAndCommentsOfWhateverIsAccepted() {
    var generator = SeededGenerator(seed: 6)
    for round in 0..<6_000 {
      let text =
        round % 2 == 0 ? GeneratedDocument.nearlyValid(using: &generator) : GeneratedDocument.soup(using: &generator)
      if SyntaxShape.ours(Array(text.utf8)).codes.isEmpty {
        Self.check(Array(text.utf8), "\(generator): \(text.debugDescription)")
      }
    }
  }

  @Test(arguments: Fixtures.names(in: "format"))
  func formatsFixtures(name: String) throws {
    let policy = try #require(Fixtures.bytes("format/\(name)/policy.yaml"))
    let expected = try #require(Fixtures.text("format/\(name)/expected.yaml"))
    #expect(Self.format(policy).map { String(decoding: $0, as: UTF8.self) } == expected)
    Self.check(policy, name)
  }

  @Test func keepsTreesAndCommentsOfAllFixtures() {
    for folder in Fixtures.names(in: "") {
      for name in Fixtures.names(in: folder) {
        guard let bytes = Fixtures.bytes("\(folder)/\(name)/policy.yaml"), SyntaxShape.ours(bytes).codes.isEmpty else {
          continue
        }
        Self.check(bytes, "\(folder)/\(name)")
        #expect(SyntaxShape.ours(bytes).shape == SyntaxShape.theirs(bytes), "\(folder)/\(name)")
      }
    }
  }

  @Test func formatsNothingThatHasErrors() {
    #expect(Self.format(Array("a: [b".utf8)) == nil)
    #expect(Self.format([0xFF]) == nil)
    #expect(Self.format([]) == [])
  }
}
