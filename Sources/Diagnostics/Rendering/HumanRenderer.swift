/// Diagnostics for people: the source line with the text underlined, in the manner of rustc.
///
///     error[unknown-group]: no group is called `wbe`
///       --> policy.yaml:12:13
///        |
///     12 |       from: wbe
///        |             ^^^
///        = help: write `web`
public struct HumanRenderer: Sendable {
  /// Whether to colour the text by terminal escapes. Those are the only ones that are ever printed.
  public var colour: Bool

  public init(colour: Bool = false) {
    self.colour = colour
  }

  /// All diagnostics, sorted, and a line that counts them; the empty string if there are none.
  public func render(_ diagnostics: [Diagnostic], in files: SourceFiles) -> String {
    var tables = LineTables(files)
    var text = ""
    for diagnostic in Diagnostic.sorted(diagnostics) {
      text += paint("\(diagnostic.severity.rawValue)[\(diagnostic.code)]", Self.style(diagnostic.severity))
      text += paint(": \(SafeText.line(diagnostic.message))\n", .bold)
      let margin = margin(of: diagnostic, &tables)
      if let range = diagnostic.range { excerpt(range, "^", Self.style(diagnostic.severity), margin, &tables, into: &text) }
      if let help = diagnostic.help {
        text += paint("\(margin) = ", .frame) + paint("help", .bold) + ": \(SafeText.line(help))\n"
      }
      for note in diagnostic.notes {
        guard let range = note.range else {
          text += paint("\(margin) = ", .frame) + paint("note", .bold) + ": \(SafeText.line(note.message))\n"
          continue
        }
        text += paint("note", .note) + ": \(SafeText.line(note.message))\n"
        excerpt(range, "-", .note, margin, &tables, into: &text)
      }
      text += "\n"
    }
    let summary = DiagnosticCounts(diagnostics).summary
    return summary.isEmpty ? text : text + "\(summary)\n"
  }

  /// As many blanks as the longest line number in the diagnostic has digits.
  private func margin(of diagnostic: Diagnostic, _ tables: inout LineTables) -> String {
    var digits = 1
    for range in [diagnostic.range] + diagnostic.notes.map(\.range) {
      if let range { digits = max(digits, String(tables.table(range.file).line(of: range.start)).count) }
    }
    return String(repeating: " ", count: digits)
  }

  private func excerpt(
    _ range: SourceRange, _ mark: String, _ style: Style, _ margin: String, _ tables: inout LineTables, into text: inout String
  ) {
    let (file, start, _) = tables.place(range)
    let excerpt = SourceExcerpt(
      range, in: tables.files[Int(range.file)].bytes, lineStart: tables.table(range.file).start(ofLine: start.line))
    let number = String(start.line)
    text += margin + paint("-->", .frame) + " \(SafeText.line(file)):\(start.line):\(start.column)\n"
    text += paint("\(margin) |\n", .frame)
    text += paint("\(margin.dropFirst(number.count))\(number) |", .frame) + " \(excerpt.text)\n"
    text += paint("\(margin) | ", .frame) + String(repeating: " ", count: excerpt.underline.lowerBound)
    text += paint(String(repeating: mark, count: excerpt.underline.count), style) + "\n"
  }

  // MARK: - Colours

  private enum Style: String {
    case error = "1;31"
    case warning = "1;33"
    case note = "1;36"
    case bold = "1"
    case frame = "34"
  }

  private static func style(_ severity: Severity) -> Style {
    switch severity {
    case .error: .error
    case .warning: .warning
    case .note: .note
    }
  }

  private func paint(_ text: String, _ style: Style) -> String {
    colour ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }
}
