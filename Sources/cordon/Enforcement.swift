import Nftables
import NftablesKernel
import PacketSpace

/// Makes the kernel's table the planned one, and makes sure that it is.
struct Enforcement {
  let live: Ruleset?
  let planned: Ruleset
  let plan: ChangePlan
  /// The kernel's generation before the table was read.
  private let generation: UInt32

  /// Plans for the table as it is now, and meanwhile finds out something else of how it differs.
  ///
  /// - Parameters:
  ///   - replacing: whether to make the whole table anew; a table that Cordon didn't make is replaced in any case.
  ///   - kept: the table as it is known to be without a listing, where it is.
  ///   - other: what else there is to find out of the live table.
  static func plan<Other>(
    _ planned: Ruleset, replacing: Bool, adopting: Bool, _ kernel: inout Kernel,
    kept: (borrowing Kernel) throws -> Ruleset? = { _ in nil }, meanwhile other: (Ruleset?) -> Other = { _ in }
  ) throws -> (enforcement: Enforcement, other: Other) {
    let name = planned.tableName
    try kernel.claim(table: name, adopting: adopting)
    let generation = try kernel.generation()
    let kept = try kept(kernel)
    let live = try kept ?? LiveTable.read(kernel, name)
    let isForeign = try kernel.ownership(of: name) == .foreign
    let plan = Later {
      ChangePlan(live: live, isKnown: kept != nil, planned: planned, replacing: replacing || isForeign)
    }
    let found = other(live)
    return (Enforcement(live: live, planned: planned, plan: plan.value, generation: generation), found)
  }

  /// Carries out the plan and reads back what is there. If that isn't what was meant, the table as it was before is put back;
  /// where there was none, what was proved and loaded stays, since it is better than nothing.
  ///
  /// - Returns: the kernel's generation that was read back; nil where the table means what is planned and isn't written so, by which
  ///   it can't be known later what is there.
  /// - Throws: `Refusal` or `KernelError`, with what became of the table.
  func carryOut(_ kernel: inout Kernel) throws -> UInt32? {
    let name = planned.tableName
    let before = try kernel.generation()
    if before != generation { try checkNobodyChangedIt(kernel) }
    do {
      let count = try kernel.apply(plan)
      let reached = try kernel.generation()
      // what only means the same is left alone, such as two intervals that are one now
      let isWrittenSo = plan.replacesTable || live?.hasElements(of: planned, butFor: plan.touched) ?? true
      if reached == generation &+ count, try isInForce(&kernel) { return isWrittenSo ? reached : nil }
      let rest = RulesetDifference.compare(live: try LiveTable.read(kernel, name), planned: planned)
      if rest.isEmpty { return isWrittenSo ? reached : nil }
      Terminal.error(rest.text())
      throw Refusal("the kernel took the ruleset, and table inet \(name) is not what was meant: the difference is above")
    } catch {
      // where that can't be asked, the table is put back all the same
      if (try? kernel.generation()) == before { throw error }
      if live != nil {
        throw Refusal(error, and: restore(&kernel), help: "look at what is there with `cordon status`, and apply again")
      }
      if try kernel.ownership(of: name) == .absent { throw error }
      throw Refusal(
        error, and: "it is left as the kernel took it", help: "`cordon status` tells of it, and `cordon rollback` undoes it")
    }
  }

  /// Whether what the plan touched is as planned, where nobody else changed anything and so the rest is as it was; false also where
  /// that isn't known without a listing.
  private func isInForce(_ kernel: inout Kernel) throws -> Bool {
    if live == nil || plan.replacesTable { return false }
    // a listing takes no longer where most of the table was touched
    let touched = plan.touched
    let rules = planned.chains.reduce((all: 0, touched: 0)) {
      ($0.all + $1.rules.count, $0.touched + (touched.contains(.chain($1.name)) ? $1.rules.count : 0))
    }
    // what can't be read back so can be listed
    return rules.touched * 3 <= rules.all && (try? kernel.holds(touched, of: planned, after: plan.elementEdits)) == true
  }

  /// A plan is for the table that it was made for.
  private func checkNobodyChangedIt(_ kernel: borrowing Kernel) throws {
    let now = try LiveTable.read(kernel, planned.tableName)
    if live == nil && now == nil { return }
    if let live, let now, RulesetDifference.compare(live: now, planned: live).isEmpty { return }
    throw Refusal(
      "table inet \(planned.tableName) was changed by somebody else meanwhile, and nothing is applied\n"
        + "help: look at what is there with `cordon status` and `cordon diff`, and apply again")
  }

  /// Puts the table back as it was, and says whether it is.
  private func restore(_ kernel: inout Kernel) -> String {
    let table = "table inet \(planned.tableName)"
    guard let live, live.isFullyKnown else {
      return "\(table) can't be put back as it was, since it had what cordon can't write"
    }
    do {
      func isBack() throws -> Bool {
        RulesetDifference.compare(live: try LiveTable.read(kernel, planned.tableName), planned: live).isEmpty
      }
      // what can't be read, or not be changed in phases, is replaced whole
      let now = try? LiveTable.read(kernel, planned.tableName)
      let isChanged = (try? kernel.apply(ChangePlan(live: now, planned: live))) != nil
      if try !isChanged || !isBack() {
        try kernel.apply(ChangePlan(live: now, planned: live, replacing: true))
      }
      return try isBack() ? "\(table) is as it was before" : "putting \(table) back as it was didn't succeed"
    } catch {
      return "putting \(table) back as it was didn't succeed: \(error)"
    }
  }
}
