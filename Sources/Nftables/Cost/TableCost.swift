/// What a table costs to load and to keep, in sum.
public struct TableCost: Sendable {
  public var rules = 0
  public var chains = 0
  /// Named and anonymous, verdict maps among them: the kernel keeps all in one list.
  public var namedSets = 0
  public var anonymousSets = 0
  /// Elements by the kind of their set: in hashes, intervals of one field, concatenated intervals.
  public var exactElements = 0
  public var intervalElements = 0
  public var concatenatedElements = 0

  /// What is past a limit of `CostModel`, in words.
  public private(set) var warnings: [String] = []

  public var sets: Int { namedSets + anonymousSets }

  /// How long `nft -f` takes, about.
  public var loadSeconds: Double {
    CostModel.loadOfRule * Double(rules) + CostModel.load(sets: sets) + CostModel.loadOfExactElement * Double(exactElements)
      + CostModel.loadOfInterval * Double(intervalElements) + CostModel.loadOfConcatenation * Double(concatenatedElements)
  }

  /// How many bytes nft needs for that, about, beside its own.
  public var loadBytes: Double {
    CostModel.memoryOfRule * Double(rules)
      + CostModel.memoryOfElement * Double(exactElements + intervalElements)
      + CostModel.memoryOfConcatenation * Double(concatenatedElements)
  }

  init(_ ruleset: Ruleset) {
    chains = ruleset.chains.count
    namedSets = ruleset.sets.count + ruleset.maps.count
    for set in ruleset.sets { add(set.elements, isInterval: set.isInterval, "set \(set.name)") }
    for map in ruleset.maps { add(map.elements.keys, isInterval: map.isInterval, "map \(map.name)") }
    for chain in ruleset.chains {
      rules += chain.rules.count
      for rule in chain.rules {
        for expression in rule.expressions {
          switch expression {
          case .match(let match):
            guard case .anonymous(let elements) = match.operand, !match.isStateList else { continue }
            // nft makes no set of one value
            if elements.count == 1, elements.stride == 1 { continue }
            anonymousSets += 1
            add(elements, isInterval: elements.hasIntervals, "a set in chain \(chain.name)")
          case .lookup(let lookup):
            guard case .anonymous(let elements) = lookup.source else { continue }
            anonymousSets += 1
            add(elements.keys, isInterval: elements.keys.hasIntervals, "a map in chain \(chain.name)")
          case .verdict, .namedLimit, .limit, .log, .counter, .unknown: continue
          }
        }
      }
    }
    if sets > CostModel.mostSets {
      let tenths = Int((CostModel.load(sets: sets) * 10).rounded())
      warnings.append(
        "\(sets) sets and maps: the kernel finds each by walking all of them, about \(tenths / 10).\(tenths % 10) s of the load"
      )
    }
  }

  private mutating func add(_ elements: Elements, isInterval: Bool, _ name: String) {
    switch SetKind(stride: elements.stride, isInterval: isInterval) {
    case .exact: exactElements += elements.count
    case .intervals: intervalElements += elements.count
    case .concatenated:
      concatenatedElements += elements.count
      if elements.count > CostModel.mostConcatenated {
        warnings.append(
          "\(name) has \(elements.count) concatenated intervals: past \(CostModel.mostConcatenated) a lookup is dear without AVX2"
        )
      }
      let crowd = elements.firstFieldCrowds.most
      if crowd > CostModel.mostCrowded {
        warnings.append(
          "\(name) has \(crowd) concatenated intervals with the same first field: a lookup goes through all of them")
      }
    }
  }
}
