import Nftables
import PacketSpace

extension Kernel {
  /// Deletes elements of a set or map without intervals, each of which is there, some thousand in one transaction.
  ///
  /// libnftables 1.0.6 would read the elements of all interval sets of all tables first, whoever's they are.
  ///
  /// - Returns: how many transactions it took.
  @discardableResult
  borrowing func delete(_ removal: ChangePlan.Edit.Removal, of table: String) throws(KernelError) -> UInt32 {
    let width = removal.types == [.ipv4Address] ? 4 : 16
    var count: UInt32 = 0
    var start = 0
    while start < removal.keys.count {
      // an attribute is at most 64 KiB, and a send buffer that nobody made larger not much more
      let end = min(start + 2_000, removal.keys.count)
      var elements = NetlinkAttributeWriter()
      for index in start..<end {
        let key = removal.keys[index].first!.lower
        let bytes = (0..<width).reversed().map { UInt8(truncatingIfNeeded: key >> (8 * UInt128($0))) }
        elements.nest(1) { element in  // NFTA_LIST_ELEM
          element.nest(1) { $0.append(1, bytes) }  // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
        }
      }
      var message = NetlinkAttributeWriter()
      message.append(1, table)  // NFTA_SET_ELEM_LIST_TABLE
      message.append(2, removal.set)  // NFTA_SET_ELEM_LIST_SET
      message.nest(3) { $0 = elements }  // NFTA_SET_ELEM_LIST_ELEMENTS
      try socket.transact(.deleteElements, message, "delete elements of \(removal.set) in table inet \(table)")
      count += 1
      start = end
    }
    return count
  }
}
