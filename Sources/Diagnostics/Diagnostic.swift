/// How bad a diagnostic is. An error stops all output; a warning and a note stop nothing.
public enum Severity: String, Sendable, Hashable {
  case error, warning, note
}

/// One finding about a policy, as data: rendering is another matter (`HumanRenderer`, `PlainRenderer`, `JSONRenderer`).
///
/// Style of the texts: lower case, no full stop, the user's own words in backticks; `help` says what to write,
/// apart from `message`, which says what is the matter.
public struct Diagnostic: Sendable, Hashable {
  /// A place that has to do with the finding, such as the first definition of a duplicate.
  public struct Note: Sendable, Hashable {
    public var message: String
    public var range: SourceRange?
    public init(_ message: String, at range: SourceRange? = nil) {
      self.message = message
      self.range = range
    }
  }

  public var severity: Severity
  /// Kebab-case, such as `unknown-group`: also the name of the fixture and of the page in docs/diagnostics.
  public var code: String
  public var message: String
  /// The text to underline; nil where there is none, as for a file that isn't there.
  public var range: SourceRange?
  /// What to do, or nil.
  public var help: String?
  public var notes: [Note]

  public init(
    _ severity: Severity, _ code: String, _ message: String, at range: SourceRange?, help: String? = nil, notes: [Note] = []
  ) {
    self.severity = severity
    self.code = code
    self.message = message
    self.range = range
    self.help = help
    self.notes = notes
  }
}
