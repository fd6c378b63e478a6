import ArgumentParser
import Diagnostics
import Nftables
import NftablesKernel
import PacketSpace
import PolicyCompiler

/// `cordon compile`: a policy to a ruleset, to a file or to the kernel.
struct Compile: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compile a policy to nftables.",
    discussion: """
      Without --check or --apply the ruleset goes to standard output, or to the file behind -o. The file loads by itself with \
      `nft -f`, any number of times, and replaces one table: inet cordon.

      --check asks the kernel whether it would take the ruleset, and changes nothing. --apply changes what differs, in a few \
      transactions, between which every packet is judged by the old policy or by the new one; it reads back what the kernel \
      made of it, and puts the table back as it was if that isn't what was meant. --replace makes the whole table anew in one \
      transaction, for the moment of which new flows can be judged wrong; so it is done where there was no table, or one that \
      has what cordon doesn't know. --dry-run prints the plan, and what an apply would refuse, with its exit status. --check and \
      --apply print what differs between the kernel's table and the policy's, and change no other table. With -o the file is \
      written last.

      What is applied is kept, for `cordon rollback`, `history`, `status` and `restore`. With --confirm it is undone after that \
      time, whatever becomes of this process, unless it is confirmed.

      Connections that are open and that the new policy denies are counted and listed, and go on. With --sessions revoke they \
      are cut once the policy is in force; what is cut stays so if the policy is undone.

      Where you apply over SSH with --host, the policy must let in a new connection like the one you work over. On a gateway, \
      whose own SSH is never at risk, and on a host it must allow what --keep and its own `keep` name. Else nothing is touched, \
      the rule that decides is shown, and the exit status is 3; --force goes on.

      --cost prints what the ruleset costs in its place, or beside it with -o: for each base chain, and each chain that one leads \
      to, the nft expressions and lookups that a packet pays. Worst is the dearest way to a decision. Usual is the mean over the \
      ways, a rule that decides, an element of a lookup and the default each as likely as the other: a measure to compare rulesets \
      by, since traffic isn't known. Times are estimates from measurements of one machine. The kernel isn't asked.

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

  @Flag(help: "Print what the ruleset costs packets and the kernel, in its place or beside it with -o.")
  var cost = false

  @Flag(help: "Ask the kernel whether it would take the ruleset, and change nothing.")
  var check = false

  @Flag(help: "Make the kernel's table the policy's.")
  var apply = false

  @Flag(help: "With --apply: replace the whole table at once, instead of changing what differs in phases.")
  var replace = false

  @Flag(help: "With --apply: print the plan, and change nothing.")
  var dryRun = false

  @Flag(help: "With --apply or --check: take over a table of that name that cordon didn't make.")
  var adopt = false

  @Flag(help: "Go on where the policy doesn't keep what its own `expect` says.")
  var noTest = false

  @Option(
    help: ArgumentHelp(
      "With --apply: undo it after that time, unless `cordon confirm` or Enter at the prompt comes first.", valueName: "seconds"
    ))
  var confirm: Int?

  @Option(help: "With --apply: whether open connections that the new policy denies go on, as they do by default, or are cut.")
  var sessions: Sessions?

  @OptionGroup var lockout: LockoutOptions
  @OptionGroup var state: StateOptions
  @OptionGroup var waiting: WaitOptions

  func validate() throws {
    if confirm != nil && (!apply || dryRun) { throw ValidationError("--confirm goes with --apply") }
    if let confirm, !(1...1_000_000).contains(confirm) { throw ValidationError("--confirm takes 1 to 1000000 seconds") }
    if (replace || dryRun) && !apply { throw ValidationError("--replace and --dry-run go with --apply") }
    if sessions != nil && !apply { throw ValidationError("--sessions goes with --apply") }
    if cost && (apply || check) { throw ValidationError("--cost goes without --apply and --check: it asks no kernel") }
    if output == "" { throw ValidationError("-o takes the name of a file") }
    try lockout.validate(isApplied: apply)
    if adopt && !(apply || check) { throw ValidationError("--adopt goes with --apply or --check") }
  }

  func run() throws {
    var early: Early?
    let isWritten = output != nil || !(check || apply || cost)
    var product: [UInt8] = []
    var preparation: Preparation?
    var refusal: (any Error)?
    var lockedOut: [Diagnostic] = []
    let (compilation, sources) = try policy.compile(
      target, isTested: !noTest,
      beginning: { if check || apply { early = Early($0, self) } },
      isPatient: check || apply,
      meanwhile: { compilation, sources in
        if isWritten { product = format == .nft ? compilation.text(sources) : JSONWriter.write(compilation.ruleset) }
        guard let early else { return }
        do {
          // before anything is touched; a plan is told first what else it would do
          if apply && !dryRun { lockedOut = try lockout.findings(compilation) }
          if lockedOut.contains(where: { $0.severity == .error }) { return }
          preparation = try prepare(compilation, sources, early)
        } catch {
          refusal = error
        }
      })
    try Status.refusing(policy.outputFormat) {
      try tell(lockedOut, sources)
      if let refusal { throw refusal }
      if let preparation = preparation.take() { try enforce(preparation, compilation, sources) }
      if cost { try Terminal.output(CostReport(compilation.ruleset).text(policy.outputFormat)) }
      if isWritten {
        if let output { try Files.write(product, to: output) } else { try Terminal.output(product) }
      }
    }
  }

  /// Says whom the policy locks out, and refuses to go on where it may not.
  private func tell(_ findings: [Diagnostic], _ sources: SourceFiles) throws {
    policy.report(findings, sources)
    if findings.contains(where: { $0.severity == .error }) { throw Status.refused }
  }

  /// What can be found out before there is a ruleset.
  private struct Early {
    /// What was in force when the command began.
    let kept: Later<KeptTable?>
    /// Where a new state will be kept.
    let policies: Later<[AppliedState.PolicyFile]>?

    init(_ sources: SourceFiles, _ command: Compile) {
      kept = Later { try? KeptTable(command.state.folder(of: command.target.table)) }
      policies = command.apply && !command.dryRun ? Later { NewState.policies(sources) } : nil
    }
  }

  /// What has to be known before anything is changed.
  private struct Preparation: ~Copyable {
    let folder: StateFolder
    /// Where something will be changed: nobody else changes it meanwhile.
    var store: StateStore?
    var kernel: Kernel
    let text: [UInt8]
    /// What is to be kept of it, where it will be.
    let state: Later<NewState>?
    let enforcement: Enforcement
    let open: SessionsPlan?
    /// What would change.
    let report: String
  }

  private func prepare(
    _ compilation: Compilation, _ sources: SourceFiles, _ early: Early
  ) throws -> Preparation {
    let ruleset = compilation.ruleset
    let text = Later { compilation.text() }
    let folder = try state.folder(of: ruleset.tableName)
    let store = apply && !dryRun ? try StateStore(folder, waiting: waiting.wait) : nil
    var kernel = try Kernel()
    let state = early.policies.map { policies in
      Later {
        NewState(
          text.value, folder.writeUnnamed(text.value), compilation, policies.value, beside: early.kept.value?.text)
      }
    }
    var flows: Later<Result<SessionsPlan, any Error>>?
    let (enforcement, report) = try Enforcement.plan(
      ruleset, replacing: replace, adopting: adopt, &kernel,
      kept: { try KeptTable.inForce(folder, readAhead: early.kept.value, beside: ruleset, text: text.value, $0) },
      meanwhile: { live in
        if apply {
          let (choice, isFirst) = (sessions ?? .keep, live == nil)
          flows = Later { Result { try SessionsPlan(compilation, sources, choice, isFirst: isFirst) } }
        }
        return DifferenceReport(live: live, planned: ruleset, compilation.policy)
      })
    let open = try flows?.value.get()
    let words = report.text(policy.outputFormat, plan: apply ? enforcement.plan : nil, sessions: open)
    return Preparation(
      folder: folder, store: store, kernel: kernel, text: text.value, state: state, enforcement: enforcement, open: open,
      report: words)
  }

  /// Shows what would change, asks the kernel whether it takes it, and with --apply changes it.
  private func enforce(
    _ preparation: consuming Preparation, _ compilation: Compilation, _ sources: SourceFiles
  ) throws {
    try Terminal.output(preparation.report)
    if dryRun { try tell(lockout.findings(compilation), sources) }
    if check { try preparation.kernel.check(preparation.text) }
    let enforcement = preparation.enforcement
    PolicyOptions.leave(enforcement)
    let isApplied = preparation.store != nil
    var pending: StateIndex.Pending?
    if let state = preparation.state?.value {
      pending = try preparation.store?.record(state, confirmWithin: confirm, &preparation.kernel) {
        try enforcement.carryOut(&$0)
      }
    }
    var uncut: (any Error)?
    if isApplied {
      // what is in force and waits to be confirmed is told of in any case
      do { try preparation.open?.carryOut(policy.outputFormat) } catch { uncut = error }
    }
    preparation.store = nil
    if let uncut, pending != nil { Terminal.say("error: \(uncut)\n") }
    try pending?.awaitConfirmation(preparation.folder)
    if let uncut { throw pending == nil ? uncut : Status.refused }
  }
}
