import ArgumentParser
import NftablesKernel

/// `cordon list-table`: what `LiveTable` starts to have a table listed in a process that may be lost.
struct ListTable: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a table as libnftables lists it in JSON; nothing where there is no such table.", shouldDisplay: false)

  @Argument var name: String
  /// A `.nft` file, loaded where there is nothing else, instead of the kernel's table.
  @Option var file: String?

  func run() throws {
    try Status.refusing {
      let json: [UInt8]?
      if let file {
        do {
          json = try PrivateNamespace.list(text: try Files.read(file), table: name)
        } catch var error as KernelError {
          if error.operation == "load the ruleset" { error.operation = "load \(file)" }
          throw error
        }
      } else {
        var kernel = try Kernel()
        json = try kernel.list(table: name)
      }
      if let json { try Terminal.output(json) }
    }
  }
}
