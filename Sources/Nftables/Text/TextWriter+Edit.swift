extension TextWriter {
  /// A transaction within a table that is there.
  ///
  ///     flush chain inet cordon forward
  ///     table inet cordon {
  ///       chain forward {
  ///         ip daddr vmap @ingress-ipv4
  ///       }
  ///     }
  ///     delete chain inet cordon ingress/old
  ///
  /// Elements that go have no form here: for `delete element` libnftables 1.0.6 reads the elements of all interval sets of all
  /// tables, so `Kernel.apply` itself tells the kernel of them. What is added stands in a block, since `add element` would read
  /// them, too.
  static func write(_ edit: ChangePlan.Edit) -> [UInt8] {
    precondition(edit.removed.isEmpty, "only addresses go, and of these the kernel is told otherwise")
    var writer = TextWriter()
    let table = edit.added.tableName
    for chain in edit.flushed { writer.writeCommand("flush chain inet ", table, chain) }
    if edit.addsSomething { writer.writeBlock(edit.added) { _ in nil } }
    for map in edit.deletedMaps { writer.writeCommand("delete map inet ", table, map) }
    for set in edit.deletedSets { writer.writeCommand("delete set inet ", table, set) }
    for chain in edit.deletedChains { writer.writeCommand("delete chain inet ", table, chain) }
    for limit in edit.deletedLimits { writer.writeCommand("delete limit inet ", table, limit) }
    return writer.output.bytes
  }

  private mutating func writeCommand(_ command: StaticString, _ table: String, _ name: String) {
    output.write(command)
    output.write(name: table)
    output.write(" ")
    output.write(name: name)
    output.newline()
  }
}
