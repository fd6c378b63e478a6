import ArgumentParser
import Diagnostics
import NftablesKernel
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// The options that say what must stay possible when a policy is applied.
struct LockoutOptions: ParsableArguments {
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "With --apply: a flow that must stay allowed, 'CLIENT->SERVER:PORT' or, to this machine, 'CLIENT->:PORT'; repeatable.",
      valueName: "flow"),
    transform: { try FlowArgument($0) })
  var keep: [FlowArgument] = []

  @Flag(
    help:
      "With --apply: go on where the policy would lock you out, or cut off a flow that must stay allowed; better with --confirm."
  )
  var force = false

  func validate(isApplied: Bool) throws {
    if !isApplied && (force || !keep.isEmpty) { throw ValidationError("--keep and --force go with --apply") }
  }

  /// What the policy would cut off of what must stay possible: with an error among it where nothing may be touched.
  func findings(_ compilation: Compilation) throws -> [Diagnostic] {
    // a ruleset that drops nothing cuts nothing off
    if compilation.observes { return [] }
    let session = RemoteSession(SessionFacts.gather())
    // whatever a connection to this machine ends at is an address of its own, also where no route says so
    let reached = AddressSet(session.connections.map { AddressRange($0.ends.server.address) })
    var check = LockoutCheck(compilation, isForced: force, own: try OwnAddresses().own.union(reached))
    check.judge(session, isNamed: !keep.isEmpty)
    for flow in compilation.policy.options.keep { check.judge(flow) }
    for flow in keep { try check.judge(flow) }
    return check.findings
  }
}
