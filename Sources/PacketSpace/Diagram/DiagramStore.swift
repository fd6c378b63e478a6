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
    /// Of all that it holds.
    var hash: UInt32
    var firstEdge: Int32
    var count: Int32

    var edges: Range<Int> { Int(firstEdge)..<Int(firstEdge + count) }
  }

  /// One edge: the values up to `upper` lead to `child`.
  private struct Edge: Equatable {
    // in halves it takes 24 bytes, and whole 32
    private var high: UInt64
    private var low: UInt64
    var child: Int32

    init(upper: UInt128, child: Int32) {
      high = UInt64(truncatingIfNeeded: upper >> 64)
      low = UInt64(truncatingIfNeeded: upper)
      self.child = child
    }

    var upper: UInt128 { UInt128(high) << 64 | UInt128(low) }
    var hash: UInt64 { (low ^ high &* 31) &+ UInt64(UInt32(bitPattern: child)) &* 0xD6E8_FEB8_6659_FD93 }
  }

  private var nodes: [Node] = []
  /// The edges of all nodes, node by node, ascending; the last of a node ends at its axis' maximum.
  private var edges: [Edge] = []
  /// Open addressing by the hash of a node's content; -1 is free. Its size is a power of two.
  private var table: [Int32]
  /// Past this many nodes, or eight times as many edges, an operation throws.
  public let budget: Int
  /// Edges of the nodes that are being made, the innermost last: an operation pushes here and pops when it makes its node.
  private var openEdges: [Edge] = []
  private var results: OperationCache

  public init(budget: Int = 4_000_000) {
    self.budget = budget
    table = [Int32](repeating: -1, count: DiagramStore.smallestTable)
    results = OperationCache(count: DiagramStore.smallestTable)
  }

  /// How many nodes there are.
  public var count: Int { nodes.count }

  /// Forgets all nodes, whose diagrams mean nothing from then on. What it took of memory serves the next ones.
  public mutating func removeAll() {
    nodes.removeAll(keepingCapacity: true)
    edges.removeAll(keepingCapacity: true)
    clearTable(DiagramStore.smallestTable)
  }

  // MARK: - Making nodes

  /// Adds an edge to the node that is being made and whose edges begin at `base`: neighbours that lead to one place are one.
  @inline(__always)
  private mutating func append(_ upper: UInt128, _ child: Int32, from base: Int) {
    let last = openEdges.count - 1
    if last >= base, openEdges[last].child == child {
      openEdges[last] = Edge(upper: upper, child: child)
    } else {
      openEdges.append(Edge(upper: upper, child: child))
    }
  }

  /// The node of the edges from `base` on, which are popped.
  private mutating func make(_ axis: PacketAxis, from base: Int) throws(DiagramBudgetExceeded) -> Int32 {
    defer { openEdges.removeLast(openEdges.count - base) }
    let count = openEdges.count - base
    if count == 1 { return openEdges[base].child }
    let hash = hashOfOpen(axis, base)
    var place = Int(hash) & (table.count - 1)
    while table[place] >= 0 {
      let node = nodes[Int(table[place])]
      if node.hash == hash, node.axis == axis, node.count == count, isOpen(node, base) { return table[place] }
      place = (place + 1) & (table.count - 1)
    }
    if nodes.count >= budget || edges.count >= budget * 8 { throw DiagramBudgetExceeded(nodes: budget) }
    let id = Int32(nodes.count)
    table[place] = id
    nodes.append(Node(axis: axis, hash: hash, firstEdge: Int32(edges.count), count: Int32(count)))
    edges.append(contentsOf: openEdges[base...])
    if nodes.count * 2 > table.count { growTable() }
    return id
  }

  /// Whether the node has the edges from `base` on.
  private func isOpen(_ node: Node, _ base: Int) -> Bool {
    let first = Int(node.firstEdge)
    for i in 0..<Int(node.count) where edges[first + i] != openEdges[base + i] { return false }
    return true
  }

  private func hashOfOpen(_ axis: PacketAxis, _ base: Int) -> UInt32 {
    var hash = UInt64(axis.rawValue) &+ 0x9E37_79B9_7F4A_7C15
    for edge in openEdges[base...] { hash = DiagramStore.mix(hash, edge.hash) }
    return UInt32(truncatingIfNeeded: hash)
  }

  private static let smallestTable = 1024

  private mutating func clearTable(_ count: Int) {
    table.removeAll(keepingCapacity: true)
    table.append(contentsOf: repeatElement(-1, count: count))
    results.resize(to: count)
  }

  private mutating func growTable() {
    clearTable(table.count * 2)
    for (id, node) in nodes.enumerated() {
      var place = Int(node.hash) & (table.count - 1)
      while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
      table[place] = Int32(id)
    }
  }

  fileprivate static func mix(_ hash: UInt64, _ value: UInt64) -> UInt64 {
    let product = (hash ^ value) &* 0xFF51_AFD7_ED55_8CCD
    return product ^ product >> 32
  }

  // MARK: - Walking one axis

  /// An edge of a function on an axis that is not behind its own: of its node, or one edge to itself.
  private struct Cursor {
    var upper: UInt128
    var child: Int32
    /// Where the next edge stands; it counts for nothing behind the last.
    var next: Int
  }

  private func axis(_ id: Int32) -> PacketAxis? { id < 0 ? nil : nodes[Int(id)].axis }

  /// Behind all others for a decision.
  private func order(_ id: Int32) -> PacketAxis { id < 0 ? .destination : nodes[Int(id)].axis }

  /// The first edge.
  private func cursor(_ id: Int32, _ axis: PacketAxis) -> Cursor {
    if id >= 0, nodes[Int(id)].axis == axis {
      let first = Int(nodes[Int(id)].firstEdge)
      return Cursor(upper: edges[first].upper, child: edges[first].child, next: first + 1)
    }
    return Cursor(upper: axis.maximum, child: id, next: 0)
  }

  /// Goes on to the next edge, which must be there.
  @inline(__always)
  private func advance(_ cursor: inout Cursor) {
    let edge = edges[cursor.next]
    cursor = Cursor(upper: edge.upper, child: edge.child, next: cursor.next + 1)
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
    let axis = min(condition.axis, order(top), order(bottom))
    let maximum = axis.maximum
    let base = openEdges.count
    var a = cursor(top, axis)
    var b = cursor(bottom, axis)
    if axis < condition.axis {
      while true {
        let upper = min(a.upper, b.upper)
        append(upper, try overlay(conditions, depth, a.child, b.child), from: base)
        if upper == maximum { break }
        if a.upper == upper { advance(&a) }
        if b.upper == upper { advance(&b) }
      }
    } else {
      let intervals = condition.values.intervals
      var next = 0
      var lower: UInt128 = 0
      while true {
        let upper: UInt128
        if next < intervals.count, intervals[next].lower <= lower {
          upper = min(a.upper, b.upper, intervals[next].upper)
          append(upper, try overlay(conditions, depth + 1, a.child, b.child), from: base)
        } else {
          // between the intervals all is as it was
          // a value that the axis doesn't have, such as a connection's state that the kernel has no bit for, lies behind its end
          upper = next < intervals.count ? min(intervals[next].lower - 1, maximum) : maximum
          while b.upper < upper {
            append(b.upper, b.child, from: base)
            advance(&b)
          }
          append(upper, b.child, from: base)
        }
        if upper == maximum { break }
        lower = upper + 1
        if next < intervals.count, intervals[next].upper < lower { next += 1 }
        while a.upper < lower { advance(&a) }
        while b.upper < lower { advance(&b) }
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
    let base = openEdges.count
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
    let axis = min(order(a), order(b))
    let maximum = axis.maximum
    let base = openEdges.count
    var first = cursor(a, axis)
    var second = cursor(b, axis)
    while true {
      let upper = min(first.upper, second.upper)
      append(upper, try apply(operation, first.child, second.child), from: base)
      if upper == maximum { break }
      if first.upper == upper { advance(&first) }
      if second.upper == upper { advance(&second) }
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
      var low = node.edges.lowerBound
      var high = node.edges.upperBound - 1
      while low < high {
        let middle = (low + high) / 2
        if edges[middle].upper < value { low = middle + 1 } else { high = middle }
      }
      id = edges[low].child
    }
    return Int(-1 - id)
  }

  /// The edges of a function's first axis; nil where it is a decision.
  public func edges(_ diagram: Diagram) -> (axis: PacketAxis, edges: [(values: Interval, child: Diagram)])? {
    guard diagram.id >= 0 else { return nil }
    let node = nodes[Int(diagram.id)]
    var lower: UInt128 = 0
    var result: [(values: Interval, child: Diagram)] = []
    for edge in edges[node.edges] {
      result.append((Interval(lower, edge.upper), Diagram(id: edge.child)))
      if edge.upper < node.axis.maximum { lower = edge.upper + 1 }
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

  private var entries: [Entry]
  /// One less than how many of the entries are in use, a power of two.
  private var mask: Int
  private var operation: UInt32 = 0

  init(count: Int) {
    entries = [Entry](repeating: Entry(), count: count)
    mask = count - 1
  }

  /// Forgets everything: results belong to one operation.
  mutating func beginOperation() {
    operation &+= 1
    if operation == 0 {
      entries = [Entry](repeating: Entry(), count: entries.count)
      operation = 1
    }
  }

  mutating func resize(to count: Int) {
    if count > entries.count { entries = [Entry](repeating: Entry(), count: count) }
    mask = count - 1
  }

  private func place(_ a: Int32, _ b: Int32, _ depth: Int) -> Int {
    let pair = UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b))
    return Int(truncatingIfNeeded: DiagramStore.mix(pair, UInt64(depth) &+ 0x9E37_79B9_7F4A_7C15)) & mask
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
