import ArgumentParser
import Nftables
import NftablesKernel
import PolicyCompiler

/// `cordon diff`: what is in force against what the policy says.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what differs between the kernel's table and the policy's.",
    discussion: """
      Exits with 0 where nothing differs, with 2 where something does, and with 3 where the kernel can't be asked. Tables are \
      compared by what they mean: nft spells much of what it lists anew.

      --against compares with a .nft file, which is loaded in a private network namespace, or with another policy, instead of \
      the kernel's table.
      """)

  @OptionGroup var policy: PolicyOptions
  @OptionGroup var target: TargetOptions

  @Option(help: ArgumentHelp("Compare with that .nft file or policy.", valueName: "file"))
  var against: String?

  @OptionGroup var state: StateOptions

  func run() throws {
    var difference: Result<DifferenceReport, any Error>?
    _ = try policy.compile(target) { compilation, _ in
      difference = Result {
        DifferenceReport(live: try other(compilation), planned: compilation.ruleset, compilation.policy)
      }
    }
    try Status.refusing(policy.outputFormat) { try Terminal.output(difference!.get().text(policy.outputFormat)) }
    if try !difference!.get().isEmpty { throw Status.differs }
  }

  private func other(_ compilation: Compilation) throws -> Ruleset? {
    guard let against else {
      let kernel = try Kernel()
      // what is kept spares a listing; where it can't be read, as by others than root, the kernel is asked
      let kept = try? KeptTable.inForce(
        state.folder(of: target.table), beside: compilation.ruleset, text: compilation.text(), kernel)
      return try kept ?? LiveTable.read(kernel, target.table)
    }
    if against.hasSuffix(".nft") { return try LiveTable.read(file: against, table: target.table) }
    var old = policy
    old.policies = [against]
    return try old.compile(target).compilation.ruleset
  }
}
