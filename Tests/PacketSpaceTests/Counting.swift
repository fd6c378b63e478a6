import PacketSpace

extension PacketBox {
  /// How many points of the axes are in the box: a measure to compare by, since not every point is a packet.
  var count: Double {
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
  func count(_ diagram: Diagram, _ decision: Int) -> Double {
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
