extension PacketBox {
  /// The packets that there can be, as far as a diagram's axes are free to say what no packet is: an address of 33 bits in IPv4,
  /// a second word behind a first one that isn't there.
  public static let realizable: [PacketBox] = IPFamily.allCases.flatMap { family in
    let wide = PacketBox().narrowed(.family, to: Interval(UInt128(family.rawValue)))
      .narrowed(.source, to: Interval(0, family.maximum)).narrowed(.destination, to: Interval(0, family.maximum))
      .narrowed(.connectionState, to: IntervalSet(ConnectionState.allCases.map { Interval($0.bit) }))
    return [
      wide.narrowed(.firstWord, to: Interval(0, 0xFFFF)),
      wide.narrowed(.secondWord, to: Interval(PacketAxis.absent)),
    ]
  }

  /// The packets that can begin a flow, by what connection tracking calls new: `ConnectionState.unsolicited`, as boxes.
  public static let firstPackets: [PacketBox] = {
    let new = PacketBox().narrowed(.connectionState, to: Interval(ConnectionState.new.bit))
    let whole = new.narrowed(.firstWord, to: Interval(0, 0xFFFF)).narrowed(.secondWord, to: Interval(0, 0xFFFF))
    func of(_ box: PacketBox, _ protocols: [IPProtocol]) -> PacketBox {
      box.narrowed(.ipProtocol, to: IntervalSet(protocols.map { Interval(UInt128($0.rawValue)) }))
    }
    func requests(_ types: [UInt128]) -> IntervalSet { IntervalSet(types.map { Interval($0 << 8, $0 << 8 | 0xFF) }) }
    let judged: [IPProtocol] = [.tcp, .udp, .sctp, .icmp, .icmpv6]
    let others = IntervalSet([Interval(0, PacketAxis.ipProtocol.maximum)])
      .subtracting(IntervalSet(judged.map { Interval(UInt128($0.rawValue)) }))
    return [
      of(whole, [.tcp, .udp, .sctp]),
      of(whole, [.icmp]).narrowed(.firstWord, to: requests([8, 13, 15, 17])),
      of(whole, [.icmpv6]).narrowed(.firstWord, to: requests([128, 139])),
      new.narrowed(.ipProtocol, to: others),
    ]
  }()

  /// The values on an axis: all where the box says nothing.
  public subscript(axis: PacketAxis) -> IntervalSet {
    conditions.first { $0.axis == axis }?.values ?? IntervalSet([Interval(0, axis.maximum)])
  }

  /// A packet of the box that a reader takes for an example: a new TCP connection from a documentation address, where the box
  /// leaves the choice. Nil where no packet is in it, or none whose ends differ and `endsDiffer` asks for that.
  public func example(endsDiffer: Bool = false) -> Packet? {
    for realizable in PacketBox.realizable {
      let box = realizable.conditions.reduce(self) { $0.narrowed($1.axis, to: $1.values) }
      if !box.isEmpty, let packet = box.realExample(endsDiffer) { return packet }
    }
    return nil
  }

  private func realExample(_ endsDiffer: Bool) -> Packet? {
    func value(_ axis: PacketAxis, family: IPFamily = .ipv4, otherThan taken: UInt128? = nil) -> UInt128? {
      let values = self[axis]
      let wish = PacketBox.wishes(axis, family).first { $0 != taken && values.contains($0) }
      if let wish { return wish }
      let free = taken.map { values.subtracting(IntervalSet([Interval($0)])) } ?? values
      return free.intervals.first?.lower
    }
    let family: IPFamily = value(.family) == 6 ? .ipv6 : .ipv4
    let source: UInt128
    let destination: UInt128
    if endsDiffer, self[.source].intervals.count == 1, self[.source].intervals[0].isSingle {
      source = self[.source].intervals[0].lower
      guard let other = value(.destination, family: family, otherThan: source) else { return nil }
      destination = other
    } else {
      destination = value(.destination, family: family)!
      guard let other = value(.source, family: family, otherThan: endsDiffer ? destination : nil) else { return nil }
      source = other
    }
    let ipProtocol = IPProtocol(rawValue: UInt8(value(.ipProtocol)!))
    let isICMP = ipProtocol == .icmp || ipProtocol == .icmpv6
    let echo: UInt128 = ipProtocol == .icmp ? 8 << 8 : 128 << 8
    // a port that one wishes for is no type and code
    let first = isICMP ? self[.firstWord].contains(echo) ? echo : self[.firstWord].intervals[0].lower : value(.firstWord)!
    // an ICMP has no port there: its checksum, or the zero that it is to a reader
    let second = isICMP && self[.secondWord].contains(0) ? 0 : value(.secondWord)!
    let transport: TransportHeader =
      if first == PacketAxis.noByte {
        .empty
      } else if first >= PacketAxis.oneByte {
        TransportHeader(bytes: UInt32(first - PacketAxis.oneByte) << 24, count: 1)
      } else if second == PacketAxis.absent {
        TransportHeader(bytes: UInt32(first) << 16, count: 2)
      } else {
        TransportHeader(bytes: UInt32(first) << 16 | UInt32(second), count: 4)
      }
    let state = value(.connectionState)!
    return Packet(
      source: IPAddress(family, source), destination: IPAddress(family, destination), ipProtocol: ipProtocol,
      transport: transport, state: ConnectionState.allCases.first { $0.bit == state }!,
      inputInterface: LinkName.text(value(.inputLink)!),
      outputInterface: LinkName.text(value(.outputLink)!))
  }

  /// Values that a reader takes for an example, the best first. Addresses are of RFC 5737 and RFC 3849.
  fileprivate static func wishes(_ axis: PacketAxis, _ family: IPFamily = .ipv4) -> [UInt128] {
    switch axis {
    case .connectionState: [8]
    case .inputLink, .outputLink: [0]
    case .family: [4, 6]
    case .ipProtocol: [6, 17, 1]
    case .secondWord: [443, 22, 40000]
    case .firstWord: [40000]
    case .source: family == .ipv4 ? [0xC000_0201, 0xC633_6401] : [0x2001_0db8 << 96 | 1]
    case .destination: family == .ipv4 ? [0xCB00_7101, 0xC633_6402] : [0x2001_0db8 << 96 | 2]
    }
  }
}

extension DiagramStore {
  /// The packets for which `diagram` makes `decision`, as boxes that don't overlap. The boxes of one node's edges to one place are
  /// one. `visit` returns false to see no more.
  public func forEachBox(_ diagram: Diagram, _ decision: Int, _ visit: (PacketBox) -> Bool) {
    var memo: [Diagram: Bool] = [.leaf(decision): true]
    _ = walk(diagram, PacketBox(), decision, &memo, visit)
  }

  private func walk(
    _ diagram: Diagram, _ box: PacketBox, _ decision: Int, _ memo: inout [Diagram: Bool], _ visit: (PacketBox) -> Bool
  ) -> Bool {
    guard reaches(diagram, decision, &memo) else { return true }
    guard let (axis, edges) = edges(diagram) else { return visit(box) }
    var children: [Diagram] = []
    var values: [[Interval]] = []
    var places: [Diagram: Int] = [:]
    for edge in edges {
      if let place = places[edge.child] {
        values[place].append(edge.values)
      } else {
        places[edge.child] = children.count
        children.append(edge.child)
        values.append([edge.values])
      }
    }
    // the example that a reader would choose comes first
    var order = Array(children.indices)
    if let wish = PacketBox.wishes(axis).first, let best = order.first(where: { values[$0].contains { $0.contains(wish) } }) {
      order.remove(at: best)
      order.insert(best, at: 0)
    }
    for place in order {
      let next = box.narrowed(axis, to: IntervalSet(values[place]))
      guard walk(children[place], next, decision, &memo, visit) else { return false }
    }
    return true
  }

  private func reaches(_ diagram: Diagram, _ decision: Int, _ memo: inout [Diagram: Bool]) -> Bool {
    if let known = memo[diagram] { return known }
    var result = false
    if let (_, edges) = edges(diagram) { result = edges.contains { reaches($0.child, decision, &memo) } }
    memo[diagram] = result
    return result
  }

  /// A packet for which `diagram` makes `decision`, of those that there can be; nil where there is none.
  public func witness(_ diagram: Diagram, _ decision: Int, endsDiffer: Bool = false) -> Packet? {
    var result: Packet?
    forEachBox(diagram, decision) { box in
      result = box.example(endsDiffer: endsDiffer)
      return result == nil
    }
    return result
  }
}
