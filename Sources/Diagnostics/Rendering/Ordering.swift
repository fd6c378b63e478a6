extension Diagnostic {
  /// In the order of the files and of the places in them; what has no place comes first, and what has the same stays in order.
  public static func sorted(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
    func key(_ numbered: (offset: Int, element: Diagnostic)) -> (Int32, UInt32, Int) {
      (numbered.element.range?.file ?? -1, numbered.element.range?.start ?? 0, numbered.offset)
    }
    return diagnostics.enumerated().sorted { key($0) < key($1) }.map(\.element)
  }
}

/// How many errors and warnings there are.
struct DiagnosticCounts {
  var errors = 0
  var warnings = 0

  init(_ diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics {
      switch diagnostic.severity {
      case .error: errors += 1
      case .warning: warnings += 1
      case .note: break
      }
    }
  }

  /// `2 errors, 1 warning`; empty where there are none.
  var summary: String {
    var parts: [String] = []
    if errors > 0 { parts.append(errors == 1 ? "1 error" : "\(errors) errors") }
    if warnings > 0 { parts.append(warnings == 1 ? "1 warning" : "\(warnings) warnings") }
    return parts.joined(separator: ", ")
  }
}
