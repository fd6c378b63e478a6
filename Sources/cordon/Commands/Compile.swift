import ArgumentParser
import Diagnostics
import Nftables
import NftablesKernel
import PolicyCompiler

/// `cordon compile`: a policy to a ruleset, to a file or to the kernel.
struct Compile: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compile a policy to nftables.",
    discussion: """
      Without --check or --apply the ruleset goes to standard output, or to the file behind -o. The file loads by itself with \
      `nft -f`, any number of times, and replaces one table: inet cordon.

      --check asks the kernel whether it would take the ruleset, and changes nothing. --apply replaces the table in one \
      transaction and reads back what the kernel made of it. Both print what differs between the kernel's table and the \
      policy's. Neither reads or changes another table.

      A policy that breaks its own `expect` is refused, as `cordon test` would: judged as a gateway does, also with --host. \
      --no-test goes on.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case nft, json }

  @OptionGroup var policy: PolicyOptions
  @OptionGroup var target: TargetOptions

  @Option(help: "What the ruleset is written as: nft, or json for `nft -j -f`.")
  var format = Format.nft

  @Option(name: .shortAndLong, help: ArgumentHelp("Write the ruleset to that file, whole or not at all.", valueName: "file"))
  var output: String?

  @Flag(help: "Ask the kernel whether it would take the ruleset, and change nothing.")
  var check = false

  @Flag(help: "Replace the kernel's table by the policy's.")
  var apply = false

  @Flag(help: "With --apply or --check: take over a table of that name that cordon didn't make.")
  var adopt = false

  @Flag(help: "Go on where the policy doesn't keep what its own `expect` says.")
  var noTest = false

  func validate() throws {
    if adopt && !(apply || check) { throw ValidationError("--adopt goes with --apply or --check") }
  }

  func run() throws {
    let (compilation, sources) = try policy.compile(target, isTested: !noTest)
    try Status.refusing {
      if output != nil || !(check || apply) {
        let product = format == .nft ? compilation.text(sources) : JSONWriter.write(compilation.ruleset)
        if let output { try Files.write(product, to: output) } else { try Terminal.output(product) }
      }
      if check || apply { try enforce(compilation) }
    }
  }

  /// Shows what would change, asks the kernel whether it takes it, and with --apply changes it.
  private func enforce(_ compilation: Compilation) throws {
    let ruleset = compilation.ruleset
    let name = ruleset.tableName
    var kernel = try Kernel()
    try kernel.claim(table: name, adopting: adopt)
    let live = try LiveTable.read(&kernel, name)
    let plan = DifferenceReport(live: live, planned: ruleset, compilation.policy)
    try Terminal.output(plan.text(policy.outputFormat))
    let text = compilation.text()
    if !apply { return try kernel.check(text) }
    if plan.isEmpty { return }
    try kernel.apply(text)
    let rest = RulesetDifference.compare(live: try LiveTable.read(&kernel, name), planned: ruleset)
    if !rest.isEmpty {
      Terminal.error(rest.text())
      throw Refusal("the kernel took the ruleset, and table inet \(name) is not what was meant: the difference is above")
    }
  }
}
