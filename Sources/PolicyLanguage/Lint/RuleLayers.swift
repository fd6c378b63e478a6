import PacketSpace

/// A rule by where it stands in the policy.
struct RulePlace: Hashable, Sendable {
  var group: Int
  var direction: Direction
  var index: Int
}

/// What may decide a packet at one end, one thing at a time: steps 0 to 2 of the language's §7. The stronger stand first.
struct RuleLayer: Sendable {
  enum Origin: Hashable, Sendable {
    case exempt
    case intraGroup(Int)
    case rule(RulePlace)
  }

  var origin: Origin
  var action: Action
  /// The smaller decides before the larger; of equals each says the same. -2 for exemptions, -1 for the intra-group step.
  var rank: Int
  /// The packets that it decides where nothing stronger does.
  var boxes: [PacketBox]

  var place: RulePlace? {
    if case .rule(let place) = origin { place } else { nil }
  }
}

/// What decides the packets that were asked about.
struct Deciders {
  /// Indices of layers, ascending.
  var layers: [Int]
  /// Whether some of the packets are decided by no layer, but by the default.
  var includesDefault: Bool
  let diagram: Diagram
  let store: DiagramStore

  /// A new flow's first packet that a layer decides, or the default for nil.
  func witness(_ layer: Int?) -> Packet? { store.witness(diagram, Deciders.label(layer), endsDiffer: true) }

  /// The packets that a layer decides.
  func boxes(_ layer: Int?) -> [PacketBox] {
    var result: [PacketBox] = []
    store.forEachBox(diagram, Deciders.label(layer)) { box in
      result.append(box)
      return true
    }
    return result
  }

  fileprivate static func label(_ layer: Int?) -> Int { layer.map { $0 + 2 } ?? 1 }
}

extension [RuleLayer] {
  /// What decides the packets of `focus` where these layers, the first the strongest, stand above a default.
  ///
  /// Only the layers that meet `focus` become part of a diagram, so the time is that of the few rules which have to do with it.
  func deciders(of focus: [PacketBox], without left: Int? = nil) throws(DiagramBudgetExceeded) -> Deciders {
    var store = DiagramStore(budget: 500_000)
    var result = Diagram.leaf(Deciders.label(nil))
    for index in indices.reversed() where index != left && self[index].boxes.meets(focus) {
      let top = Diagram.leaf(Deciders.label(index))
      for box in self[index].boxes { result = try store.overlay(box, top, on: result) }
    }
    let outside = 0
    let everything = result
    result = .leaf(outside)
    for box in focus { result = try store.overlay(box, everything, on: result) }
    var seen: Set<Diagram> = []
    var waiting = [result]
    var labels: Set<Int> = []
    while let next = waiting.popLast() {
      if let decision = next.decision {
        labels.insert(decision)
      } else if seen.insert(next).inserted {
        waiting += store.edges(next)!.edges.map(\.child)
      }
    }
    return Deciders(
      layers: labels.filter { $0 >= 2 }.map { $0 - 2 }.sorted(), includesDefault: labels.contains(Deciders.label(nil)),
      diagram: result, store: store)
  }
}

// MARK: - Boxes

extension [PacketBox] {
  /// Whether a packet is in both.
  func meets(_ other: [PacketBox]) -> Bool { contains { a in other.contains { a.meets($0) } } }

  /// The packets of these boxes that can begin a flow, as far as what is behind the IP header tells: what connection tracking calls
  /// invalid asks no rule. Families are 4 and 6, and tcp, udp and sctp have both ports.
  var beginningFlows: [PacketBox] {
    let withPorts = IntervalSet([IPProtocol.tcp, .udp, .sctp].map { Interval(UInt128($0.rawValue)) })
    let others = IntervalSet([Interval(0, 0xFF)]).subtracting(withPorts)
    let words = IntervalSet([Interval(0, 0xFFFF)])
    return flatMap { box in
      let real = box.narrowed(.family, to: IntervalSet([Interval(4), Interval(6)]))
      return [
        real.narrowed(.ipProtocol, to: withPorts).narrowed(.secondWord, to: words).narrowed(.firstWord, to: words),
        real.narrowed(.ipProtocol, to: others),
      ].filter { !$0.isEmpty }
    }
  }
}

extension PacketBox {
  /// Whether a packet is in both.
  func meets(_ other: PacketBox) -> Bool {
    if isEmpty || other.isEmpty { return false }
    var i = 0
    var j = 0
    while i < conditions.count, j < other.conditions.count {
      if conditions[i].axis < other.conditions[j].axis {
        i += 1
      } else if other.conditions[j].axis < conditions[i].axis {
        j += 1
      } else {
        if !conditions[i].values.meets(other.conditions[j].values) { return false }
        i += 1
        j += 1
      }
    }
    return true
  }
}

extension IntervalSet {
  /// Whether a value is in both: the smaller set's intervals are looked up in the larger.
  func meets(_ other: IntervalSet) -> Bool {
    let (few, many) = intervals.count <= other.intervals.count ? (intervals, other.intervals) : (other.intervals, intervals)
    return few.contains { interval in
      var low = 0
      var high = many.count
      while low < high {
        let middle = (low + high) / 2
        if many[middle].upper < interval.lower { low = middle + 1 } else { high = middle }
      }
      return low < many.count && many[low].lower <= interval.upper
    }
  }
}
