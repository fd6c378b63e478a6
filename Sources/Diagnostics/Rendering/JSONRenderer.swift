/// Diagnostics for programs: one JSON object and a line feed.
///
///     { "diagnostics": [ {
///         "severity": "error" | "warning" | "note",
///         "code": "unknown-group",
///         "message": TEXT,
///         "file": TEXT | null,  "line": N | null,  "column": N | null,  "endLine": N | null,  "endColumn": N | null,
///         "help": TEXT | null,
///         "notes": [ { "message": TEXT, "file": …, "line": …, "column": …, "endLine": …, "endColumn": … } ] } ],
///       "errors": N, "warnings": N }
///
/// Lines and columns count from 1, columns in Unicode scalars; the end is the place behind the last character.
public struct JSONRenderer: Sendable {
  public init() {}

  /// The object, its diagnostics sorted; also where there are none. Its text is ASCII.
  public func render(_ diagnostics: [Diagnostic], in files: SourceFiles) -> String {
    var tables = LineTables(files)
    let entries = Diagnostic.sorted(diagnostics).map { diagnostic in
      let notes = diagnostic.notes.map { "{\"message\":\(quoted($0.message)),\(place($0.range, &tables))}" }
      return "{\"severity\":\(quoted(diagnostic.severity.rawValue)),\"code\":\(quoted(diagnostic.code)),"
        + "\"message\":\(quoted(diagnostic.message)),\(place(diagnostic.range, &tables)),"
        + "\"help\":\(diagnostic.help.map(quoted) ?? "null"),\"notes\":[\(notes.joined(separator: ","))]}"
    }
    let counts = DiagnosticCounts(diagnostics)
    return "{\"diagnostics\":[\(entries.map { "\n\($0)" }.joined(separator: ","))],"
      + "\"errors\":\(counts.errors),\"warnings\":\(counts.warnings)}\n"
  }

  private func place(_ range: SourceRange?, _ tables: inout LineTables) -> String {
    guard let range else { return "\"file\":null,\"line\":null,\"column\":null,\"endLine\":null,\"endColumn\":null" }
    let (file, start, end) = tables.place(range)
    return "\"file\":\(quoted(file)),\"line\":\(start.line),\"column\":\(start.column),"
      + "\"endLine\":\(end.line),\"endColumn\":\(end.column)"
  }

  private func quoted(_ text: String) -> String {
    var result = "\""
    for unit in text.utf16 {
      switch unit {
      case 0x22: result += "\\\""
      case 0x5C: result += "\\\\"
      case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default:
        let digits = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return result + "\""
  }
}
