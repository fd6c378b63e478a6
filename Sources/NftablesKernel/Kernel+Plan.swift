import CLinux
public import Nftables

extension Kernel {
  /// Carries out a plan, transaction by transaction. Between two of them it waits until no packet is on its way that began with
  /// the rules before: what a switch led away from may be deleted only then.
  ///
  /// - Returns: how many transactions it took, each of which makes a generation.
  /// - Throws: `KernelError` where the kernel doesn't take a transaction; those before it stay, and the table judges every
  ///   packet as it did before or as it was planned.
  @discardableResult
  public mutating func apply(_ plan: ChangePlan) throws(KernelError) -> UInt32 {
    var count: UInt32 = 0
    for (number, transaction) in plan.transactions.enumerated() {
      if number > 0 { cordon_wait_for_cpus() }
      guard case .edit(var edit) = transaction else {
        try apply(transaction.text)
        count += 1
        continue
      }
      let exact = edit.takeExactEdits()
      if !exact.isEmpty { count += try change(exact, of: edit.added.tableName) }
      if edit.isEmpty { continue }
      try apply(ChangePlan.Transaction.edit(edit).text)
      count += 1
    }
    return count
  }
}
