import Nftables
import PacketSpace

extension Kernel {
  /// Changes elements of sets and maps of addresses: in one transaction where the process may make a socket's send buffer large
  /// enough, as root may; else in several, none of which takes an element away that comes again in a later one.
  ///
  /// libnftables 1.0.6 would read the names of all chains and sets first, and for what goes the elements of all interval sets of
  /// all tables, whoever's they are.
  ///
  /// - Parameter most: how many bytes a transaction may have at most: for tests of smaller buffers.
  /// - Returns: how many transactions it took.
  /// - Throws: `KernelError` where the kernel doesn't take a transaction; those before it stay.
  @discardableResult
  borrowing func change(
    _ edits: [ChangePlan.ElementEdit], of table: String, atMost most: Int = .max
  ) throws(KernelError) -> UInt32 {
    var changes: [[NetfilterSocket.Change]] = []
    for edit in edits {
      if edit.isInterval { try checkCut(of: edit, table) }
      let parts = edit.parts(of: Kernel.mostInAMessage).map { part in
        (part.removed.isEmpty ? [] : [.deleteElements(Kernel.message(part, table, part.removed))])
          + (part.added.isEmpty ? [] : [NetfilterSocket.Change.makeElements(Kernel.message(part, table, part.added))])
      }
      // of intervals in one transaction, whatever it takes
      changes += edit.isInterval ? [parts.flatMap { $0 }] : parts
    }
    return try socket.transact(changes, atMost: most, "change elements of table inet \(table)")
  }

  /// Refuses to take away intervals that aren't there as such: the kernel knows where intervals begin and where they don't go on any
  /// more, and would take a beginning from one and an end from another.
  private borrowing func checkCut(of edit: ChangePlan.ElementEdit, _ table: String) throws(KernelError) {
    guard let width = edit.removed.first?.key.count else { return }
    let operation = "change elements of \(edit.set) in table inet \(table)"
    let found = try elements(of: edit.set, [width == 4 ? .ipv4Address : .ipv6Address], true, table, operation)
    let last = UInt128.max >> (128 - 8 * UInt128(width))
    func number(_ bytes: [UInt8]) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
    let there = Set(found?.keys.intervals ?? [])
    for element in edit.removed {
      if there.contains(Interval(number(element.key), element.end.map { number($0) - 1 } ?? last)) { continue }
      throw KernelError(
        operation, "the kernel has them cut otherwise",
        help: "look at what is there with `cordon status`; `cordon compile --apply --replace` makes the whole table anew")
    }
  }

  /// An attribute is at most 64 KiB, and an interval with the name of a chain some 370 bytes.
  private static let mostInAMessage = 150

  /// NFTA_SET_ELEM_LIST_TABLE, _SET and _ELEMENTS. Of an interval there are two: where it begins, and where it doesn't go on any
  /// more, if its addresses do.
  private static func message(
    _ edit: ChangePlan.ElementEdit, _ table: String, _ elements: [ChangePlan.ElementEdit.Element]
  ) -> NetlinkAttributeWriter {
    var message = NetlinkAttributeWriter()
    message.append(1, table)
    message.append(2, edit.set)
    message.nest(3) { list in
      for element in elements {
        list.nest(1) { item in  // NFTA_LIST_ELEM
          item.nest(1) { $0.append(1, element.key) }  // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
          if let (code, chain) = element.verdict?.numbers {
            item.nest(2) { data in  // NFTA_SET_ELEM_DATA
              data.nest(2) { verdict in  // NFTA_DATA_VERDICT
                verdict.append(1, withUnsafeBytes(of: code.bigEndian) { Array($0) })  // NFTA_VERDICT_CODE
                if let chain { verdict.append(2, chain) }  // NFTA_VERDICT_CHAIN
              }
            }
          }
          if edit.isInterval, element.end == nil { item.append(6, KernelElements.goesOn) }  // NFTA_SET_ELEM_USERDATA
        }
        guard let end = element.end else { continue }
        list.nest(1) { item in
          item.nest(1) { $0.append(1, end) }
          item.append(3, [0, 0, 0, KernelElements.intervalEnd])  // NFTA_SET_ELEM_FLAGS
        }
      }
    }
    return message
  }
}
