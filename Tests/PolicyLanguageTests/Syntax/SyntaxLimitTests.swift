import Diagnostics
import TestSupport
import Testing

@testable import PolicyLanguage

/// Nothing that anybody can feed the parser crashes it, hangs it or eats the memory.
@Suite struct SyntaxLimitTests {
  private static func codes(_ text: String) -> Set<String> { Set(SyntaxShape.ours(Array(text.utf8)).codes) }

  @Test(arguments: ["[", "{a: ", "- ", "[{a: "])
  func bearsDeepNesting(opening: String) {
    #expect(Self.codes(String(repeating: opening, count: 100_000)).contains("too-deep"))
    #expect(Self.codes(String(repeating: opening, count: opening.count > 4 ? 33 : 65) + "x").contains("too-deep"))
    #expect(!Self.codes(String(repeating: opening, count: opening.count > 4 ? 32 : 64) + "x").contains("too-deep"))
  }

  @Test func bearsDeepIndentation() {
    let lines = (0..<2_000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
    #expect(Self.codes(lines) == ["too-deep"])
    #expect(Self.codes(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) == [])
  }

  /// A hundred thousand of each, in one line and in as many: time that grew with the square would be felt.
  @Test(arguments: [
    "[", "]", "{", "}", ",", "[,", "[]", "{}", "[a", "a,", "[a,", "{a", "{a:", "{a: b,", "[::1,", "[a:?", "[1:?b", "[*a,",
    "[&a ",
    "[- ", "['", "[\"", "[\"a\" ", "[? ", "\"", "'", "\"\\", "''", ":", ": ", "a: ", "a:", "-", "- ", "? ", "#", " #", "&a ",
    "*a ",
    "!t ", "|", ">", "%", "\t", " ", "\r", "\u{85}", "é", "[:", "[%", "---", "...", "--- ", "a: b: ", "[a: b: ", "[[a]: ",
    "{[a]: ",
  ])
  func takesLinearTime(piece: String) {
    for ending in ["", "\n", "\n ", "\n- "] {
      let text = "[a,\n" + String(repeating: piece + ending, count: 20_000)
      _ = SyntaxShape.ours(Array(text.utf8))
      _ = SyntaxShape.ours(Array(("a: " + text.dropFirst(4)).utf8))
      _ = SyntaxShape.ours(Array(text.utf8.dropFirst(4)))
    }
  }

  @Test func comparesManyKeysInLinearTime() {
    let keys = (0..<200_000).map { "k\($0): v\n" }.joined()
    #expect(Self.codes(keys) == [])
    #expect(Self.codes(keys + "k7: v\n") == ["duplicate-key"])
  }

  @Test func bearsOneLongLine() {
    let text = "a: " + String(repeating: "x", count: 10_000_000)
    #expect(Self.codes(text) == [])
    #expect(Self.codes(text + "\n b") == ["multi-line-scalar"])
    #expect(Self.codes("a: [" + String(repeating: "x,", count: 1_000_000)) == ["unclosed-bracket"])
  }

  @Test func bearsRandomBytes() {
    var generator = SeededGenerator(seed: 3)
    for round in 0..<3_000 {
      let alphabet: ClosedRange<UInt8> = round % 2 == 0 ? 0...255 : 0x20...0x7E
      let bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8.random(in: alphabet, using: &generator) }
      var diagnostics: [Diagnostic] = []
      let tree = SyntaxParser.parse(SourceFile(name: "p", bytes: bytes), index: 0, into: &diagnostics)
      if let tree { Self.check(tree, tree.root, bytes.count) } else { #expect(!diagnostics.isEmpty) }
      var files = SourceFiles()
      _ = files.add(SourceFile(name: "p", bytes: bytes))
      _ = HumanRenderer().render(diagnostics, in: files)
    }
  }

  /// Ranges lie within each other, in order.
  private static func check(_ tree: SyntaxTree, _ node: SyntaxNode, _ size: Int) {
    let range = tree.range(node)
    #expect(range.start <= range.end && range.end <= size)
    _ = tree.text(node)
    var last = range.start
    for child in Array(tree.elements(node)) + tree.entries(node).flatMap({ [$0.key, $0.value] }) {
      #expect(tree.range(child).start >= last && tree.range(child).end <= range.end)
      last = tree.range(child).end
      check(tree, child, size)
    }
  }

  @Test func keepsRangesExact() {
    let text = "a: 'b c'  # d\ne:\n  - [f, g]  \n  - h : i\n"
    var diagnostics: [Diagnostic] = []
    let tree = SyntaxParser.parse(SourceFile(name: "p", bytes: Array(text.utf8)), index: 0, into: &diagnostics)!
    func source(_ range: SourceRange) -> String {
      String(decoding: Array(text.utf8)[Int(range.start)..<Int(range.end)], as: UTF8.self)
    }
    let entries = Array(tree.entries(tree.root))
    #expect(entries.map { source(tree.range($0)) } == ["a: 'b c'", "e:\n  - [f, g]  \n  - h : i"])
    #expect(tree.isQuoted(entries[0].value) && tree.text(entries[0].value) == "b c")
    #expect(tree.has(entries[0].key, text: "a") && !tree.has(entries[0].key, text: "ab"))
    #expect(tree.elements(entries[1].value).map { source(tree.range($0)) } == ["[f, g]", "h : i"])
    #expect(tree.count(entries[1].value) == 2 && tree.count(tree.root) == 2 && tree.count(entries[0].value) == 0)
    #expect(tree.comments.map(source) == ["# d"])
  }
}
