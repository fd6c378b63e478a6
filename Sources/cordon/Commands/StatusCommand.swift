import ArgumentParser
import Nftables
import NftablesKernel

/// `cordon status`: whether what was applied is in force.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say whether what was last applied is in force.",
    discussion: """
      Exits with 0 where the kernel's table is what was last applied, with 2 where it isn't, or nothing was ever applied, or an \
      apply broke off, and with 3 where that can't be found out. Nothing is changed and no lock is waited for.

      Where nobody changed any table since, that takes one question to the kernel; else the table is listed and compared by what \
      it means.
      """)

  @OptionGroup var table: TableOptions

  @Option(name: .customLong("output-format"), help: "How to report: human, plain or json.")
  var outputFormat = OutputFormat.human

  func run() throws {
    let report = try Status.refusing(outputFormat) {
      let folder = try table.folder()
      var kernel = try Kernel()
      let index = try folder.exists() ? StateStore.index(folder) : nil
      let unfinished = try folder.exists() ? StateStore.unfinished(folder) : nil
      let difference = try index.flatMap { try StateStore.difference($0, folder, &kernel) }
      let report = StatusReport(folder: folder, index: index, unfinished: unfinished, difference: difference)
      try Terminal.output(outputFormat == .json ? report.json : Terminal.safe(report.text))
      return report
    }
    if report.verdict != .asApplied || report.isOverdue { throw Status.differs }
  }
}
