extension TextWriter {
  /// A transaction within a table that is there.
  ///
  ///     flush chain inet cordon forward
  ///     delete element inet cordon group-ipv4/web { 10.0.0.9 }
  ///     table inet cordon {
  ///       chain forward {
  ///         ip daddr vmap @ingress-ipv4
  ///       }
  ///     }
  ///     delete chain inet cordon ingress/old
  ///
  /// What is added stands in a block, since libnftables 1.0.6 reads the elements of all interval sets of all tables for
  /// `add element`. For `delete element` it does too, and there is no other form of that: so `Kernel.apply` itself tells the kernel
  /// of elements that are single addresses.
  static func write(_ edit: ChangePlan.Edit) -> [UInt8] {
    var writer = TextWriter()
    let table = edit.added.tableName
    for chain in edit.flushed { writer.writeCommand("flush chain inet ", table, chain) }
    for removal in edit.removed where !removal.keys.isEmpty {
      writer.writeCommand("delete element inet ", table, removal.set) {
        $0.output.write(" ")
        $0.writeElements(removal.keys, removal.types, indent: 0)
      }
    }
    if edit.addsSomething { writer.writeBlock(edit.added) { _ in nil } }
    for map in edit.deletedMaps { writer.writeCommand("delete map inet ", table, map) }
    for set in edit.deletedSets { writer.writeCommand("delete set inet ", table, set) }
    for chain in edit.deletedChains { writer.writeCommand("delete chain inet ", table, chain) }
    for limit in edit.deletedLimits { writer.writeCommand("delete limit inet ", table, limit) }
    return writer.output.bytes
  }

  private mutating func writeCommand(
    _ command: StaticString, _ table: String, _ name: String, _ rest: (inout TextWriter) -> Void = { _ in }
  ) {
    output.write(command)
    output.write(name: table)
    output.write(" ")
    output.write(name: name)
    rest(&self)
    output.newline()
  }
}
