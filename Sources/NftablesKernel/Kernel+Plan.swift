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
      count += try apply(transaction)
    }
    return count
  }

  /// The same of one of a plan's transactions: where the process may not send as much at once, elements take several of the kernel's.
  @discardableResult
  mutating func apply(_ transaction: ChangePlan.Transaction) throws(KernelError) -> UInt32 {
    guard case .edit(var edit) = transaction else {
      try apply(transaction.text)
      return 1
    }
    let elements = edit.takeElementEdits()
    let count = elements.isEmpty ? 0 : try change(elements, of: edit.added.tableName)
    if edit.isEmpty { return count }
    try apply(ChangePlan.Transaction.edit(edit).text)
    return count + 1
  }
}
