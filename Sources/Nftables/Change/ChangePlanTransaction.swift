import PacketSpace

extension ChangePlan {
  /// What the kernel does at once.
  public enum Transaction: Sendable {
    /// Deletes the table and makes it anew.
    case replacement(Ruleset)
    case edit(Edit)
  }

  /// What a transaction is for.
  public enum Phase: String, Sendable, CaseIterable {
    /// Takes away what nothing led to, of an apply that didn't come to its end.
    case clear
    /// Makes what nothing leads to yet.
    case add
    /// Changes elements of sets and maps that stand.
    case elements
    /// Changes rules, all at one moment.
    case `switch`
    /// Takes away what nothing leads to any more.
    case delete
  }

  /// A transaction within the table, in the order in which its parts are written.
  public struct Edit: Sendable {
    public struct Removal: Sendable {
      public var set: String
      public var types: [DataType]
      public var isInterval: Bool
      public var keys: Elements
    }

    public var phase: Phase
    /// Chains that lose all their rules.
    public var flushed: [String] = []
    /// Elements of sets and maps.
    public var removed: [Removal] = []
    /// What is made: rules and elements go behind those that are there, where there is such a chain, set or map already, and a
    /// chain that is there takes the policy.
    public var added: Ruleset
    public var deletedMaps: [String] = []
    public var deletedSets: [String] = []
    public var deletedChains: [String] = []
    public var deletedLimits: [String] = []

    init(_ phase: Phase, table: String) {
      self.phase = phase
      added = Ruleset(tableName: table)
    }

    public var isEmpty: Bool {
      flushed.isEmpty && removed.isEmpty && !addsSomething && deletedMaps.isEmpty && deletedSets.isEmpty
        && deletedChains.isEmpty && deletedLimits.isEmpty
    }

    var addsSomething: Bool {
      !(added.chains.isEmpty && added.sets.isEmpty && added.maps.isEmpty && added.limits.isEmpty)
    }

    /// Deletes these objects of `ruleset`.
    mutating func delete(_ names: Set<ObjectName>, of ruleset: Ruleset) {
      for chain in ruleset.chains where names.contains(.chain(chain.name)) {
        if !chain.rules.isEmpty { flushed.append(chain.name) }
        deletedChains.append(chain.name)
      }
      deletedMaps += ruleset.maps.map(\.name).filter { names.contains(.set($0)) }
      deletedSets += ruleset.sets.map(\.name).filter { names.contains(.set($0)) }
      deletedLimits += ruleset.limits.map(\.name).filter { names.contains(.limit($0)) }
    }
  }
}

extension ChangePlan.Transaction {
  /// `replace`, or the phase.
  public var name: String {
    switch self {
    case .replacement: "replace"
    case .edit(let edit): edit.phase.rawValue
    }
  }

  /// The transaction as `nft -f` takes it. Traps where elements go: there is no good form for that (`TextWriter`).
  public var text: [UInt8] {
    switch self {
    case .replacement(let ruleset): TextWriter.write(ruleset)
    case .edit(let edit): TextWriter.write(edit)
    }
  }

  /// The objects that it makes or changes.
  var touched: Set<ObjectName> {
    switch self {
    case .replacement(let ruleset): ruleset.objects
    case .edit(let edit):
      Set(edit.flushed.map { .chain($0) } + edit.removed.map { .set($0.set) }).union(edit.added.objects)
    }
  }

  /// What the table is behind the transaction: a model of what the kernel does, to judge the states in between.
  public func applied(to ruleset: Ruleset) -> Ruleset {
    switch self {
    case .replacement(let planned): planned
    case .edit(let edit): edit.applied(to: ruleset)
    }
  }
}

extension ChangePlan.Edit {
  func applied(to ruleset: Ruleset) -> Ruleset {
    var result = ruleset
    let flushed = Set(self.flushed)
    if !flushed.isEmpty {
      for index in result.chains.indices where flushed.contains(result.chains[index].name) { result.chains[index].rules = [] }
    }
    for removal in removed {
      if let index = result.sets.firstIndex(where: { $0.name == removal.set }) {
        result.sets[index].elements = result.sets[index].elements.removing(removal.keys)
      } else if let index = result.maps.firstIndex(where: { $0.name == removal.set }) {
        result.maps[index].elements = result.maps[index].elements.removing(removal.keys)
      }
    }
    result.limits += added.limits
    for set in added.sets {
      if let index = result.sets.firstIndex(where: { $0.name == set.name }) {
        for element in 0..<set.elements.count { result.sets[index].elements.append(contentsOf: set.elements[element]) }
      } else {
        result.sets.append(set)
      }
    }
    for map in added.maps {
      if let index = result.maps.firstIndex(where: { $0.name == map.name }) {
        for element in 0..<map.elements.count {
          result.maps[index].elements.append(
            contentsOf: map.elements.keys[element], verdict: map.elements.verdicts[element])
        }
      } else {
        result.maps.append(map)
      }
    }
    let places =
      added.chains.isEmpty ? [:] : Dictionary(result.chains.enumerated().map { ($1.name, $0) }) { first, _ in first }
    for chain in added.chains {
      if let index = places[chain.name] {
        result.chains[index].rules += chain.rules
        if let base = chain.base { result.chains[index].base = base }
      } else {
        result.chains.append(chain)
      }
    }
    let (maps, sets, chains) = (Set(deletedMaps), Set(deletedSets), Set(deletedChains))
    if !maps.isEmpty { result.maps.removeAll { maps.contains($0.name) } }
    if !sets.isEmpty { result.sets.removeAll { sets.contains($0.name) } }
    if !chains.isEmpty { result.chains.removeAll { chains.contains($0.name) } }
    result.limits.removeAll { deletedLimits.contains($0.name) }
    return result
  }
}

extension Elements {
  /// Each element whole, for sets of elements.
  var keys: [[Interval]] { (0..<count).map { Array(self[$0]) } }

  fileprivate func removing(_ others: Elements) -> Elements {
    let gone = Set(others.keys)
    return Elements(stride: stride, keys.filter { !gone.contains($0) }.flatMap { $0 })
  }
}

extension VerdictElements {
  fileprivate func removing(_ others: Elements) -> VerdictElements {
    let gone = Set(others.keys)
    var result = VerdictElements(stride: keys.stride)
    for (index, key) in keys.keys.enumerated() where !gone.contains(key) {
      result.append(contentsOf: key, verdict: verdicts[index])
    }
    return result
  }
}
