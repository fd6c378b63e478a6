import Diagnostics
import Testing

@testable import PolicyLanguage

@Suite struct SyntaxParserTests {
  /// What is accepted, with the tree that both parsers read.
  @Test(arguments: [
    ("a: b", #"{"a": "b"}"#),
    ("", #""""#),
    ("# nothing\n", #""""#),
    ("a:\n", #"{"a": ""}"#),
    ("a:\n  - b\n  - c: d\n    e: f\ng: h\n", #"{"a": ["b", {"c": "d", "e": "f"}], "g": "h"}"#),
    ("a:\n- b\n- c\nd: e", #"{"a": ["b", "c"], "d": "e"}"#),
    ("- - a\n  - b\n-\n  c: d\n-\n", #"[["a", "b"], {"c": "d"}, ""]"#),
    ("a: [b, 'c', \"d\",]\n", #"{"a": ["b", "c", "d"]}"#),
    ("a: { b: c, d: [e, {f: }] , }", #"{"a": {"b": "c", "d": ["e", {"f": ""}]}}"#),
    ("a:\n  b: [ # one\n    c,\n    # two\n    d\n  ]\n", #"{"a": {"b": ["c", "d"]}}"#),
    ("a: b c # d\ne : f#g\n", #"{"a": "b c", "e": "f#g"}"#),
    ("a: 'it''s'\nb: \"x\\ty\\u00e9\\x41\\U0001F600\\\"\"\n", "{\"a\": \"it\\'s\", \"b\": \"x\\ty\u{e9}A\u{1F600}\\\"\"}"),
    ("from: ::/0\nto: fd00::1", #"{"from": "::/0", "to": "fd00::1"}"#),
    ("\u{FEFF}---  # start\r\na: b\r\n\r\nc:\td\r\n...\r\n# end", #"{"a": "b", "c": "d"}"#),
    ("  a: b\n  c:\n    d\n", #"{"a": "b", "c": "d"}"#),
    ("a:\n  # c\n\n  b: c\n # d\n", #"{"a": {"b": "c"}}"#),
    ("a: no\nb: 22:22\nc: 1e3\nd: ~\n", #"{"a": "no", "b": "22:22", "c": "1e3", "d": "~"}"#),
    ("'a b': c\n\"d\": -1", #"{"a b": "c", "d": "-1"}"#),
  ])
  func accepts(text: String, shape: String) {
    let (ours, codes) = SyntaxShape.ours(Array(text.utf8))
    #expect(codes == [])
    #expect(ours?.description == shape)
    #expect(SyntaxShape.theirs(Array(text.utf8)) == ours)
  }

  /// What the value of the first key of a document spans.
  @Test(arguments: [
    ("a: b # c\n", "b"),
    ("a: [b, c]\nd: e\n", "[b, c]"),
    ("a:\n  b: [c, d] # e\n", "b: [c, d]"),
    ("a:\n  - b: { c: [d] }\n    e: { f: g }\nh: i\n", "- b: { c: [d] }\n    e: { f: g }"),
    ("a:\n  b: [c]\n  d: e\n", "b: [c]\n  d: e"),
    ("a:\n  b: [c]\n  d:\nh: i\n", "b: [c]\n  d:"),
  ])
  func spans(text: String, value: String) throws {
    var diagnostics: [Diagnostic] = []
    let bytes = Array(text.utf8)
    let tree = try #require(SyntaxParser.parse(SourceFile(name: "policy.yaml", bytes: bytes), index: 0, into: &diagnostics))
    let range = tree.range(try #require(tree.entries(tree.root).first { _ in true }).value)
    #expect(String(decoding: bytes[Int(range.start)..<Int(range.end)], as: UTF8.self) == value)
  }
}
