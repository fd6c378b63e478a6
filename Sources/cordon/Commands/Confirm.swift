import ArgumentParser
import NftablesKernel

/// `cordon confirm`: what was applied stays.
struct Confirm: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Keep what was applied with --confirm.",
    discussion: """
      Where the time is over and the ruleset was undone, it says so and exits with 3. Where nothing waits to be confirmed there is \
      nothing to do.
      """)

  @OptionGroup var table: TableOptions
  @OptionGroup var wait: WaitOptions

  func run() throws {
    try Status.refusing {
      let folder = try table.folder()
      guard try folder.exists() else { return try Terminal.output("nothing waits to be confirmed\n") }
      var kernel = try Kernel()
      var store = try StateStore(folder, waiting: wait.wait)
      if let state = try store.confirm(&kernel) {
        return try Terminal.output(
          Terminal.safe("state \(state.number) of table inet \(folder.table) is confirmed: \(state.words)\n"))
      }
      if let undone = store.index?.undone {
        throw Refusal(
          "state \(undone.state) wasn't confirmed in time, and was undone at \(Clock.text(undone.time))\n"
            + "help: apply the policy again, with more time")
      }
      try Terminal.output("nothing waits to be confirmed\n")
    }
  }
}
