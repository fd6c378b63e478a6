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
    var live: Result<Ruleset?, any Error> = .success(nil)
    let (compilation, _) = try policy.compile(
      target,
      meanwhile: { compilation, _ in
        if !isAgainstPolicy { live = Result { try readLive(compilation) } }
      })
    let difference = try Status.refusing(policy.outputFormat) {
      let other = isAgainstPolicy ? try compileOther() : try live.get()
      return DifferenceReport(live: other, planned: compilation.ruleset, compilation.policy)
    }
    try Status.refusing(policy.outputFormat) { try Terminal.output(difference.text(policy.outputFormat)) }
    if !difference.isEmpty { throw Status.differs }
  }

  private var isAgainstPolicy: Bool { against.map { !$0.hasSuffix(".nft") } ?? false }

  /// What the kernel or the `.nft` file holds.
  private func readLive(_ compilation: Compilation) throws -> Ruleset? {
    if let against { return try LiveTable.read(file: against, table: target.table) }
    let kernel = try Kernel()
    // what is kept spares a listing; where it can't be read, as by others than root, the kernel is asked
    let kept = try? KeptTable.inForce(
      state.folder(of: target.table), beside: compilation.ruleset, text: compilation.text(), kernel)
    return try kept ?? LiveTable.read(kernel, target.table)
  }

  private func compileOther() throws -> Ruleset? {
    var old = policy
    old.policies = [against!]
    return try old.compile(target).compilation.ruleset
  }
}
