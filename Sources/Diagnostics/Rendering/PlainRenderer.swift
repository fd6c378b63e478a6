/// Diagnostics for tools that read lines, one line each: `policy.yaml:12:13: error: no group is called ... [unknown-group]; help`.
public struct PlainRenderer: Sendable {
  public init() {}

  /// A line for each diagnostic, sorted; notes that have a place follow as lines of severity `note`.
  public func render(_ diagnostics: [Diagnostic], in files: SourceFiles) -> String {
    var tables = LineTables(files)
    var text = ""
    for diagnostic in Diagnostic.sorted(diagnostics) {
      text += place(diagnostic.range, &tables)
      text += "\(diagnostic.severity.rawValue): \(SafeText.line(diagnostic.message)) [\(diagnostic.code)]"
      if let help = diagnostic.help { text += "; \(SafeText.line(help))" }
      text += "\n"
      for note in diagnostic.notes {
        text += place(note.range ?? diagnostic.range, &tables) + "note: \(SafeText.line(note.message)) [\(diagnostic.code)]\n"
      }
    }
    return text
  }

  private func place(_ range: SourceRange?, _ tables: inout LineTables) -> String {
    guard let range else { return "" }
    let (file, start, _) = tables.place(range)
    return "\(SafeText.line(file)):\(start.line):\(start.column): "
  }
}
