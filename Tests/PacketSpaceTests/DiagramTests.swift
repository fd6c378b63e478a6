import PacketSpace
import TestSupport
import Testing

/// Diagrams against plain first-match over lists of boxes, on a domain small enough to ask about every packet.
@Suite struct DiagramTests {
  /// A list of boxes with decisions, the strongest first; what no box holds has decision 0.
  struct Rules {
    var rules: [(box: PacketBox, decision: Int)] = []

    init(using generator: inout SeededGenerator) {
      for _ in 0..<Int.random(in: 0...6, using: &generator) {
        var box = PacketBox()
        for axis in [PacketAxis.family, .ipProtocol, .secondWord, .firstWord, .source, .destination, .connectionState]
        where Int.random(in: 0..<3, using: &generator) == 0 {
          let intervals = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            let lower = UInt128.random(in: 0...5, using: &generator)
            return Interval(lower, lower + UInt128.random(in: 0...3, using: &generator))
          }
          box.narrow(axis, to: IntervalSet(intervals))
        }
        rules.append((box, Int.random(in: 0...2, using: &generator)))
      }
    }

    func decide(_ packet: Packet) -> Int { rules.first { $0.box.contains(packet) }?.decision ?? 0 }

    func diagram(_ store: inout DiagramStore) throws -> Diagram {
      try rules.reversed().reduce(Diagram.leaf(0)) { try store.overlay($1.box, .leaf($1.decision), on: $0) }
    }
  }

  static func packet(using generator: inout SeededGenerator) -> Packet {
    let words = UInt32.random(in: 0...8, using: &generator) << 16 | UInt32.random(in: 0...8, using: &generator)
    return Packet(
      source: IPAddress(v4: UInt32.random(in: 0...8, using: &generator)),
      destination: IPAddress(v4: UInt32.random(in: 0...8, using: &generator)),
      ipProtocol: IPProtocol(rawValue: UInt8.random(in: 0...8, using: &generator)),
      transport: TransportHeader(bytes: words, count: [4, 4, 4, 2, 1, 0].randomElement(using: &generator)!),
      state: ConnectionState.allCases.randomElement(using: &generator)!)
  }

  @Test(arguments: 0..<200) func decideAsListsDo(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: number)
    var store = DiagramStore()
    let rules = Rules(using: &generator)
    let others = Rules(using: &generator)
    let a = try rules.diagram(&store)
    let b = try others.diagram(&store)
    let sum = try store.combine(a, b) { $0 * 3 + $1 }
    let replaced = try store.replace(1, in: a, by: b)
    for _ in 0..<300 {
      let packet = DiagramTests.packet(using: &generator)
      let (x, y) = (rules.decide(packet), others.decide(packet))
      #expect(store.decide(a, packet) == x, "\(generator)")
      #expect(store.decide(sum, packet) == x * 3 + y, "\(generator)")
      #expect(store.decide(replaced, packet) == (x == 1 ? y : x), "\(generator)")
    }
  }

  /// A store that was emptied makes the nodes that a new one makes.
  @Test(arguments: 0..<50) func areTheSameInAStoreUsedAgain(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: number)
    var used = DiagramStore()
    for _ in 0..<20 { _ = try Rules(using: &generator).diagram(&used) }
    used.removeAll()
    #expect(used.count == 0)
    var new = DiagramStore()
    for _ in 0..<5 {
      let rules = Rules(using: &generator)
      #expect(try rules.diagram(&used) == rules.diagram(&new), "\(generator)")
    }
    #expect(used.count == new.count)
  }

  /// An interval that lies behind the end of its axis has no packet in it, wherever the nodes of a store lie.
  @Test func knowTheEndOfAnAxis() throws {
    for values in [IntervalSet([Interval(512)]), IntervalSet([Interval(2), Interval(512), Interval(1024)])] {
      let inside = values.intersection(IntervalSet([Interval(0, PacketAxis.connectionState.maximum)]))
      for others in [0, 3] {
        var store = DiagramStore()
        for number in 0..<others {
          let box = PacketBox().narrowed(.source, to: Interval(UInt128(number)))
          _ = try store.overlay(box, .leaf(number + 1), on: .leaf(0))
        }
        let bottom = try store.overlay(PacketBox().narrowed(.connectionState, to: Interval(8)), .leaf(2), on: .leaf(0))
        let found = try store.overlay(PacketBox().narrowed(.connectionState, to: values), .leaf(1), on: bottom)
        let meant = try store.overlay(PacketBox().narrowed(.connectionState, to: inside), .leaf(1), on: bottom)
        #expect(found == meant)
      }
    }
  }

  /// One function made in two ways is one node.
  @Test(arguments: 0..<100) func areOneWhereTheyMeanOne(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: number)
    var store = DiagramStore()
    let rules = Rules(using: &generator)
    let whole = try rules.diagram(&store)
    // the same, decision by decision
    var pieces = Diagram.leaf(0)
    for decision in [2, 1, 0] {
      let part = try store.map(whole) { $0 == decision ? 1 : 0 }
      pieces = try store.combine(part, pieces) { $0 == 1 ? decision : $1 }
    }
    #expect(whole == pieces)
    // two rules of one decision in a row may change places
    if rules.rules.count > 1, rules.rules[0].decision == rules.rules[1].decision {
      var swapped = rules
      swapped.rules.swapAt(0, 1)
      #expect(try swapped.diagram(&store) == whole)
    }
  }

  /// The boxes of a decision hold what it is made for, each packet once, and are as many points as are counted.
  @Test(arguments: 0..<100) func areBoxesAndCounts(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 1000 + number)
    var store = DiagramStore()
    let rules = Rules(using: &generator)
    let diagram = try rules.diagram(&store)
    for decision in 0...2 {
      var boxes: [PacketBox] = []
      store.forEachBox(diagram, decision) {
        boxes.append($0)
        return true
      }
      #expect(store.decisions(of: diagram).contains(decision) == !boxes.isEmpty, "\(generator)")
      for axis in PacketAxis.allCases {
        let values = store.values(axis, in: diagram) { $0 == decision }
        #expect(values == IntervalSet(boxes.flatMap { $0[axis].intervals }), "\(generator): \(axis)")
      }
      let merged = PacketBox.merged(boxes)
      #expect(merged.count <= boxes.count)
      let count = store.count(diagram, decision)
      for sum in [boxes, merged].map({ $0.reduce(0) { $0 + $1.count } }) {
        #expect(abs(sum - count) <= count * 1e-9, "\(generator): \(sum) and \(count)")
      }
      for _ in 0..<100 {
        let packet = DiagramTests.packet(using: &generator)
        let holders = merged.filter { $0.contains(packet) }.count
        #expect(holders == (rules.decide(packet) == decision ? 1 : 0), "\(generator)")
      }
      if let witness = store.witness(diagram, decision) { #expect(rules.decide(witness) == decision, "\(generator)") }
    }
  }

  @Test func stopAtTheirBudget() throws {
    var store = DiagramStore(budget: 10)
    #expect(throws: DiagramBudgetExceeded.self) {
      var diagram = Diagram.leaf(0)
      for i in 0..<UInt128(20) {
        let box = PacketBox().narrowed(.source, to: Interval(i * 10)).narrowed(.destination, to: Interval(i))
        diagram = try store.overlay(box, .leaf(1), on: diagram)
      }
    }
  }

  @Test func knowWhatIsNotThere() throws {
    var store = DiagramStore()
    let echo = PacketBox().narrowed(.firstWord, to: IntervalSet(PacketAxis.types(Interval(8))))
    let diagram = try store.overlay(echo, .leaf(1), on: .leaf(0))
    func decide(_ transport: TransportHeader) -> Int {
      let address = IPAddress(v4: 1)
      return store.decide(
        diagram, Packet(source: address, destination: address, ipProtocol: .icmp, transport: transport, state: .new))
    }
    #expect(decide(.icmp(type: 8, code: 3)) == 1)
    #expect(decide(TransportHeader(bytes: 8 << 24, count: 1)) == 1)
    #expect(decide(.icmp(type: 9, code: 3)) == 0)
    #expect(decide(.empty) == 0)
  }
}
