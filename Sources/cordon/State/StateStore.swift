import Nftables
import NftablesKernel

/// The states of one table in one network namespace, held by this process alone as long as the value lives.
///
/// The folder holds `index`, the texts that it names, and the lock. A change to the kernel is written ahead: what is to be the
/// index stands in `next`, on the disk with its text before the kernel is touched, and is renamed when the kernel has taken it.
/// So a state that can't be kept is never applied, and a `next` that was left tells of a change that broke off: what the kernel
/// holds decides what became of it.
struct StateStore: ~Copyable {
  private static let indexName = "index"
  private static let nextName = "next"

  let folder: StateFolder
  private let lock: StateLock
  private(set) var index: StateIndex?

  /// - Parameter seconds: how long to wait for another process that changes the table; nil waits as long as it takes.
  init(_ folder: StateFolder, waiting seconds: Int?) throws {
    try folder.make()
    let lock = try StateLock(folder, waiting: seconds)
    let index = try StateStore.index(folder)
    self.folder = folder
    self.lock = lock
    self.index = index
  }

  /// What is recorded, read beside whoever has the lock; nil where nothing is.
  static func index(_ folder: StateFolder) throws -> StateIndex? { try read(indexName, folder) }

  /// Something that awaits confirmation, written ahead or done.
  static func pending(_ folder: StateFolder) throws -> StateIndex.Pending? {
    try read(nextName, folder)?.pending ?? read(indexName, folder)?.pending
  }

  /// What the index is to be when a change is done that broke off, or is under way now.
  static func unfinished(_ folder: StateFolder) throws -> StateIndex? { try read(nextName, folder) }

  private static func read(_ name: String, _ folder: StateFolder) throws -> StateIndex? {
    guard let bytes = try folder.read(name) else { return nil }
    var index = try StateIndex(bytes, path: folder.path(of: name))
    // what nobody confirmed didn't survive the boot, nor the namespace
    let here = try (boot: NetworkNamespace.boot(), namespace: NetworkNamespace.number())
    if let pending = index.pending, pending.boot != here.boot || pending.namespace != here.namespace {
      index.pending = nil
      index.current = index.confirmed
      index.undone = StateIndex.Undone(state: pending.state, time: pending.deadline)
    }
    return index
  }

  // MARK: - What is kept

  /// The text of a state, as it was applied; nil where it is that there is no table.
  static func text(_ state: AppliedState, _ folder: StateFolder) throws -> HashedText? {
    guard let digest = state.sha256 else { return nil }
    guard let text = try folder.read(state.fileName).map({ HashedText($0) }), text.sha256 == digest else {
      throw Refusal(
        "\(folder.path(of: state.fileName)), the ruleset of state \(state.number), is missing or damaged\n"
          + "help: go to another state with `cordon rollback --to`, or compile and apply the policy again")
    }
    return text
  }

  /// How the kernel's table differs from what was last put into force; nil where it doesn't.
  static func difference(_ index: StateIndex, _ folder: StateFolder, _ kernel: inout Kernel) throws -> RulesetDifference? {
    guard let state = index.currentState else { return nil }
    if let generation = index.generation, generation == (try StateStore.generation(kernel)) { return nil }
    return try difference(state, folder, &kernel)
  }

  private static func difference(
    _ state: AppliedState, _ folder: StateFolder, _ kernel: inout Kernel
  ) throws -> RulesetDifference? {
    let live = try LiveTable.read(kernel, folder.table)
    // what was found may hold anything: it is listed in another process, as what is live is
    let kept = try text(state, folder) == nil ? nil : LiveTable.read(file: folder.path(of: state.fileName), table: folder.table)
    if live == nil && kept == nil { return nil }
    let difference = RulesetDifference.compare(live: live, planned: kept ?? Ruleset(tableName: folder.table))
    return difference.isEmpty ? nil : difference
  }

  static func generation(_ kernel: borrowing Kernel) throws -> StateIndex.Generation {
    try generation(kernel.generation())
  }

  private static func generation(_ number: UInt32) throws -> StateIndex.Generation {
    StateIndex.Generation(number: number, boot: try NetworkNamespace.boot(), namespace: try NetworkNamespace.number())
  }

  // MARK: - Changes

  /// Settles a change that broke off: where the kernel has what was planned, it was done; where it has what was before, it wasn't.
  /// What is neither stays written ahead, for `cordon status` and for the guard, until something else is put into force.
  private mutating func recover(_ kernel: inout Kernel) throws {
    guard let next = try StateStore.unfinished(folder) else { return }
    if isInForce(next.currentState, &kernel) {
      try folder.rename(StateStore.nextName, to: StateStore.indexName)
      index = next
    } else if isInForce(index?.currentState, &kernel) || isInForce(next.state(next.currentState?.previous), &kernel) {
      folder.remove(StateStore.nextName)
    }
  }

  /// Whether the kernel's table is what a state is; what can't be found out isn't so.
  private func isInForce(_ state: AppliedState?, _ kernel: inout Kernel) -> Bool {
    guard let state else { return false }
    do { return try StateStore.difference(state, folder, &kernel) == nil } catch { return false }
  }

  /// What was to be confirmed and broke off is undone, and nothing else is done before.
  private func checkNothingBrokeOff() throws {
    guard let pending = try StateStore.unfinished(folder)?.pending else { return }
    throw Refusal(
      "the apply of state \(pending.state) to table inet \(folder.table) broke off, and is undone at \(Clock.text(pending.deadline))\n"
        + "help: run `cordon rollback` to undo it now, and then try again")
  }

  /// Changes the kernel's table, and records it.
  ///
  /// - Parameters:
  ///   - new: what the table is to be.
  ///   - seconds: undone after that time unless it is confirmed; nil is to stay.
  ///   - change: makes the kernel hold the text, whole, or throws and leaves it as it was. It returns the kernel's generation
  ///     before the table was read back, or nil where it holds what means the same.
  /// - Returns: what awaits confirmation.
  mutating func record(
    _ new: NewState, confirmWithin seconds: Int?, _ kernel: inout Kernel,
    _ change: (inout Kernel) throws -> UInt32?
  ) throws -> StateIndex.Pending? {
    try recover(&kernel)
    try checkNothingBrokeOff()
    if let pending = index?.pending {
      throw Refusal(
        "state \(pending.state) of table inet \(folder.table) waits to be confirmed\n"
          + "help: run `cordon confirm` to keep it or `cordon rollback` to undo it, and then try again")
    }
    var next = try indexOfLive(&kernel)
    var state = AppliedState(
      number: next.nextNumber, origin: .applied, time: Clock.now, policies: new.policies, host: new.host,
      observes: new.observes, cordon: Cordon.version, sha256: new.text.sha256, isConfirmed: seconds == nil,
      previous: next.current)
    if let current = next.currentState, current.sha256 == state.sha256 {
      // the same again: where it comes from is new, and there is nothing to go back to or to confirm
      (state.number, state.previous, state.isConfirmed) = (current.number, current.previous, true)
      next.modify(current.number) { $0 = state }
      next.confirmed = current.number
    } else {
      next.states.append(state)
      next.current = state.number
      if let seconds {
        next.pending = try StateIndex.Pending(state: state.number, previous: state.previous!, within: seconds)
      } else {
        next.confirmed = state.number
      }
    }
    next.undone = nil
    let folder = folder
    if try new.file.map({ try folder.link($0, as: state.fileName) }) != true {
      try folder.write(new.text.bytes, to: state.fileName)
    }
    try carry(&next, &kernel) { kernel, pending in
      if let pending { try Guard.start(pending, folder, within: seconds ?? 0) }
      return try change(&kernel)
    }
    return index?.pending
  }

  /// Writes `next` ahead, makes the change and makes it the index. A change that isn't made is settled as one that broke off.
  private mutating func carry(
    _ next: inout StateIndex, _ kernel: inout Kernel, _ change: (inout Kernel, StateIndex.Pending?) throws -> UInt32?
  ) throws {
    // who may not even ask the kernel writes nothing ahead
    _ = try kernel.generation()
    next.prune()
    next.generation = nil
    try folder.write(next.bytes, to: StateStore.nextName)
    do {
      next.generation = try change(&kernel, next.pending).map(StateStore.generation)
    } catch {
      try? recover(&kernel)
      guard let pending = (try? StateStore.unfinished(folder))?.pending else { throw error }
      throw Refusal(error, and: "state \(pending.state) is undone at \(Clock.text(pending.deadline))")
    }
    next.pending?.restart()
    // what stands in `next` is true already, and will do where the disk has become full
    try? folder.write(next.bytes, to: StateStore.nextName)
    try folder.rename(StateStore.nextName, to: StateStore.indexName)
    let gone = Set((index?.states ?? []).map(\.number)).subtracting(next.states.map(\.number))
    for number in gone { folder.remove("\(number).nft") }
    index = next
  }

  /// The index with the state that is in force now as its current one: where it isn't known yet, it is kept.
  private func indexOfLive(_ kernel: inout Kernel) throws -> StateIndex {
    if let index, try StateStore.difference(index, folder, &kernel) == nil { return index }
    let text = try kernel.text(of: folder.table)
    let found = AppliedState(
      number: index?.nextNumber ?? 1, origin: .found, time: Clock.now, policies: [], observes: false, cordon: Cordon.version,
      sha256: text.map { SHA256.hex($0) }, isConfirmed: true, previous: index?.current)
    if let text { try folder.write(text, to: found.fileName) }
    guard var index else { return StateIndex(first: found) }
    index.states.append(found)
    index.current = found.number
    return index
  }

  /// Lets what awaits confirmation stay; nil where nothing does.
  mutating func confirm(_ kernel: inout Kernel) throws -> AppliedState? {
    try recover(&kernel)
    try checkNothingBrokeOff()
    guard var next = index, let pending = next.pending else { return nil }
    next.pending = nil
    next.confirmed = pending.state
    next.modify(pending.state) { $0.isConfirmed = true }
    try folder.write(next.bytes, to: StateStore.indexName)
    index = next
    return next.state(pending.state)
  }

  /// Puts a state into force that is kept, for good.
  ///
  /// - Parameters:
  ///   - isUndoing: whether to go back from an apply that broke off, where there is one, and not from what was in force before.
  ///   - choice: which; from what the states are.
  mutating func goBack(
    _ kernel: inout Kernel, isUndoing: Bool, to choice: (StateIndex) throws -> AppliedState
  ) throws -> AppliedState {
    try recover(&kernel)
    var brokenOff = isUndoing ? try StateStore.unfinished(folder) : nil
    if let state = brokenOff?.current, index?.state(state) != nil { brokenOff = nil }  // it went back itself
    guard var next = brokenOff ?? index else {
      throw Refusal("nothing was applied to table inet \(folder.table) here, so there is nothing to go back to")
    }
    let state = try choice(next)
    (next.current, next.confirmed, next.pending, next.undone) = (state.number, state.number, nil, nil)
    next.modify(state.number) { $0.isConfirmed = true }
    let folder = folder
    try carry(&next, &kernel) { kernel, _ in try StateStore.load(state, folder, &kernel) }
    return state
  }

  /// Undoes what `token` stands for, where its time has come and nobody confirmed it.
  ///
  /// - Parameter isEarly: undo it now.
  /// - Returns: whether that is settled.
  mutating func undo(token: String, isEarly: Bool, _ kernel: inout Kernel) throws -> Bool {
    // a `next` is of a process that died: whatever it did, what was before comes back
    let left = try StateStore.read(StateStore.nextName, folder)
    guard var next = [left, index].compactMap({ $0 }).first(where: { $0.pending?.token == token }), let pending = next.pending
    else { return true }
    guard isEarly || pending.isOver else { return false }
    guard let state = next.state(pending.previous) else { return true }
    let generation = try StateStore.load(state, folder, &kernel)
    next.current = state.number
    next.pending = nil
    next.undone = StateIndex.Undone(state: pending.state, time: Clock.now)
    next.generation = try generation.map(StateStore.generation)
    try folder.write(next.bytes, to: StateStore.indexName)
    folder.remove(StateStore.nextName)
    index = next
    return true
  }

  /// Makes the kernel's table what a state is.
  ///
  /// In phases, where that can be; else whole. To go back is the way out, so nothing but the kernel's own refusal of the kept text is
  /// in its way: not a table that can't be listed, nor a process that may not make a namespace to read the text in.
  ///
  /// - Returns: the generation at which that was read back; nil where it wasn't.
  private static func load(_ state: AppliedState, _ folder: StateFolder, _ kernel: inout Kernel) throws -> UInt32? {
    let text = try StateStore.text(state, folder)
    try kernel.claim(table: folder.table)
    guard let text else {
      if try kernel.ownership(of: folder.table) != .absent { try kernel.delete(table: folder.table) }
      return nil
    }
    if try kernel.ownership(of: folder.table) == .ours {
      do {
        // what was found may hold what Cordon can't write
        if let planned = try LiveTable.read(file: folder.path(of: state.fileName), table: folder.table), planned.isFullyKnown {
          return try Enforcement.plan(planned, replacing: false, adopting: false, &kernel).enforcement.carryOut(&kernel)
        }
      } catch {
        Terminal.say("note: the table is loaded whole, and not changed in phases: \(error)\n")
      }
    }
    try kernel.apply(text.bytes)
    return nil
  }
}

/// A ruleset that is to become a state, and where it comes from.
struct NewState: Sendable {
  var text: HashedText
  /// The text on the disk, where it could be written ahead.
  var file: StateFolder.UnnamedFile?
  var policies: [AppliedState.PolicyFile]
  var host: String?
  var observes: Bool
}
