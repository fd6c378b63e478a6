import Diagnostics
import Testing

@Suite struct LineTableTests {
  @Test(arguments: [
    (0, 1, 1), (1, 1, 2), (3, 1, 3), (4, 2, 1), (6, 3, 1), (7, 3, 2), (8, 4, 1), (9, 4, 2), (12, 4, 3), (13, 4, 4),
  ])
  func findsLinesAndColumns(offset: UInt32, line: Int, column: Int) {
    // a é LF | CR LF | b LF | c 名 x, and nothing behind it
    let table = LineTable(SourceFile(name: "p", bytes: Array("aé\n\r\nb\nc名x".utf8)))
    #expect(table.position(of: offset) == SourcePosition(line: line, column: column))
    #expect(table.line(of: offset) == line)
  }

  @Test func countsNoByteOrderMark() {
    let table = LineTable(SourceFile(name: "p", bytes: [0xEF, 0xBB, 0xBF, 0x61, 0x0A, 0x62]))
    #expect(table.position(of: 0) == SourcePosition(line: 1, column: 1))
    #expect(table.position(of: 3) == SourcePosition(line: 1, column: 1))
    #expect(table.position(of: 4) == SourcePosition(line: 1, column: 2))
    #expect(table.position(of: 5) == SourcePosition(line: 2, column: 1))
  }

  @Test func bearsPlacesOutsideTheFile() {
    let table = LineTable(SourceFile(name: "p", bytes: []))
    #expect(table.position(of: 0) == SourcePosition(line: 1, column: 1))
    #expect(table.position(of: 7) == SourcePosition(line: 1, column: 1))
  }
}

@Suite struct SuggestionTests {
  @Test(arguments: [
    ("prot", "port"), ("ingres", "ingress"), ("INGRESS", "ingress"), ("allwo", "allow"), ("grops", "groups"),
    ("descriptoin", "description"), ("memebrs", "members"), ("from", "from"),
  ])
  func findsTheNearest(word: String, expected: String) {
    let known = ["allow", "deny", "description", "egress", "from", "groups", "ingress", "members", "port", "to"]
    #expect(Suggestion.nearest(word, among: known) == expected)
  }

  @Test(arguments: ["", "x", "zzz", "completely", String(repeating: "allow", count: 1_000)])
  func findsNothingFar(word: String) {
    #expect(Suggestion.nearest(word, among: ["allow", "ingress", String(repeating: "allow", count: 999)]) == nil)
  }

  @Test func prefersTheFirstOfEquallyNear() {
    #expect(Suggestion.nearest("web", among: ["db", "wet", "wed"]) == "wet")
    #expect(Suggestion.nearest("web-1", among: ["web-10", "web-2", "Web-1"]) == "Web-1")
  }
}
