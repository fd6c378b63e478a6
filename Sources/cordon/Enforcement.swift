import Nftables
import NftablesKernel

/// Makes the kernel's table the planned one, and makes sure that it is.
struct Enforcement {
  let live: Ruleset?
  let planned: Ruleset
  let plan: ChangePlan

  /// Plans for the table as it is now.
  ///
  /// - Parameter replacing: whether to make the whole table anew; a table that Cordon didn't make is replaced in any case.
  init(_ planned: Ruleset, replacing: Bool, adopting: Bool, _ kernel: inout Kernel) throws {
    let name = planned.tableName
    try kernel.claim(table: name, adopting: adopting)
    live = try LiveTable.read(kernel, name)
    let isForeign = try kernel.ownership(of: name) == .foreign
    self.planned = planned
    plan = ChangePlan(live: live, planned: planned, replacing: replacing || isForeign)
  }

  /// Carries out the plan and reads back what is there. If that isn't what was meant, the table as it was before is put back.
  ///
  /// - Returns: the kernel's generation that was read back.
  /// - Throws: `Refusal` or `KernelError`, with what became of the table.
  func carryOut(_ kernel: inout Kernel) throws -> UInt32 {
    do {
      try kernel.apply(plan)
    } catch {
      if plan.transactions.count > 1 { throw Refusal("\(error); \(restore(&kernel))") }
      throw error
    }
    let generation = try kernel.generation()
    let rest = RulesetDifference.compare(live: try LiveTable.read(kernel, planned.tableName), planned: planned)
    if rest.isEmpty { return generation }
    Terminal.error(rest.text())
    // where nothing was enforced before, what was proved and loaded is better than nothing again
    let now = live == nil ? "it is left as the kernel took it" : restore(&kernel)
    throw Refusal(
      "the kernel took the ruleset, and table inet \(planned.tableName) is not what was meant: the difference is above; \(now)")
  }

  /// Puts the table back as it was, and says whether it is.
  private func restore(_ kernel: inout Kernel) -> String {
    let table = "table inet \(planned.tableName)"
    do {
      guard let live else {
        try kernel.delete(table: planned.tableName)
        return "\(table) is deleted again"
      }
      guard live.isFullyKnown else { return "\(table) can't be put back as it was, since it had what cordon can't write" }
      try kernel.apply(ChangePlan(live: try LiveTable.read(kernel, planned.tableName), planned: live))
      let rest = RulesetDifference.compare(live: try LiveTable.read(kernel, planned.tableName), planned: live)
      return rest.isEmpty ? "\(table) is as it was before" : "putting \(table) back as it was didn't succeed"
    } catch {
      return "putting \(table) back as it was didn't succeed: \(error)"
    }
  }
}
