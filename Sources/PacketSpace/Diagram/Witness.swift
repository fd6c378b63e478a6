extension PacketBox {
  /// The packets that there can be, as far as a diagram's axes are free to say what no packet is: an address of 33 bits in IPv4,
  /// a second word behind a first one that isn't there.
  public static let realizable: [PacketBox] = IPFamily.allCases.flatMap { family in
    let wide = PacketBox().narrowed(.family, to: Interval(UInt128(family.rawValue)))
      .narrowed(.source, to: Interval(0, family.maximum)).narrowed(.destination, to: Interval(0, family.maximum))
      .narrowed(.connectionState, to: IntervalSet([1, 2, 4, 8, 64].map { Interval($0) }))
    return [
      wide.narrowed(.firstWord, to: Interval(0, 0xFFFF)),
      wide.narrowed(.secondWord, to: Interval(PacketAxis.absent)),
    ]
  }
}

extension DiagramStore {
  /// Decides 1 for the packets that there can be, else 0.
  public mutating func realizable() throws(DiagramBudgetExceeded) -> Diagram {
    var result = Diagram.leaf(0)
    for box in PacketBox.realizable { result = try overlay(box, .leaf(1), on: result) }
    return result
  }

  /// A packet for which `diagram` decides `decision`, among those that there can be; nil where there is none.
  ///
  /// Where the diagram leaves a choice the packet is one that a reader takes for an example: TCP, from a documentation address.
  public mutating func witness(_ diagram: Diagram, _ decision: Int) throws(DiagramBudgetExceeded) -> Packet? {
    let possible = try realizable()
    let wanted = try combine(diagram, possible) { $0 == decision && $1 == 1 ? 1 : 0 }
    if wanted == .leaf(0) { return nil }
    var values: [PacketAxis: UInt128] = [:]
    var at = wanted
    while let (axis, edges) = self.edges(at) {
      // every edge that doesn't lead to 0 at once leads to some 1, since the diagram is reduced
      let open = edges.filter { $0.child != .leaf(0) }
      let wishes = DiagramStore.examples(axis, family: values[.family])
      let best = wishes.lazy.compactMap { wish in open.first { $0.values.contains(wish) }.map { (wish, $0.child) } }.first
      let (value, child) = best ?? (open[0].values.lower, open[0].child)
      values[axis] = value
      at = child
    }
    let family: IPFamily = values[.family] == 6 ? .ipv6 : .ipv4
    func value(_ axis: PacketAxis) -> UInt128 {
      values[axis] ?? DiagramStore.examples(axis, family: UInt128(family.rawValue)).first ?? 0
    }
    let first = value(.firstWord)
    let second = value(.secondWord)
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
    let states: [UInt128: ConnectionState] = [1: .invalid, 2: .established, 4: .related, 64: .untracked]
    return Packet(
      source: IPAddress(family, value(.source)), destination: IPAddress(family, value(.destination)),
      ipProtocol: IPProtocol(rawValue: UInt8(value(.ipProtocol))), transport: transport,
      state: states[value(.connectionState)] ?? .new, inputInterface: DiagramStore.link(value(.inputLink)),
      outputInterface: DiagramStore.link(value(.outputLink)))
  }

  private static func link(_ value: UInt128) -> String {
    String(
      decoding: (0..<16).map { UInt8(truncatingIfNeeded: value >> UInt128(8 * (15 - $0))) }.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Values that a reader takes for an example, the best first. Addresses are of RFC 5737 and RFC 3849.
  private static func examples(_ axis: PacketAxis, family: UInt128?) -> [UInt128] {
    switch axis {
    case .connectionState: [8]
    case .inputLink, .outputLink: [0]
    case .family: [4, 6]
    case .ipProtocol: [6, 17, 1]
    case .secondWord: [443, 22, 40000]
    case .firstWord: [40000, 0x0800]
    case .source, .destination:
      if family == 6 {
        [0x2001_0db8 << 96 | (axis == .source ? 1 : 2), 0x2001_0db8_0001 << 80 | 1]
      } else {
        axis == .source ? [0xC000_0201, 0xC633_6401] : [0xCB00_7101, 0xC633_6402]
      }
    }
  }
}
