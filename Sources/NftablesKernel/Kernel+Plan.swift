import CLinux
public import Nftables

extension Kernel {
  /// Carries out a plan, transaction by transaction. Between two of them it waits until no packet is on its way that began with
  /// the rules before: what a switch led away from may be deleted only then.
  ///
  /// - Throws: `KernelError` where the kernel doesn't take a transaction; those before it stay, and the table judges every
  ///   packet as it did before or as it was planned.
  public mutating func apply(_ plan: ChangePlan) throws(KernelError) {
    for (number, transaction) in plan.transactions.enumerated() {
      if number > 0 { cordon_wait_for_cpus() }
      switch transaction {
      case .replacement: try apply(transaction.text)
      case .edit(var edit):
        for removal in edit.takeSingleRemovals() { try delete(removal, of: edit.added.tableName) }
        if !edit.isEmpty { try apply(ChangePlan.Transaction.edit(edit).text) }
      }
    }
  }
}
