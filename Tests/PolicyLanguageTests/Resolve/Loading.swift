import Diagnostics
import PolicyLanguage

/// Loads files given as texts.
func load(_ texts: String...) -> (policy: Policy?, diagnostics: [Diagnostic]) {
  PolicyFrontend.load(sources(texts.map { Array($0.utf8) }))
}

func sources(_ files: [[UInt8]]) -> SourceFiles {
  var sources = SourceFiles()
  for (index, bytes) in files.enumerated() {
    _ = sources.add(SourceFile(name: index == 0 ? "policy.yaml" : "policy-\(index + 1).yaml", bytes: bytes))
  }
  return sources
}

extension [Diagnostic] {
  /// The codes, for a look at what came out.
  var codes: [String] { map(\.code) }

  /// Severity, code and underlined text of each, in the text of the only file.
  func marks(in text: String) -> [String] {
    map { diagnostic in
      let bytes = [UInt8](text.utf8)
      let marked = diagnostic.range.map { String(decoding: bytes[Int($0.start)..<Int($0.end)], as: UTF8.self) }
      return "\(diagnostic.severity) \(diagnostic.code) \(marked ?? "nowhere")"
    }
  }
}
