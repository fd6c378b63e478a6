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
