import Nftables
import PacketSpace

extension Kernel {
  /// Changes elements of sets and maps without intervals: in one transaction where the process may make a socket's send buffer large
  /// enough, as root may; else in several, none of which takes an element away that comes again in a later one.
  ///
  /// libnftables 1.0.6 would read the names of all chains and sets first, and for what goes the elements of all interval sets of all
  /// tables, whoever's they are.
  ///
  /// - Parameter most: how many bytes a transaction may have at most: for tests of smaller buffers.
  /// - Returns: how many transactions it took.
  /// - Throws: `KernelError` where the kernel doesn't take a transaction; those before it stay.
  @discardableResult
  borrowing func change(
    _ edits: [ChangePlan.ExactEdit], of table: String, atMost most: Int = .max
  ) throws(KernelError) -> UInt32 {
    var changes: [[NetfilterSocket.Change]] = []
    for part in edits.flatMap({ $0.parts(of: Kernel.mostInAMessage) }) {
      let gone = Kernel.message(part.set, table, part.removed)
      let made = Kernel.message(part.set, table, part.added)
      changes.append(
        (part.removed.isEmpty ? [] : [.deleteElements(gone)]) + (part.added.isEmpty ? [] : [.makeElements(made)]))
    }
    return try socket.transact(changes, atMost: most, "change elements of table inet \(table)")
  }

  /// An attribute is at most 64 KiB, and an element with the name of a chain some 300 bytes.
  private static let mostInAMessage = 200

  private static func message(
    _ set: String, _ table: String, _ elements: [ChangePlan.ExactEdit.Element]
  ) -> NetlinkAttributeWriter {
    var message = NetlinkAttributeWriter()
    message.append(1, table)  // NFTA_SET_ELEM_LIST_TABLE
    message.append(2, set)  // NFTA_SET_ELEM_LIST_SET
    message.nest(3) { list in  // NFTA_SET_ELEM_LIST_ELEMENTS
      for element in elements {
        list.nest(1) { item in  // NFTA_LIST_ELEM
          item.nest(1) { $0.append(1, element.key) }  // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
          guard let (code, chain) = element.verdict?.numbers else { return }
          item.nest(2) { data in  // NFTA_SET_ELEM_DATA
            data.nest(2) { verdict in  // NFTA_DATA_VERDICT
              verdict.append(1, withUnsafeBytes(of: code.bigEndian) { Array($0) })  // NFTA_VERDICT_CODE
              if let chain { verdict.append(2, chain) }  // NFTA_VERDICT_CHAIN
            }
          }
        }
      }
    }
    return message
  }
}
