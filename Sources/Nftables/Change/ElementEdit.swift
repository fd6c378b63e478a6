import PacketSpace

extension ChangePlan {
  /// What goes and comes of a set or map of addresses, which the kernel changes an element at a time.
  public struct ElementEdit: Sendable {
    public struct Element: Sendable {
      /// The address, or an interval's first one; 4 or 16 bytes, the highest first.
      public var key: [UInt8]
      /// Of an interval the first address behind it; nil also where it goes on to the end of the addresses.
      public var end: [UInt8]?
      /// Of what comes to a map.
      public var verdict: Verdict?
    }

    public var set: String
    public var isInterval = false
    /// These go before the others come.
    public var removed: [Element] = []
    public var added: [Element] = []

    /// The same in parts of at most `count` elements each way.
    ///
    /// Of single addresses each part may be a transaction of its own: what goes and comes again with another verdict does so in one
    /// of them. Of intervals they belong to one transaction, since what goes makes room for what comes.
    public func parts(of count: Int) -> [ElementEdit] {
      if isInterval { return parts(removed, [], of: count) + parts([], added, of: count) }
      let again = Set(added.lazy.map(\.key)).intersection(removed.lazy.map(\.key))
      // the same keys at the same places of both
      let gone = removed.filter { again.contains($0.key) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      let back = added.filter { again.contains($0.key) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      return parts(
        gone + removed.filter { !again.contains($0.key) }, back + added.filter { !again.contains($0.key) }, of: count)
    }

    private func parts(_ removed: [Element], _ added: [Element], of count: Int) -> [ElementEdit] {
      stride(from: 0, to: max(removed.count, added.count), by: count).map { start in
        ElementEdit(
          set: set, isInterval: isInterval, removed: Array(removed.dropFirst(start).prefix(count)),
          added: Array(added.dropFirst(start).prefix(count)))
      }
    }
  }
}

extension ChangePlan {
  /// What it does to those sets and maps of addresses to which it does nothing else.
  public var elementEdits: [ElementEdit] {
    var edits: [String: ElementEdit] = [:]
    var others: Set<ObjectName> = []
    for transaction in transactions {
      guard case .edit(var edit) = transaction, edit.phase == .elements else {
        others.formUnion(transaction.touched)
        continue
      }
      for own in edit.takeElementEdits() {
        if edits.updateValue(own, forKey: own.set) != nil { others.insert(.set(own.set)) }
      }
      others.formUnion(Transaction.edit(edit).touched)
    }
    return edits.values.filter { !others.contains(.set($0.set)) }.sorted { $0.set < $1.set }
  }
}

extension ChangePlan.Edit {
  /// Takes out what it does to elements of sets and maps of addresses. They may as well be edited in front of all else:
  /// `ElementProof` allows any order.
  public mutating func takeElementEdits() -> [ChangePlan.ElementEdit] {
    guard phase == .elements else { return [] }
    var edits: [String: ChangePlan.ElementEdit] = [:]
    /// How many bytes its addresses have; nil of what isn't taken.
    func take(_ set: String, _ types: [DataType], _ isInterval: Bool) -> Int? {
      if types != [.ipv4Address] && types != [.ipv6Address] { return nil }
      if edits[set] == nil { edits[set] = .init(set: set, isInterval: isInterval) }
      return types == [.ipv4Address] ? 4 : 16
    }
    func element(
      _ key: Interval, _ width: Int, _ isInterval: Bool, _ verdict: Verdict? = nil
    ) -> ChangePlan.ElementEdit.Element {
      func bytes(_ address: UInt128) -> [UInt8] {
        (0..<width).reversed().map { UInt8(truncatingIfNeeded: address >> (8 * UInt128($0))) }
      }
      let goesOn = key.upper == UInt128.max >> (128 - 8 * UInt128(width))
      return .init(key: bytes(key.lower), end: isInterval && !goesOn ? bytes(key.upper + 1) : nil, verdict: verdict)
    }
    removed.removeAll { removal in
      guard let width = take(removal.set, removal.types, removal.isInterval) else { return false }
      edits[removal.set]!.removed += removal.keys.intervals.map { element($0, width, removal.isInterval) }
      return true
    }
    added.sets.removeAll { set in
      guard let width = take(set.name, set.types, set.isInterval) else { return false }
      edits[set.name]!.added += set.elements.intervals.map { element($0, width, set.isInterval) }
      return true
    }
    added.maps.removeAll { map in
      guard let width = take(map.name, map.types, map.isInterval) else { return false }
      edits[map.name]!.added += zip(map.elements.keys.intervals, map.elements.verdicts).map {
        element($0, width, map.isInterval, $1)
      }
      return true
    }
    return edits.values.sorted { $0.set < $1.set }
  }
}
