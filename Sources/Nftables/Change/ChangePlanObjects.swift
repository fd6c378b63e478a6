import PacketSpace

/// A named object of a table, as rules and elements speak of it.
public enum ObjectName: Hashable, Sendable {
  case chain(String)
  /// Sets and maps share one space of names.
  case set(String)
  case limit(String)
}

extension Rule {
  /// Calls `body` with every object that the rule speaks of.
  func forEachReference(_ body: (ObjectName) -> Void) {
    for expression in expressions {
      switch expression {
      case .match(let match):
        if case .named(let name) = match.operand { body(.set(name)) }
      case .lookup(let lookup):
        switch lookup.source {
        case .named(let name): body(.set(name))
        case .anonymous(let elements): for verdict in elements.verdicts { verdict.target.map(body) }
        }
      case .verdict(let verdict): verdict.target.map(body)
      case .namedLimit(let name): body(.limit(name))
      case .limit, .log, .counter, .unknown: break
      }
    }
  }

  func speaks(of names: Set<ObjectName>) -> Bool {
    if names.isEmpty { return false }
    var found = false
    forEachReference { found = found || names.contains($0) }
    return found
  }

  /// Whether an in-flight packet may find nothing in a set of the rule's own while the rule is made: such with intervals match
  /// only from the end of the commit on.
  fileprivate var hasLateSet: Bool {
    expressions.contains { expression in
      switch expression {
      case .match(let match):
        if case .anonymous(let elements) = match.operand { elements.hasIntervals } else { false }
      case .lookup(let lookup):
        if case .anonymous(let elements) = lookup.source { elements.keys.hasIntervals } else { false }
      case .verdict, .namedLimit, .limit, .log, .counter, .unknown: false
      }
    }
  }

  /// Whether a packet that is still in the rule may find nothing once the rule is deleted: the elements of a map of its own go
  /// with the commit, while the rule runs on.
  fileprivate var hasAnonymousMap: Bool {
    expressions.contains { expression in
      if case .lookup(let lookup) = expression, case .anonymous = lookup.source { true } else { false }
    }
  }
}

extension Verdict {
  fileprivate var target: ObjectName? {
    switch self {
    case .jump(let name), .goto(let name): .chain(name)
    case .accept, .drop, .return, .continue: nil
    }
  }
}

extension Chain {
  /// Whether its rules can be deleted while packets are in them.
  var canBeFlushed: Bool { !rules.contains(where: \.hasAnonymousMap) }
  /// Whether its rules can be made while packets come to them.
  var canBeFilled: Bool { !rules.contains(where: \.hasLateSet) }

  func speaks(of names: Set<ObjectName>) -> Bool { !names.isEmpty && rules.contains { $0.speaks(of: names) } }
}

extension VerdictMap {
  func speaks(of names: Set<ObjectName>) -> Bool {
    !names.isEmpty && elements.verdicts.contains { verdict in verdict.target.map { names.contains($0) } ?? false }
  }
}

extension Ruleset {
  /// The objects that a packet can come to, base chains first among them.
  var reachable: Set<ObjectName> {
    let index = RulesetIndex(self)
    var result: Set<ObjectName> = []
    var open: [ObjectName] = []
    func reach(_ name: ObjectName) { if result.insert(name).inserted { open.append(name) } }
    for chain in self.chains where chain.base != nil { reach(.chain(chain.name)) }
    while let name = open.popLast() {
      switch name {
      case .chain(let name): for rule in index.chain(name)?.rules ?? [] { rule.forEachReference(reach) }
      case .set(let name): for verdict in index.maps[name]?.elements.verdicts ?? [] { verdict.target.map(reach) }
      case .limit: break
      }
    }
    return result
  }

  /// Every object of the table.
  var objects: Set<ObjectName> {
    Set(
      chains.map { .chain($0.name) } + sets.map { .set($0.name) } + maps.map { .set($0.name) } + limits.map { .limit($0.name) })
  }

  /// These chains, and what they speak of without what is in it: other chains without rules, sets and maps without elements.
  public func excerpt(ofChains names: Set<String>) -> Ruleset {
    var spokenOf: Set<ObjectName> = []
    for chain in chains where names.contains(chain.name) {
      for rule in chain.rules { rule.forEachReference { spokenOf.insert($0) } }
    }
    var result = Ruleset(tableName: tableName)
    result.limits = limits.filter { spokenOf.contains(.limit($0.name)) }
    for var set in sets where spokenOf.contains(.set(set.name)) {
      set.elements = Elements(stride: set.types.count)
      result.sets.append(set)
    }
    for var map in maps where spokenOf.contains(.set(map.name)) {
      map.elements = VerdictElements(stride: map.types.count)
      result.maps.append(map)
    }
    for chain in chains {
      if names.contains(chain.name) {
        result.chains.append(chain)
      } else if spokenOf.contains(.chain(chain.name)) {
        result.chains.append(Chain(chain.name))
      }
    }
    return result
  }

  /// The same table with other names for some of its objects, here and wherever they are spoken of.
  func renaming(_ names: Set<ObjectName>, _ rename: (String) -> String) -> Ruleset {
    if names.isEmpty { return self }
    func new(_ name: String, _ object: (String) -> ObjectName) -> String {
      names.contains(object(name)) ? rename(name) : name
    }
    func new(_ verdict: Verdict) -> Verdict {
      switch verdict {
      case .jump(let name): .jump(new(name, ObjectName.chain))
      case .goto(let name): .goto(new(name, ObjectName.chain))
      case .accept, .drop, .return, .continue: verdict
      }
    }
    func new(_ elements: VerdictElements) -> VerdictElements {
      var result = VerdictElements(stride: elements.keys.stride)
      result.reserveCapacity(elements.count)
      for index in 0..<elements.count {
        result.append(contentsOf: elements.keys[index], verdict: new(elements.verdicts[index]))
      }
      return result
    }
    func new(_ expression: Expression) -> Expression {
      switch expression {
      case .match(var match):
        if case .named(let name) = match.operand { match.operand = .named(new(name, ObjectName.set)) }
        return .match(match)
      case .lookup(var lookup):
        switch lookup.source {
        case .named(let name): lookup.source = .named(new(name, ObjectName.set))
        case .anonymous(let elements): lookup.source = .anonymous(new(elements))
        }
        return .lookup(lookup)
      case .verdict(let verdict): return .verdict(new(verdict))
      case .namedLimit(let name): return .namedLimit(new(name, ObjectName.limit))
      case .limit, .log, .counter, .unknown: return expression
      }
    }
    var result = self
    for index in limits.indices { result.limits[index].name = new(limits[index].name, ObjectName.limit) }
    for index in sets.indices { result.sets[index].name = new(sets[index].name, ObjectName.set) }
    for (index, map) in maps.enumerated() {
      result.maps[index].name = new(map.name, ObjectName.set)
      if map.speaks(of: names) { result.maps[index].elements = new(map.elements) }
    }
    for (index, chain) in chains.enumerated() {
      result.chains[index].name = new(chain.name, ObjectName.chain)
      for (place, rule) in chain.rules.enumerated() where rule.speaks(of: names) {
        result.chains[index].rules[place].expressions = rule.expressions.map(new)
      }
    }
    return result
  }
}
