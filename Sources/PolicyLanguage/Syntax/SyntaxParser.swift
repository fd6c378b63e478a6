public import Diagnostics

/// The parser of the policy language's text: a strict subset of YAML 1.2 that every YAML parser reads as the same tree.
public enum SyntaxParser {
  /// Collections may hold each other this deep.
  public static let maximumDepth = 64
  /// A file may have this many bytes, 256 MiB: ranges are 32 bits wide, and a node takes 16 bytes.
  public static let maximumSize = 1 << 28
  /// After so many diagnostics the rest of a file isn't looked at.
  public static let maximumDiagnostics = 100

  /// Parses one file and appends what is wrong in it to `diagnostics`.
  ///
  /// After an error the parser goes on where the next entry begins, so one run finds all errors. The time is linear in the size
  /// of the file, whatever is in it.
  /// - Parameter index: The file's index in `SourceFiles`.
  /// - Returns: All that could be had, or nil where nothing usable remains; there are diagnostics then.
  public static func parse(_ file: SourceFile, index: Int, into diagnostics: inout [Diagnostic]) -> SyntaxTree? {
    var reports = SyntaxReports(file: index)
    defer { reports.finish(into: &diagnostics) }
    guard file.bytes.count <= maximumSize else {
      reports.error(
        "file-too-large", "a file of \(file.bytes.count) bytes is too large", at: 0..<0,
        help: "keep a file under \(maximumSize >> 20) MiB, and split the policy into several")
      return nil
    }
    return file.bytes.withUnsafeBufferPointer { text in
      guard TextCheck.check(text, into: &reports) else { return nil }
      var parser = BlockParser(bytes: file.bytes, text: text, file: index, reports: reports)
      parser.parseDocument()
      reports = parser.reports
      return parser.finish()
    }
  }
}

/// The diagnostics of one file, capped.
struct SyntaxReports {
  let file: Int
  private var diagnostics: [Diagnostic] = []

  init(file: Int) {
    self.file = file
  }

  var isEmpty: Bool { diagnostics.isEmpty }

  /// Whether the parser needn't look further.
  var isFull: Bool { diagnostics.count > SyntaxParser.maximumDiagnostics }

  mutating func error(
    _ code: String, _ message: String, at range: Range<Int>, help: String? = nil,
    note: (message: String, range: Range<Int>)? = nil
  ) {
    guard !isFull else { return }
    guard diagnostics.count < SyntaxParser.maximumDiagnostics else {
      diagnostics.append(
        Diagnostic(
          .error, "too-many-errors", "more than \(SyntaxParser.maximumDiagnostics) errors in this file", at: place(range),
          help: "repair these first; the rest of the file was not looked at"))
      return
    }
    let notes = note.map { [Diagnostic.Note($0.message, at: place($0.range))] } ?? []
    diagnostics.append(Diagnostic(.error, code, message, at: place(range), help: help, notes: notes))
  }

  /// Adds a note to the first diagnostic of that code.
  mutating func amend(_ code: String, with note: String) {
    guard let index = diagnostics.firstIndex(where: { $0.code == code }) else { return }
    diagnostics[index].notes.append(Diagnostic.Note(note))
  }

  func finish(into result: inout [Diagnostic]) {
    result += diagnostics
  }

  private func place(_ range: Range<Int>) -> SourceRange {
    SourceRange(file: file, start: range.lowerBound, end: range.upperBound)
  }
}
