public import Diagnostics

/// From the text of a policy to the policy: parses all files, joins them, resolves every name and checks every rule of the
/// language.
public enum PolicyFrontend {
  /// Loads one policy from one or several files. Reads nothing but the bytes it is given.
  /// - Returns: The policy, or nil if there is any error; and all diagnostics, those without a place first, then in the order of
  ///   the files and of their text.
  public static func load(_ sources: SourceFiles) -> (policy: Policy?, diagnostics: [Diagnostic]) {
    load(sources, HalvesLimits())
  }

  /// The same, in halves from other sizes on, which changes nothing of the result.
  static func load(_ sources: SourceFiles, _ limits: HalvesLimits) -> (policy: Policy?, diagnostics: [Diagnostic]) {
    var diagnostics: [Diagnostic] = []
    var trees: [SyntaxTree] = []
    for (index, file) in sources.files.enumerated() {
      trees += SyntaxParser.parseHalves(file, index: index, from: limits.bytes, into: &diagnostics)
    }
    // what is unknown may be defined where the parser could not read; of a key that stands twice it read both
    let isIncomplete = diagnostics.contains { $0.severity == .error && $0.code != "duplicate-key" }
    var resolver = Resolver(trees: trees, isIncomplete: isIncomplete, halvesFrom: limits.entries)
    resolver.resolve()
    diagnostics += resolver.diagnostics
    diagnostics = Diagnostic.sorted(diagnostics)
    return (diagnostics.contains { $0.severity == .error } ? nil : resolver.policy, diagnostics)
  }
}
