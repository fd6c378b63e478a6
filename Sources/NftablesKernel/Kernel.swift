import Glibc
import Nftables

/// nftables of the network namespace in which the calling thread stood when this was made.
///
/// All tables are of family `inet`. No call reads or changes any table but the one it names, or, for `check` and `apply`,
/// those that the text names. A call that failed leaves this fit for the next.
public struct Kernel: ~Copyable {
  let socket: NetfilterSocket
  private var context: NftContext

  /// - Throws: `KernelError` where the process gets no netlink socket.
  public init() throws(KernelError) {
    let socket = try NetfilterSocket()
    let context = try NftContext()
    self.socket = socket
    self.context = context
  }

  /// Asks libnftables and the kernel whether they would take a ruleset, and changes nothing: `nft -c -f`.
  public mutating func check(_ text: [UInt8]) throws(KernelError) {
    try run(text, operation: "check the ruleset", isDryRun: true)
  }

  /// Loads a ruleset in one transaction: `nft -f`. On an error nothing is changed.
  public mutating func apply(_ text: [UInt8]) throws(KernelError) {
    try run(text, operation: "load the ruleset")
  }

  /// The table as JSON, `nft -j list table inet NAME`, or nil where there is none.
  ///
  /// It is as libnftables gives it, but of a table that has flags nothing is listed: what is returned breaks off behind
  /// `"flags":`. For such a table version 1.0.6 writes memory that it has freed, and frees it again, which may end the process.
  /// `flags(of:)` has the flags.
  public mutating func list(table: String) throws(KernelError) -> [UInt8]? {
    let operation = "list table inet \(table)"
    guard let flags = try flags(of: table) else { return nil }
    if flags != 0 { return Array(#"{"nftables": [{"table": {"family": "inet", "name": "\#(table)", "flags":"#.utf8) }
    let outcome = try context.run(Array(operation.utf8), output: .json)
    guard outcome.isDone else {
      // somebody else may have deleted it between the two
      if try socket.ask(.table(table), operation) == nil { return nil }
      throw KernelError(operation, libnftables: outcome.error)
    }
    return outcome.output
  }

  /// The table in nft's own words, as a file that loads by itself, once or again; nil where there is no such table.
  public mutating func text(of table: String) throws(KernelError) -> [UInt8]? {
    let operation = "list table inet \(table)"
    guard try socket.ask(.table(try name(table, operation)), operation) != nil else { return nil }
    let outcome = try context.run(Array(operation.utf8), output: .text)
    guard outcome.isDone else { throw KernelError(operation, libnftables: outcome.error) }
    return Array("table inet \(table)\ndelete table inet \(table)\n".utf8) + outcome.output
  }

  /// How often anybody changed any table of this network namespace since the machine started: equal numbers mean that nothing
  /// was changed in between.
  public borrowing func generation() throws(KernelError) -> UInt32 {
    let operation = "ask for the generation of the ruleset"
    guard let value = try socket.ask(.generation, operation)?.number(1) else {  // NFTA_GEN_ID
      throw KernelError(operation, errno: EPROTO)
    }
    return UInt32(truncatingIfNeeded: value)
  }

  /// Deletes the table, whoever's it is; one that isn't there is no error.
  public mutating func delete(table: String) throws(KernelError) {
    let operation = "delete table inet \(table)"
    let name = try name(table, operation)
    try run(Array("table inet \(name)\ndelete table inet \(name)\n".utf8), operation: operation)
  }

  // MARK: - Whose table it is

  /// Whose a table is.
  public enum Ownership: String, Hashable, Sendable, CaseIterable {
    /// There is no such table.
    case absent
    /// It bears Cordon's mark, the chain `Ruleset.ownershipMark`.
    case ours
    /// There is nothing in it.
    case empty
    /// It has content, and no mark.
    case foreign
  }

  /// Whose the table is. Takes two small messages to the kernel, however large it is.
  public borrowing func ownership(of table: String) throws(KernelError) -> Ownership {
    let operation = "ask whose table inet \(table) is"
    guard let attributes = try socket.ask(.table(try name(table, operation)), operation) else { return .absent }
    if try socket.ask(.chain(table: table, name: Ruleset.ownershipMark), operation) != nil { return .ours }
    // NFTA_TABLE_USE counts its chains, sets, objects and flowtables
    return attributes.number(3) == 0 ? .empty : .foreign
  }

  /// Makes sure that the table may be replaced or deleted.
  ///
  /// - Parameter adopting: whether a foreign table may be (`--adopt`).
  /// - Throws: `KernelError` where the table is foreign.
  public borrowing func claim(table: String, adopting: Bool = false) throws(KernelError) {
    guard try ownership(of: table) == .foreign, !adopting else { return }
    throw KernelError(
      "take over table inet \(table)", "it has content that Cordon didn't make",
      help: "give another name with --table, or --adopt to replace it")
  }

  /// The table's flags as the kernel numbers them, 1 for `dormant`, 2 for `owner`; nil where there is no such table.
  public borrowing func flags(of table: String) throws(KernelError) -> UInt32? {
    let operation = "read the flags of table inet \(table)"
    guard let attributes = try socket.ask(.table(try name(table, operation)), operation) else { return nil }
    return UInt32(truncatingIfNeeded: attributes.number(2) ?? 0)  // NFTA_TABLE_FLAGS
  }

  // MARK: - Below

  private mutating func run(_ text: [UInt8], operation: String, isDryRun: Bool = false) throws(KernelError) {
    if text.contains(0) { throw KernelError(operation, "the text has a NUL byte") }
    let outcome = try context.run(text, isDryRun: isDryRun)
    if !outcome.isDone { throw KernelError(operation, libnftables: outcome.error) }
  }

  /// `table` where nft takes it for a name: whatever else stands there would be read as more commands.
  private borrowing func name(_ table: String, _ operation: String) throws(KernelError) -> String {
    if let problem = TableName.problem(table) { throw KernelError(operation, problem) }
    return table
  }
}
