import ArgumentParser

/// `cordon history`: what was applied.
struct History: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the states that can be gone back to.",
    discussion: """
      The newest is first, and * marks the one that was last put into force. The last \(StateIndex.kept) are kept. Plain \
      output has a line each: number, time, what became of it, version, ruleset's SHA-256, policy files, divided by tabs.
      """)

  @OptionGroup var table: TableOptions

  @Option(name: .customLong("output-format"), help: "How to report: human, plain (a line each) or json.")
  var outputFormat = OutputFormat.human

  func run() throws {
    try Status.refusing(outputFormat) {
      let folder = try table.folder()
      let index = try folder.exists() ? StateStore.index(folder) : nil
      let report = HistoryReport(folder, index)
      switch outputFormat {
      case .human: try Terminal.output(Terminal.safe(report.text))
      case .plain: try Terminal.output(report.plain)
      case .json: try Terminal.output(report.json)
      }
    }
  }
}
