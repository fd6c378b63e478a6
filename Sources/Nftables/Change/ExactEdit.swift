import PacketSpace

extension ChangePlan {
  /// What goes and comes of a set or map of addresses without intervals, which the kernel changes an element at a time.
  public struct ExactEdit: Sendable {
    public struct Element: Sendable {
      /// The address, 4 or 16 bytes, the highest first.
      public var key: [UInt8]
      /// Of what comes to a map.
      public var verdict: Verdict?
    }

    public var set: String
    /// These go before the others come.
    public var removed: [Element] = []
    public var added: [Element] = []

    /// The same in parts of at most `count` elements each way: what goes and comes again with another verdict does so in one part.
    public func parts(of count: Int) -> [ExactEdit] {
      let again = Set(added.lazy.map(\.key)).intersection(removed.lazy.map(\.key))
      // the same keys at the same places of both
      let gone = removed.filter { again.contains($0.key) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      let back = added.filter { again.contains($0.key) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      let (removed, added) = (
        gone + removed.filter { !again.contains($0.key) }, back + added.filter { !again.contains($0.key) }
      )
      return stride(from: 0, to: max(removed.count, added.count), by: count).map { start in
        ExactEdit(
          set: set, removed: Array(removed.dropFirst(start).prefix(count)), added: Array(added.dropFirst(start).prefix(count)))
      }
    }
  }
}

extension ChangePlan {
  /// What it does to those sets and maps of addresses without intervals to which it does nothing else.
  public var exactEdits: [ExactEdit] {
    var edits: [String: ExactEdit] = [:]
    var others: Set<ObjectName> = []
    for transaction in transactions {
      guard case .edit(var edit) = transaction, edit.phase == .elements else {
        others.formUnion(transaction.touched)
        continue
      }
      for exact in edit.takeExactEdits() {
        if edits.updateValue(exact, forKey: exact.set) != nil { others.insert(.set(exact.set)) }
      }
      others.formUnion(Transaction.edit(edit).touched)
    }
    return edits.values.filter { !others.contains(.set($0.set)) }.sorted { $0.set < $1.set }
  }
}

extension ChangePlan.Edit {
  /// Takes out what it does to elements of sets and maps of addresses without intervals. They may as well be edited in front of all
  /// else: `ElementProof` allows any order.
  public mutating func takeExactEdits() -> [ChangePlan.ExactEdit] {
    guard phase == .elements else { return [] }
    var edits: [String: ChangePlan.ExactEdit] = [:]
    func take(_ set: String, _ types: [DataType], _ isInterval: Bool) -> Int? {
      if isInterval || types != [.ipv4Address] && types != [.ipv6Address] { return nil }
      if edits[set] == nil { edits[set] = .init(set: set) }
      return types == [.ipv4Address] ? 4 : 16
    }
    func element(_ key: Interval, _ width: Int, _ verdict: Verdict? = nil) -> ChangePlan.ExactEdit.Element {
      .init(key: (0..<width).reversed().map { UInt8(truncatingIfNeeded: key.lower >> (8 * UInt128($0))) }, verdict: verdict)
    }
    removed.removeAll { removal in
      guard let width = take(removal.set, removal.types, removal.isInterval) else { return false }
      edits[removal.set]!.removed += removal.keys.intervals.map { element($0, width) }
      return true
    }
    added.sets.removeAll { set in
      guard let width = take(set.name, set.types, set.isInterval) else { return false }
      edits[set.name]!.added += set.elements.intervals.map { element($0, width) }
      return true
    }
    added.maps.removeAll { map in
      guard let width = take(map.name, map.types, map.isInterval) else { return false }
      edits[map.name]!.added += zip(map.elements.keys.intervals, map.elements.verdicts).map { element($0, width, $1) }
      return true
    }
    return edits.values.sorted { $0.set < $1.set }
  }
}
