import Diagnostics
import PolicyLanguage
import Testing

/// What is not in the language: its code, and the text that is underlined.
@Suite struct SyntaxErrorTests {
  /// `code text` for each diagnostic, in the order of the text.
  private static func errors(_ bytes: [UInt8]) -> [String] {
    var diagnostics: [Diagnostic] = []
    _ = SyntaxParser.parse(SourceFile(name: "p", bytes: bytes), index: 0, into: &diagnostics)
    return Diagnostic.sorted(diagnostics).map {
      let range = $0.range.map { Int($0.start)..<Int($0.end) } ?? 0..<0
      return "\($0.code) \(String(decoding: bytes[range], as: UTF8.self))"
    }
  }

  @Test(
    arguments: [
      ("a: &x b", ["anchor &x"]),
      ("a: *x", ["alias *x"]),
      ("a: !t b\nc: *d\n", ["tag !t", "alias *d"]),
      ("a: |\n  text: [\n\ttabs\nb: >-\n  more\nc: d", ["block-scalar |", "block-scalar >-"]),
      ("a: b\n  c d\ne: f", ["multi-line-scalar c d"]),
      ("a: \"b\n  c\"\ne: f", ["unclosed-quote \"b"]),
      ("a: 'b\ne: f", ["unclosed-quote 'b"]),
      ("a: [\"b, c]\nd: e", ["unclosed-quote \"b, c]"]),
      ("? a\n: b\nc: d\ne", ["complex-key ?", "missing-key :", "missing-colon e"]),
      ("*a : b\nc: *d", ["alias *a", "alias *d"]),
      ("a:\n  b:c\n  d: [e\n", ["missing-space :", "unclosed-bracket ["]),
      ("a: &b\n  c: d\ne: &f\ng: h", ["anchor &b", "anchor &f"]),
      ("[a, b]: c", ["complex-key [a, b]"]),
      ("{ [a]: b, c: d }", ["complex-key [a]"]),
      ("%YAML 1.2\n---\na: b", ["directive %YAML 1.2"]),
      ("a:\n\tb: c\n\td: e\nf: g", ["tab \t"]),
      ("-\ta", ["tab \t"]),
      ("a: b\n---\nc: d", ["second-document ---"]),
      ("a: b\n...\nc: d", ["second-document c: d"]),
      ("a: \u{0}b", ["control-character \u{0}"]),
      ("a: b\u{2028}c # \u{85}", ["control-character \u{2028}", "control-character \u{85}"]),
      ("a: b\rc: d", ["control-character \r"]),
      ("a: [b, c\nd: e", ["unclosed-bracket ["]),
      ("a: {b: [c, d\n  }\ne: f", ["unclosed-bracket {", "mismatched-bracket }"]),
      ("a: [b}\nc: d", ["mismatched-bracket }"]),
      ("a: b]\nc: ]\nd: [e]]", ["unexpected-bracket ]", "unexpected-text ]"]),
      ("a:\n  b: c\n d: e\n  f: g", ["bad-indentation d: e"]),
      ("a: b\n  c: d\n  e: f\n", ["bad-indentation c: d"]),
      ("a:\n  - b\n - c\n", ["bad-indentation - c"]),
      ("a:\n  - b\n    - c\n  - d", ["bad-indentation - c"]),
      ("a: [\nb,\nc]\n", ["bad-indentation b,", "bad-indentation c]"]),
      ("a:b\nc: d", ["missing-space :"]),
      ("c: d\na:b\n", ["missing-space :"]),
      ("c: d\n\"a\":b\n", ["missing-space :"]),
      ("{\"a\":\"b\", c:[d]}", ["missing-space :", "missing-space :"]),
      ("a: \"b\"#c\nd: [#e\n]", ["missing-space #", "missing-space #"]),
      ("a: b\nc\nd: e", ["missing-colon c"]),
      ("a: b\nc d: e\n'f'\n", ["missing-colon 'f'"]),
      ("a: b\n'a': c\n\"\\x61\": d\n", ["duplicate-key 'a'", "duplicate-key \"\\x61\""]),
      ("{a: b, a: c}", ["duplicate-key a"]),
      ("a: [::/0]", ["quote-address ::/0"]),
      ("a: [b, fd00::]", ["quote-address fd00::"]),
      ("a: fd00::\nb: c", ["quote-address fd00::"]),
      ("- fd00::\n- a", ["quote-address fd00::"]),
      ("a: {b: ::1, c: fd00::}", ["quote-address ::1", "quote-address fd00::"]),
      ("a: [?b, :c]", ["quote-text ?b", "quote-text :c"]),
      ("a: b: c", ["second-colon :"]),
      ("a: {b: c: d, e: f}", ["second-colon :"]),
      ("a: [b: c, d]", ["pair-in-list :"]),
      ("a: {b, c}", ["missing-colon b", "missing-colon c"]),
      ("a: [b, , c, 'd' 'e']", ["unexpected-comma ,", "missing-comma '"]),
      ("a: [b\n  c]", ["missing-comma b"]),
      ("a: - b\nc: d", ["unexpected-dash -"]),
      ("a: b\n- c\nd: e", ["unexpected-dash -"]),
      ("a: [- b]", ["unexpected-dash -"]),
      ("- a\nb: c\n- d", ["missing-dash b: c"]),
      ("a: \"\\q\\x4\\ud800\"", ["bad-escape \\q", "bad-escape \\x", "bad-escape \\u"]),
      ("a: @b\nc: `d\ne: %f", ["reserved-character @b", "reserved-character `d", "reserved-character %f"]),
      ("a: 'b' c", ["unexpected-text c"]),
      ("--- a: b", ["unexpected-text a: b"]),
      ("[a]\nb: c", ["unexpected-text b: c"]),
      ("...\n", ["unexpected-text ..."]),
      (": a", ["missing-key :"]),
      ("\(String(repeating: "k", count: 1_025)): v", ["key-too-long \(String(repeating: "k", count: 1_025))"]),
    ] as [(String, [String])])
  func reports(text: String, errors: [String]) {
    #expect(Self.errors(Array(text.utf8)) == errors)
  }

  @Test(
    arguments: [
      [0xC0, 0xAF], [0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFF],
    ] as [[UInt8]])
  func refusesWhatIsNotUTF8(bytes: [UInt8]) {
    let codes = Set(SyntaxShape.ours(Array("a: ".utf8) + bytes + Array("\nb: c\n".utf8)).codes)
    #expect(codes == ["invalid-utf8"])
  }

  /// Every error in one run, and the tree of all the rest.
  @Test func goesOnAfterErrors() {
    let text = """
      a: &x b
      c:
        d: [e, f
        g: h
      i j
      k: "l
      m: n
      """
    #expect(
      Self.errors(Array(text.utf8)) == ["anchor &x", "unclosed-bracket [", "missing-colon i j", "unclosed-quote \"l"])
    #expect(
      SyntaxShape.ours(Array(text.utf8)).shape?.description
        == #"{"a": "b", "c": {"d": ["e", "f"], "g": "h"}, "k": "", "m": "n"}"#)
  }

  @Test func stopsAfterAHundred() {
    let codes = SyntaxShape.ours(Array(String(repeating: "a: *b\n", count: 1_000).utf8)).codes
    #expect(codes.count == 101)
    #expect(codes.last == "too-many-errors")
  }
}
