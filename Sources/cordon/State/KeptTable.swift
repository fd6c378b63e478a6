import Nftables
import NftablesKernel

/// The text of the state that is in force, as it is kept.
struct KeptTable: Sendable {
  private let state: AppliedState
  let text: HashedText
  private let objects: TextObjects?

  /// Nil where nothing is kept, or not what was applied.
  init?(_ folder: StateFolder) throws {
    guard let state = try StateStore.index(folder)?.currentState else { return nil }
    try self.init(state, folder)
  }

  private init?(_ state: AppliedState, _ folder: StateFolder) throws {
    // another version may have written what this one doesn't know
    guard state.origin == .applied, state.cordon == Cordon.version, let text = try StateStore.text(state, folder) else {
      return nil
    }
    self.state = state
    self.text = text
    objects = TextObjects(text.bytes)
  }

  /// The kernel's table from what is kept of it, without listing it: where no generation has come since it was read back. Nil where
  /// it must be listed.
  ///
  /// - Parameters:
  ///   - folder: where it is kept.
  ///   - ahead: what was read before it was sure that it is in force still.
  ///   - planned: a table with which it has most in common.
  ///   - text: the planned table's.
  static func inForce(
    _ folder: StateFolder, readAhead ahead: KeptTable? = nil, beside planned: Ruleset, text: [UInt8],
    _ kernel: borrowing Kernel
  ) throws -> Ruleset? {
    guard let index = try StateStore.index(folder), let state = index.currentState,
      index.generation == (try StateStore.generation(kernel))
    else { return nil }
    // a digest says that it is the same text, whichever state it was read for
    guard let kept = try ahead.flatMap({ $0.state.sha256 == state.sha256 ? $0 : nil }) ?? KeptTable(state, folder) else {
      return nil
    }
    if kept.text.bytes == text { return planned }
    // what can't be read so can be listed
    return try? kept.objects?.ruleset(beside: planned, text: text) { excerpt in
      try LiveTable.read(text: excerpt, table: folder.table)
    }
  }
}
