/// A function from packets to decisions, as a node of a `DiagramStore`. Two diagrams of one store are the same function if and
/// only if they are equal.
public struct Diagram: Hashable, Sendable {
  /// An index of a node, or below zero a decision: -1 is decision 0, -2 is decision 1, and so on.
  let id: Int32

  /// The function that decides every packet alike. `decision` is at least 0; what it means is the caller's affair.
  public static func leaf(_ decision: Int) -> Diagram { Diagram(id: -1 - Int32(decision)) }

  /// The one decision, where it doesn't depend on the packet.
  public var decision: Int? { id < 0 ? Int(-1 - id) : nil }
}

/// The store ran over its budget of nodes: the question is too large to be answered in decent memory.
public struct DiagramBudgetExceeded: Error, Sendable {
  public let nodes: Int
}

/// The nodes of ordered, reduced, shared decision diagrams.
///
/// A node asks for one axis; its edges are disjoint intervals that fill the axis, and lead to nodes of later axes or to decisions.
/// No two edges in a row lead to one place, no node has one edge only, no two nodes are alike: so a function has one diagram, and
/// equality is identity. Sources: R. E. Bryant, Graph-Based Algorithms for Boolean Function Manipulation (1986); M. G. Gouda and
/// A. X. Liu, Structured firewall design (2007).
public struct DiagramStore: Sendable {
  private struct Node {
    var axis: PacketAxis
    var firstEdge: Int
    var count: Int
  }

  private var nodes: [Node] = []
  /// The upper ends of all nodes' edges, node by node, ascending; the last of a node is its axis' maximum.
  private var uppers: [UInt128] = []
  private var children: [Int32] = []
  /// Open addressing by the hash of a node's content; -1 is free. Its size is a power of two.
  private var table: [Int32]
  /// Past this many nodes, or eight times as many edges, an operation throws.
  public let budget: Int
  /// Edges of the nodes that are being made, the innermost last: an operation pushes here and pops when it makes its node.
  private var openUppers: [UInt128] = []
  private var openChildren: [Int32] = []
  private var results: OperationCache

  public init(budget: Int = 4_000_000) {
    self.budget = budget
    table = [Int32](repeating: -1, count: 1024)
    results = OperationCache()
  }

  /// How many nodes there are.
  public var count: Int { nodes.count }

  // MARK: - Making nodes

  /// Adds an edge to the node that is being made and whose edges begin at `base`: neighbours that lead to one place are one.
  private mutating func append(_ upper: UInt128, _ child: Int32, from base: Int) {
    if openChildren.count > base, openChildren[openChildren.count - 1] == child {
      openUppers[openUppers.count - 1] = upper
    } else {
      openUppers.append(upper)
      openChildren.append(child)
    }
  }

  /// The node of the edges from `base` on, which are popped.
  private mutating func make(_ axis: PacketAxis, from base: Int) throws(DiagramBudgetExceeded) -> Int32 {
    let count = openChildren.count - base
    defer {
      openUppers.removeLast(count)
      openChildren.removeLast(count)
    }
    if count == 1 { return openChildren[base] }
    let hash = DiagramStore.hash(axis, openUppers, openChildren, base, count)
    var place = Int(truncatingIfNeeded: hash) & (table.count - 1)
    while table[place] >= 0 {
      let node = nodes[Int(table[place])]
      if node.axis == axis, node.count == count, isEqual(node, base) { return table[place] }
      place = (place + 1) & (table.count - 1)
    }
    if nodes.count >= budget || uppers.count >= budget * 8 { throw DiagramBudgetExceeded(nodes: budget) }
    let id = Int32(nodes.count)
    table[place] = id
    nodes.append(Node(axis: axis, firstEdge: uppers.count, count: count))
    uppers.append(contentsOf: openUppers[base...])
    children.append(contentsOf: openChildren[base...])
    if nodes.count * 2 > table.count { rehash() }
    return id
  }

  private func isEqual(_ node: Node, _ base: Int) -> Bool {
    for i in 0..<node.count
    where uppers[node.firstEdge + i] != openUppers[base + i] || children[node.firstEdge + i] != openChildren[base + i] {
      return false
    }
    return true
  }

  private mutating func rehash() {
    table = [Int32](repeating: -1, count: table.count * 2)
    for (id, node) in nodes.enumerated() {
      let hash = DiagramStore.hash(node.axis, uppers, children, node.firstEdge, node.count)
      var place = Int(truncatingIfNeeded: hash) & (table.count - 1)
      while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
      table[place] = Int32(id)
    }
    results.grow(to: table.count)
  }

  private static func hash(
    _ axis: PacketAxis, _ uppers: [UInt128], _ children: [Int32], _ start: Int, _ count: Int
  ) -> UInt64 {
    var hash = UInt64(axis.rawValue) &+ 0x9E37_79B9_7F4A_7C15
    for i in start..<start + count {
      let upper = uppers[i]
      hash = mix(hash, UInt64(truncatingIfNeeded: upper) ^ UInt64(truncatingIfNeeded: upper >> 64) &* 31)
      hash = mix(hash, UInt64(UInt32(bitPattern: children[i])))
    }
    return hash
  }

  fileprivate static func mix(_ hash: UInt64, _ value: UInt64) -> UInt64 {
    let product = (hash ^ value) &* 0xFF51_AFD7_ED55_8CCD
    return product ^ product >> 32
  }

  // MARK: - Walking one axis

  /// The edges of a function on an axis that is not behind its own: its node's, or one edge to itself.
  private struct Cursor {
    var edge: Int
    let end: Int
    let whole: Int32
    let isSplit: Bool

    func upper(_ store: borrowing DiagramStore, _ maximum: UInt128) -> UInt128 { isSplit ? store.uppers[edge] : maximum }
    func child(_ store: borrowing DiagramStore) -> Int32 { isSplit ? store.children[edge] : whole }
  }

  private func axis(_ id: Int32) -> PacketAxis? { id < 0 ? nil : nodes[Int(id)].axis }

  private func cursor(_ id: Int32, _ axis: PacketAxis) -> Cursor {
    if id >= 0, nodes[Int(id)].axis == axis {
      let node = nodes[Int(id)]
      return Cursor(edge: node.firstEdge, end: node.firstEdge + node.count, whole: id, isSplit: true)
    }
    return Cursor(edge: 0, end: 1, whole: id, isSplit: false)
  }

  // MARK: - Operations

  /// The function that is `top` for the packets of `box` and `bottom` for all others: how a rule stands above those behind it.
  public mutating func overlay(
    _ box: PacketBox, _ top: Diagram, on bottom: Diagram
  ) throws(DiagramBudgetExceeded) -> Diagram {
    if box.isEmpty { return bottom }
    results.beginOperation()
    return Diagram(id: try overlay(box.conditions, 0, top.id, bottom.id))
  }

  private mutating func overlay(
    _ conditions: [(axis: PacketAxis, values: IntervalSet)], _ depth: Int, _ top: Int32, _ bottom: Int32
  ) throws(DiagramBudgetExceeded) -> Int32 {
    if depth == conditions.count || top == bottom { return top }
    if let known = results.find(top, bottom, depth) { return known }
    let condition = conditions[depth]
    let axis = min(condition.axis, min(self.axis(top) ?? .destination, self.axis(bottom) ?? .destination))
    let base = openChildren.count
    var a = cursor(top, axis)
    var b = cursor(bottom, axis)
    if axis < condition.axis {
      while true {
        let upper = min(a.upper(self, axis.maximum), b.upper(self, axis.maximum))
        append(upper, try overlay(conditions, depth, a.child(self), b.child(self)), from: base)
        if upper == axis.maximum { break }
        if a.upper(self, axis.maximum) == upper { a.edge += 1 }
        if b.upper(self, axis.maximum) == upper { b.edge += 1 }
      }
    } else {
      let intervals = condition.values.intervals
      var next = 0
      var lower: UInt128 = 0
      while true {
        var upper = b.upper(self, axis.maximum)
        let isIn = next < intervals.count && intervals[next].lower <= lower
        if isIn {
          upper = min(upper, min(a.upper(self, axis.maximum), intervals[next].upper))
          append(upper, try overlay(conditions, depth + 1, a.child(self), b.child(self)), from: base)
        } else {
          if next < intervals.count { upper = min(upper, intervals[next].lower - 1) }
          append(upper, b.child(self), from: base)
        }
        if upper == axis.maximum { break }
        lower = upper + 1
        if next < intervals.count, intervals[next].upper < lower { next += 1 }
        while a.isSplit, a.upper(self, axis.maximum) < lower { a.edge += 1 }
        while b.isSplit, b.upper(self, axis.maximum) < lower { b.edge += 1 }
      }
    }
    let result = try make(axis, from: base)
    results.store(top, bottom, depth, result)
    return result
  }

  /// The function of one axis that has these decisions; `pieces` ascend and don't overlap.
  public mutating func selector(
    _ axis: PacketAxis, _ pieces: some Sequence<(Interval, Int)>, otherwise: Int
  ) throws(DiagramBudgetExceeded) -> Diagram {
    try switching(axis, pieces.lazy.map { ($0, Diagram.leaf($1)) }, otherwise: .leaf(otherwise))
  }

  /// The function that for the values of each piece of an axis is the piece's, and `otherwise` elsewhere; `pieces` ascend, don't
  /// overlap, and ask for later axes only.
  public mutating func switching(
    _ axis: PacketAxis, _ pieces: some Sequence<(Interval, Diagram)>, otherwise: Diagram
  ) throws(DiagramBudgetExceeded) -> Diagram {
    let base = openChildren.count
    var lower: UInt128 = 0
    var isFull = false
    for (interval, child) in pieces {
      precondition(self.axis(child.id).map { $0 > axis } ?? true, "a node's children ask for later axes")
      if interval.lower > lower { append(interval.lower - 1, otherwise.id, from: base) }
      append(interval.upper, child.id, from: base)
      isFull = interval.upper == axis.maximum
      if !isFull { lower = interval.upper + 1 }
    }
    if !isFull { append(axis.maximum, otherwise.id, from: base) }
    return Diagram(id: try make(axis, from: base))
  }

  /// `top` where `condition` decides 1 and `bottom` where it decides 0; it decides nothing else.
  public mutating func choose(
    _ condition: Diagram, _ top: Diagram, else bottom: Diagram
  ) throws(DiagramBudgetExceeded) -> Diagram {
    let (first, second) = (Int(Int32.max) - 2, Int(Int32.max) - 3)
    let marked = try map(condition) { $0 == 1 ? first : second }
    return try replace(second, in: replace(first, in: marked, by: top), by: bottom)
  }

  /// The function that decides by both: `function` gets the decisions of `a` and `b`.
  public mutating func combine(
    _ a: Diagram, _ b: Diagram, _ function: @escaping (Int, Int) -> Int
  ) throws(DiagramBudgetExceeded) -> Diagram {
    results.beginOperation()
    return Diagram(id: try apply(.combine(function), a.id, b.id))
  }

  /// The function with other decisions.
  public mutating func map(
    _ a: Diagram, _ transform: @escaping (Int) -> Int
  ) throws(DiagramBudgetExceeded) -> Diagram {
    try combine(a, a) { decision, _ in transform(decision) }
  }

  /// The function `a`, but for the packets for which it makes `decision`: there it is `b`.
  public mutating func replace(
    _ decision: Int, in a: Diagram, by b: Diagram
  ) throws(DiagramBudgetExceeded) -> Diagram {
    results.beginOperation()
    return Diagram(id: try apply(.replace(Diagram.leaf(decision).id), a.id, b.id))
  }

  private enum Operation {
    case combine((Int, Int) -> Int)
    case replace(Int32)

    /// The result where it needs no look at the edges.
    func shortcut(_ a: Int32, _ b: Int32) -> Int32? {
      switch self {
      case .combine(let function): a < 0 && b < 0 ? Diagram.leaf(function(Int(-1 - a), Int(-1 - b))).id : nil
      case .replace(let leaf): a == leaf ? b : a < 0 || a == b ? a : nil
      }
    }
  }

  private mutating func apply(_ operation: Operation, _ a: Int32, _ b: Int32) throws(DiagramBudgetExceeded) -> Int32 {
    if let result = operation.shortcut(a, b) { return result }
    if let known = results.find(a, b, 0) { return known }
    let axis = min(self.axis(a) ?? .destination, self.axis(b) ?? .destination)
    let base = openChildren.count
    var first = cursor(a, axis)
    var second = cursor(b, axis)
    while true {
      let upper = min(first.upper(self, axis.maximum), second.upper(self, axis.maximum))
      append(upper, try apply(operation, first.child(self), second.child(self)), from: base)
      if upper == axis.maximum { break }
      if first.upper(self, axis.maximum) == upper { first.edge += 1 }
      if second.upper(self, axis.maximum) == upper { second.edge += 1 }
    }
    let result = try make(axis, from: base)
    results.store(a, b, 0, result)
    return result
  }

  // MARK: - Questions

  /// The decision for a packet.
  public func decide(_ diagram: Diagram, _ packet: Packet) -> Int {
    var id = diagram.id
    while id >= 0 {
      let node = nodes[Int(id)]
      let value = packet[node.axis]
      var low = node.firstEdge
      var high = node.firstEdge + node.count - 1
      while low < high {
        let middle = (low + high) / 2
        if uppers[middle] < value { low = middle + 1 } else { high = middle }
      }
      id = children[low]
    }
    return Int(-1 - id)
  }

  /// The edges of a function's first axis; nil where it is a decision.
  public func edges(_ diagram: Diagram) -> (axis: PacketAxis, edges: [(values: Interval, child: Diagram)])? {
    guard diagram.id >= 0 else { return nil }
    let node = nodes[Int(diagram.id)]
    var lower: UInt128 = 0
    var result: [(values: Interval, child: Diagram)] = []
    for i in node.firstEdge..<node.firstEdge + node.count {
      result.append((Interval(lower, uppers[i]), Diagram(id: children[i])))
      if uppers[i] < node.axis.maximum { lower = uppers[i] + 1 }
    }
    return (node.axis, result)
  }
}

/// What the running operation has found for pairs of nodes: a table of one place a hash, in which a later result displaces an
/// earlier one. What it forgets is worked out again.
private struct OperationCache: Sendable {
  private struct Entry {
    var a: Int32 = 0
    var b: Int32 = 0
    var depth: Int32 = 0
    var operation: UInt32 = 0
    var result: Int32 = 0
  }

  private var entries = [Entry](repeating: Entry(), count: 256)
  private var operation: UInt32 = 0

  /// Forgets everything: results belong to one operation.
  mutating func beginOperation() {
    operation &+= 1
    if operation == 0 {
      entries = [Entry](repeating: Entry(), count: entries.count)
      operation = 1
    }
  }

  mutating func grow(to count: Int) {
    if count > entries.count { entries = [Entry](repeating: Entry(), count: count) }
  }

  private func place(_ a: Int32, _ b: Int32, _ depth: Int) -> Int {
    let pair = UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b))
    return Int(truncatingIfNeeded: DiagramStore.mix(pair, UInt64(depth) &+ 0x9E37_79B9_7F4A_7C15)) & (entries.count - 1)
  }

  func find(_ a: Int32, _ b: Int32, _ depth: Int) -> Int32? {
    let entry = entries[place(a, b, depth)]
    guard entry.operation == operation, entry.a == a, entry.b == b, entry.depth == depth else { return nil }
    return entry.result
  }

  mutating func store(_ a: Int32, _ b: Int32, _ depth: Int, _ result: Int32) {
    entries[place(a, b, depth)] = Entry(a: a, b: b, depth: Int32(depth), operation: operation, result: result)
  }
}
