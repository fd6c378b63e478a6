import ArgumentParser
import Glibc
import Nftables

/// Where states are kept.
struct StateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where applied states are kept (CORDON_STATE_DIR, or else \(StateOptions.defaultFolder)).", valueName: "folder"))
  var stateDir: String?

  static let defaultFolder = "/var/lib/cordon"

  func folder(of table: String) throws -> StateFolder {
    let named = stateDir ?? getenv("CORDON_STATE_DIR").map { String(cString: $0) } ?? ""
    return try StateFolder(root: named.isEmpty ? StateOptions.defaultFolder : named, table: table)
  }
}

/// How long to wait for others.
struct WaitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Wait that long for another cordon that is changing the table; else it is an error.", valueName: "seconds"))
  var wait = 0

  func validate() throws {
    if !(0...1_000_000).contains(wait) { throw ValidationError("--wait takes 0 to 1000000 seconds") }
  }
}

/// The options of commands about a table that was applied.
struct TableOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The name of the table, of family inet.", valueName: "name"))
  var table = "cordon"

  @OptionGroup var state: StateOptions

  func validate() throws {
    if let problem = TableName.problem(table) { throw ValidationError(problem) }
  }

  func folder() throws -> StateFolder { try state.folder(of: table) }
}
