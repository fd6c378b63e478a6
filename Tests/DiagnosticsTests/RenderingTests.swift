import Diagnostics
import Testing

@Suite struct RenderingTests {
  /// One file, and the range of some text in it.
  private static func file(_ text: String, at part: String) -> (files: SourceFiles, range: SourceRange) {
    var files = SourceFiles()
    let index = files.add(SourceFile(name: "policy.yaml", bytes: Array(text.utf8)))
    let start = text.range(of: part).map { text.utf8.distance(from: text.startIndex, to: $0.lowerBound) } ?? 0
    return (files, SourceRange(file: index, start: start, end: start + part.utf8.count))
  }

  @Test func showsPeopleTheUnderlinedText() {
    let text = "groups:\n  web: {}\n  web: { type: x }\n"
    var (files, first) = Self.file(text, at: "web")
    _ = files.add(SourceFile(name: "other.yaml", bytes: []))
    let second = SourceRange(file: 0, start: 20, end: 23)
    let diagnostics = [
      Diagnostic(.warning, "odd", "this is odd", at: second, notes: [.init("it just is")]),
      Diagnostic(
        .error, "duplicate-key", "the key `web` stands in this mapping twice", at: second, help: "remove one",
        notes: [.init("it stands here first", at: first)]),
      Diagnostic(.error, "no-file", "`x.yaml` can't be read", at: nil),
    ]
    let rendered = HumanRenderer().render(diagnostics, in: files)
    #expect(
      rendered == """
        error[no-file]: `x.yaml` can't be read

        warning[odd]: this is odd
         --> policy.yaml:3:3
          |
        3 |   web: { type: x }
          |   ^^^
          = note: it just is

        error[duplicate-key]: the key `web` stands in this mapping twice
         --> policy.yaml:3:3
          |
        3 |   web: { type: x }
          |   ^^^
          = help: remove one
        note: it stands here first
         --> policy.yaml:2:3
          |
        2 |   web: {}
          |   ---

        2 errors, 1 warning

        """)
    let plain = PlainRenderer().render(diagnostics, in: files)
    #expect(
      plain == """
        error: `x.yaml` can't be read [no-file]
        policy.yaml:3:3: warning: this is odd [odd]
        policy.yaml:3:3: note: it just is [odd]
        policy.yaml:3:3: error: the key `web` stands in this mapping twice [duplicate-key]; remove one
        policy.yaml:2:3: note: it stands here first [duplicate-key]

        """)
  }

  @Test func writesOneSchemaForPrograms() {
    let (files, range) = Self.file("a: \"é\u{1B}\"\n", at: "\"é\u{1B}\"")
    let diagnostic = Diagnostic(
      .error, "bad", "not `é\u{1F600}`\n", at: range, help: "\"quote\" \\", notes: [.init("n"), .init("m", at: range)])
    let place = #""file":"policy.yaml","line":1,"column":4,"endLine":1,"endColumn":8"#
    let noPlace = #""file":null,"line":null,"column":null,"endLine":null,"endColumn":null"#
    #expect(
      JSONRenderer().render([diagnostic], in: files) == """
        {"diagnostics":[
        {"severity":"error","code":"bad","message":"not `\\u00e9\\ud83d\\ude00`\\u000a",\(place),"help":"\\"quote\\" \\\\",\
        "notes":[{"message":"n",\(noPlace)},{"message":"m",\(place)}]}],"errors":1,"warnings":0}

        """)
    #expect(JSONRenderer().render([], in: files) == "{\"diagnostics\":[],\"errors\":0,\"warnings\":0}\n")
  }

  /// The two lines of a rendering that show a source line and its underline.
  private static func excerpt(_ bytes: [UInt8], _ range: Range<Int>) -> (line: String, underline: String) {
    var files = SourceFiles()
    let index = files.add(SourceFile(name: "p", bytes: bytes))
    let place = SourceRange(file: index, start: range.lowerBound, end: range.upperBound)
    let lines = HumanRenderer().render([Diagnostic(.error, "c", "m", at: place)], in: files)
      .split(separator: "\n", omittingEmptySubsequences: false)
    return (String(lines[3].dropFirst(4)), String(lines[4].dropFirst(4)))
  }

  @Test(arguments: [
    ("a: \tb", 4..<5, "a:  b", "    ^"),
    ("\tb", 0..<1, "    b", "^^^^"),
    ("名: x", 5..<6, "名: x", "    ^"),
    ("e\u{301}x", 3..<4, "e\u{301}x", " ^"),
    ("a\u{1B}[31m", 1..<2, "a\u{241B}[31m", " ^"),
    ("a\u{202E}b", 4..<5, "a\u{FFFD}b", "  ^"),
    ("\u{FEFF}a: b\r\nc", 3..<4, "a: b", "^"),
    ("a: [b,\n c]", 3..<10, "a: [b,", "   ^^^"),
    ("a:", 2..<2, "a:", "  ^"),
    ("", 0..<0, "", "^"),
  ])
  func alignsTheUnderline(text: String, range: Range<Int>, line: String, underline: String) {
    let shown = Self.excerpt(Array(text.utf8), range)
    #expect(shown.line == line)
    #expect(shown.underline == underline)
  }

  @Test func cutsLongLines() {
    let word = Array("needle".utf8)
    for (before, behind) in [(0, 5_000_000), (5_000_000, 0), (1_000, 1_000), (97, 20), (20, 97), (0, 0), (590, 610)] {
      let bytes = Array(repeating: UInt8(ascii: "x"), count: before) + word + Array(repeating: UInt8(ascii: "y"), count: behind)
      let (line, underline) = Self.excerpt(bytes, before..<before + word.count)
      #expect(line.count <= 102)
      let start = underline.count - word.count
      #expect(underline == String(repeating: " ", count: start) + "^^^^^^")
      #expect(String(Array(line)[start..<start + word.count]) == "needle", "\(before) \(behind)")
    }
    // A range as long as the line, and one of nothing but bytes that are no text.
    let (line, underline) = Self.excerpt(Array(repeating: 0xBF, count: 100_000), 50_000..<100_000)
    #expect(line.count <= 102 && underline.count <= 102)
  }

  @Test func neverPrintsWhatTerminalsObey() {
    let hostile = "\u{1B}]0;x\u{7}\u{9B}31m\u{8D}\u{202E}\r\n\u{0}"
    var files = SourceFiles()
    let index = files.add(SourceFile(name: "p\(hostile)", bytes: Array(hostile.utf8)))
    let range = SourceRange(file: index, start: 0, end: 4)
    let diagnostic = Diagnostic(
      .error, "c", hostile, at: range, help: hostile, notes: [.init(hostile, at: range), .init(hostile)])
    for text in [HumanRenderer().render([diagnostic], in: files), PlainRenderer().render([diagnostic], in: files)] {
      #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || !$0.properties.isDefaultIgnorableCodePoint && $0.value >= 0x20 })
      #expect(!text.unicodeScalars.contains { (0x7F..<0xA0).contains($0.value) || $0.value == 0x202E })
    }
    #expect(JSONRenderer().render([diagnostic], in: files).utf8.allSatisfy { $0 == 0x0A || (0x20..<0x7F).contains($0) })
    let coloured = HumanRenderer(colour: true).render([diagnostic], in: files)
    #expect(coloured.hasPrefix("\u{1B}[1;31merror[c]\u{1B}[0m"))
  }

  @Test func sortsByFileAndPlace() {
    func diagnostic(_ code: String, _ file: Int, _ start: Int) -> Diagnostic {
      Diagnostic(.error, code, "", at: SourceRange(file: file, start: start, end: start))
    }
    let mixed = [diagnostic("d", 1, 0), diagnostic("b", 0, 5), diagnostic("c", 0, 5), diagnostic("a", 0, 1)]
    #expect(Diagnostic.sorted(mixed).map(\.code) == ["a", "b", "c", "d"])
  }
}

extension String {
  /// Where a part first stands.
  fileprivate func range(of part: String) -> Range<String.Index>? { ranges(of: part).first }
}
