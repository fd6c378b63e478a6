public import PacketSpace

/// A packet to send through a real kernel, or the first packet of a flow whose second one is judged.
///
/// A line of text is, with fields apart by blanks:
///
///     PROTO SRC DST [SPORT] DPORT       tcp udp sctp; source port 40000 where there is none
///     PROTO SRC DST [TYPE [CODE]]       icmp icmpv6; echo request where there is none
///     NUMBER|gre|esp|ah SRC DST         any other protocol
///
/// and behind it, in any order:
///
///     empty         nothing behind the IP header
///     synack  ack   a TCP flow begins with its second, or its third packet
///     reply         judged is the answer to the flow's packet
///     error         judged is an ICMP error from the destination that quotes the flow's packet
///     on LINK       the link that the packet comes in by, `left` if not said
///     back LINK     the link that the reply or error comes in by, `right` if not said
///
/// What the words of `kernel-probe` say, they say here.
public struct ProbeFlow: Hashable, Sendable {
  /// What stands behind the IP header.
  public enum Transport: Hashable, Sendable {
    case ports(source: UInt16, destination: UInt16)
    case icmp(type: UInt8, code: UInt8)
    /// GRE's header with an IPv4 payload announced; for others eight bytes that a careless rule takes for ports 53 and 443.
    case other
    /// Nothing.
    case empty
  }

  /// With which packet of its handshake a TCP flow begins.
  public enum Opening: String, Hashable, Sendable {
    case syn, synack, ack
  }

  /// Which packet the verdict is about.
  public enum Judged: String, Hashable, Sendable {
    case first, reply, error
  }

  public var ipProtocol: IPProtocol
  public var source: IPAddress
  /// Of the same family as `source`.
  public var destination: IPAddress
  public var transport: Transport
  public var opening = Opening.syn
  public var judged = Judged.first
  public var link = ProbeFlow.left
  public var backLink = ProbeFlow.right

  static let left = "left"
  static let right = "right"

  public init(
    _ ipProtocol: IPProtocol, _ source: IPAddress, _ destination: IPAddress, _ transport: Transport = .other,
    opening: Opening = .syn, judged: Judged = .first
  ) {
    precondition(source.family == destination.family, "a packet is of one family")
    self.ipProtocol = ipProtocol
    self.source = source
    self.destination = destination
    self.transport = transport
    self.opening = opening
    self.judged = judged
  }

  /// The first packet as the rules of a gateway see it, of a flow that connection tracking doesn't know.
  public var packet: Packet {
    let header: TransportHeader =
      switch transport {
      case .ports(let source, let destination): .ports(source: source, destination: destination)
      case .icmp(let type, let code): .icmp(type: type, code: code)
      case .other: TransportHeader(bytes: ipProtocol == .gre ? 0x0800 : 53 << 16 | 443, count: 4)
      case .empty: .empty
      }
    return Packet(
      source: source, destination: destination, ipProtocol: ipProtocol, transport: header,
      state: .unsolicited(ipProtocol, header, isSynAck: opening == .synack), inputInterface: link,
      outputInterface: link == ProbeFlow.right ? ProbeFlow.left : ProbeFlow.right)
  }
}

// MARK: - Text

extension ProbeFlow {
  /// A line that is no flow.
  public struct ParseError: Error, CustomStringConvertible {
    public var description: String
  }

  private static let names: [(name: String, value: IPProtocol)] = [
    ("tcp", .tcp), ("udp", .udp), ("sctp", .sctp), ("icmp", .icmp), ("icmpv6", .icmpv6), ("gre", .gre), ("esp", .esp),
    ("ah", .ah),
  ]

  public init(_ line: some StringProtocol) throws(ParseError) {
    let error = ParseError(description: "not a flow: \(line)")
    var words = line.split(whereSeparator: \.isWhitespace).map { String($0) }
    func take(_ word: String) -> Bool {
      guard let at = words.firstIndex(of: word) else { return false }
      words.remove(at: at)
      return true
    }
    func take(after word: String) throws(ParseError) -> String? {
      guard let at = words.firstIndex(of: word) else { return nil }
      guard at + 1 < words.count else { throw error }
      words.remove(at: at)
      return words.remove(at: at)
    }
    let isEmpty = take("empty")
    let opening: Opening = take("synack") ? .synack : take("ack") ? .ack : .syn
    let judged: Judged = take("reply") ? .reply : take("error") ? .error : .first
    let link = try take(after: "on")
    let backLink = try take(after: "back")

    guard words.count >= 3, let source = IPAddress(words[1]), let destination = IPAddress(words[2]),
      source.family == destination.family
    else { throw error }
    let name = words[0].lowercased()
    guard
      let ipProtocol = ProbeFlow.names.first(where: { $0.name == name })?.value ?? UInt8(name).map(IPProtocol.init(rawValue:))
    else { throw error }

    let numbers = words[3...].compactMap { UInt16($0) }
    guard numbers.count == words.count - 3 else { throw error }
    let transport: Transport
    switch ipProtocol {
    case .tcp, .udp, .sctp:
      guard numbers.count <= 2, !numbers.isEmpty || isEmpty else { throw error }
      transport = .ports(source: numbers.count == 2 ? numbers[0] : 40_000, destination: numbers.last ?? 0)
    case .icmp, .icmpv6:
      guard numbers.count <= 2, numbers.allSatisfy({ $0 <= 255 }) else { throw error }
      let type = numbers.first.map { UInt8($0) } ?? (ipProtocol == .icmp ? 8 : 128)
      transport = .icmp(type: type, code: numbers.count == 2 ? UInt8(numbers[1]) : 0)
    default:
      guard numbers.isEmpty else { throw error }
      transport = .other
    }
    self.init(ipProtocol, source, destination, isEmpty ? .empty : transport, opening: opening, judged: judged)
    self.link = link ?? ProbeFlow.left
    self.backLink = backLink ?? ProbeFlow.right
  }

  /// The flows of a text, one a line; `#` begins a comment.
  public static func parse(_ text: String) throws(ParseError) -> [ProbeFlow] {
    var flows: [ProbeFlow] = []
    for line in lines(text) { flows.append(try ProbeFlow(line)) }
    return flows
  }

  /// The flows of a fixture's `flows` file, each with its verdict in front: `pass tcp 198.51.100.7 172.16.1.10 443`.
  public static func parseExpected(_ text: String) throws(ParseError) -> [(verdict: ProbeVerdict, flow: ProbeFlow)] {
    var expected: [(ProbeVerdict, ProbeFlow)] = []
    for line in lines(text) {
      let verdict = line.prefix { $0 != " " && $0 != "\t" }
      guard let known = ProbeVerdict(rawValue: String(verdict)), known != .lost else {
        throw ParseError(description: "neither pass nor drop: \(line)")
      }
      expected.append((known, try ProbeFlow(line.dropFirst(verdict.count))))
    }
    return expected
  }

  private static func lines(_ text: String) -> [Substring] {
    text.split(separator: "\n").map { $0.prefix { $0 != "#" } }.filter { !$0.allSatisfy(\.isWhitespace) }
  }
}

extension ProbeFlow: CustomStringConvertible {
  /// The line that `init` reads.
  public var description: String {
    let name = ProbeFlow.names.first { $0.value == ipProtocol }?.name ?? "\(ipProtocol.rawValue)"
    var words = [name, source.description, destination.description]
    switch transport {
    case .ports(let source, let destination): words += ["\(source)", "\(destination)"]
    case .icmp(let type, let code): words += code == 0 ? ["\(type)"] : ["\(type)", "\(code)"]
    case .other: break
    case .empty: words.append("empty")
    }
    if opening != .syn { words.append(opening.rawValue) }
    if judged != .first { words.append(judged.rawValue) }
    if link != ProbeFlow.left { words += ["on", link] }
    if backLink != ProbeFlow.right { words += ["back", backLink] }
    return words.joined(separator: " ")
  }
}

/// What became of a packet.
public enum ProbeVerdict: String, Hashable, Sendable {
  /// It arrived, unchanged.
  case pass
  /// It reached the ruleset's hook, and nothing came out.
  case drop
  /// It never reached a hook that rulesets of Cordon have: the test is wrong, not the ruleset. The kernel forwards nothing to
  /// a multicast address, say.
  case lost
}
