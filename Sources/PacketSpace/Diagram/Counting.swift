extension PacketBox {
  /// How many points of the axes are in the box: a measure to compare by, since not every point is a packet.
  public var count: Double {
    if isEmpty { return 0 }
    return PacketAxis.allCases.reduce(1) { $0 * self[$1].count }
  }
}

extension IntervalSet {
  /// How many values there are.
  fileprivate var count: Double { intervals.reduce(0) { $0 + Double($1.upper - $1.lower) + 1 } }
}

extension DiagramStore {
  /// How many points of the axes `diagram` gives `decision`.
  public func count(_ diagram: Diagram, _ decision: Int) -> Double {
    var known: [Diagram: Double] = [:]
    return count(diagram, decision, from: 0, &known)
  }

  /// The points of the axes from the one of this number on. `known` holds those from a node's own axis on.
  private func count(_ diagram: Diagram, _ decision: Int, from first: Int, _ known: inout [Diagram: Double]) -> Double {
    let axes = PacketAxis.allCases
    guard let (axis, edges) = edges(diagram) else {
      return diagram.decision == decision ? axes[first...].reduce(1) { $0 * (Double($1.maximum) + 1) } : 0
    }
    let own = Int(axis.rawValue)
    let skipped = axes[first..<own].reduce(1) { $0 * (Double($1.maximum) + 1) }
    if let count = known[diagram] { return skipped * count }
    let count = edges.reduce(0) {
      $0 + (Double($1.values.upper - $1.values.lower) + 1) * self.count($1.child, decision, from: own + 1, &known)
    }
    known[diagram] = count
    return skipped * count
  }
}

extension DiagramStore {
  /// The values of an axis with which some packet gets a decision for which `holds`.
  public func values(_ axis: PacketAxis, in diagram: Diagram, where holds: (Int) -> Bool) -> IntervalSet {
    var known: [Diagram: IntervalSet] = [:]
    return values(axis, diagram, holds, &known)
  }

  private func values(
    _ axis: PacketAxis, _ diagram: Diagram, _ holds: (Int) -> Bool, _ known: inout [Diagram: IntervalSet]
  ) -> IntervalSet {
    if let values = known[diagram] { return values }
    guard let (own, edges) = edges(diagram) else {
      return holds(diagram.decision!) ? IntervalSet([Interval(0, axis.maximum)]) : IntervalSet()
    }
    var result: [Interval] = []
    for (interval, child) in edges {
      let values = values(axis, child, holds, &known)
      // behind the axis' own node any value at all is enough
      if own == axis { if !values.isEmpty { result.append(interval) } } else { result += values.intervals }
    }
    known[diagram] = IntervalSet(result)
    return known[diagram]!
  }
}

extension DiagramStore {
  /// Every decision that some point of the axes gets.
  public func decisions(of diagram: Diagram) -> Set<Int> {
    var result: Set<Int> = []
    var known: Set<Diagram> = [diagram]
    var open = [diagram]
    while let next = open.popLast() {
      if let decision = next.decision { result.insert(decision) }
      for (_, child) in edges(next)?.edges ?? [] where known.insert(child).inserted { open.append(child) }
    }
    return result
  }
}
