import ArgumentParser
import NftablesKernel

/// `cordon rollback`: undo the last apply.
struct Rollback: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Go back to the state before the last apply.",
    discussion: """
      A second rollback goes back one more, as far as `cordon history` shows; --to goes to any state there, back or forth. A state \
      that waits to be confirmed is undone at once. What rollback puts into force is confirmed, and comes back at boot.
      """)

  @OptionGroup var table: TableOptions
  @OptionGroup var wait: WaitOptions

  @Option(help: ArgumentHelp("Go to the state of that number in the history.", valueName: "state"))
  var to: Int?

  func run() throws {
    try Status.refusing {
      let folder = try table.folder()
      guard try folder.exists() else { throw Refusal("nothing was applied to table inet \(folder.table) here") }
      var kernel = try Kernel()
      var store = try StateStore(folder, waiting: wait.wait)
      let state = try store.goBack(&kernel, isUndoing: true) { index in
        let number = to ?? index.currentState?.previous
        guard let state = index.state(number) else {
          throw Refusal(
            (to.map { "there is no state \($0) in the history" } ?? "there is no state before state \(index.current)")
              + "\nhelp: `cordon history` lists the states")
        }
        return state
      }
      try Terminal.output(Terminal.safe("table inet \(folder.table) is in state \(state.number) again: \(state.words)\n"))
    }
  }
}

/// `cordon restore`: what is to be in force at boot.
struct Restore: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put the last confirmed state into force, as at boot.",
    discussion: "Where nothing was ever applied there is nothing to do.")

  @OptionGroup var table: TableOptions
  @OptionGroup var wait: WaitOptions

  func run() throws {
    try Status.refusing {
      let folder = try table.folder()
      guard try folder.exists(), try StateStore.index(folder) != nil else {
        return try Terminal.output("nothing was applied to table inet \(folder.table): nothing to restore\n")
      }
      var kernel = try Kernel()
      var store = try StateStore(folder, waiting: wait.wait)
      let state = try store.goBack(&kernel, isUndoing: false) { index in
        guard let state = index.state(index.confirmed) else { throw Refusal("no state was ever confirmed") }
        return state
      }
      try Terminal.output(Terminal.safe("table inet \(folder.table) is in state \(state.number): \(state.words)\n"))
    }
  }
}
