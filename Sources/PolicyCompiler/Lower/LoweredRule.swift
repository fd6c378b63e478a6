import Nftables
import PacketSpace
import PolicyLanguage

/// A rule on its way into a chain: what it asks, what it does, and whose it is.
struct LoweredRule {
  var matches: [Expression]
  /// Ends the chain.
  var verdict: Expression
  /// The numbers of the policy's rules that it stands for, as `Provenance` counts; empty for what the language itself says.
  var origins: [UInt32]
  /// The kernel's comment where there is no origin: `default`, `intra-group web`.
  var note: String

  /// A rule of the policy's.
  init(_ matches: [Expression], _ verdict: Verdict, origin: UInt32) {
    self.init(matches, .verdict(verdict), origins: [origin], note: "")
  }

  /// A rule of the language's own.
  init(_ matches: [Expression], _ verdict: Verdict, note: String) {
    self.init(matches, .verdict(verdict), origins: [], note: note)
  }

  init(_ matches: [Expression], _ verdict: Expression, origins: [UInt32], note: String) {
    self.matches = matches
    self.verdict = verdict
    self.origins = origins
    self.note = note
  }

  /// Whether it decides every packet, so that nothing behind it is ever reached.
  var decidesAll: Bool {
    switch verdict {
    case .verdict(.accept), .verdict(.drop), .verdict(.return), .verdict(.goto): matches.isEmpty
    // what is called may send the packet back
    case .verdict(.jump), .verdict(.continue), .lookup, .match, .namedLimit, .limit, .log, .counter, .unknown: false
    }
  }
}

extension Direction {
  /// Whose address is the peer's.
  var peer: End { self == .ingress ? .source : .destination }
}

/// The two ends of a packet, as fields.
enum End {
  case source, destination

  func field(_ family: IPFamily) -> Field {
    switch (self, family) {
    case (.source, .ipv4): .ipSource
    case (.source, .ipv6): .ip6Source
    case (.destination, .ipv4): .ipDestination
    case (.destination, .ipv6): .ip6Destination
    }
  }
}

extension Expression {
  static func match(_ field: Field, _ value: UInt128) -> Expression { .match(Match(field, Interval(value))) }
  static func match(_ field: Field, _ operand: Operand) -> Expression { .match(Match(.field(field), operand)) }
  static func state(_ states: ConnectionState...) -> Expression {
    let values = states.map { Interval($0.bit) }
    return .match(.connectionState, values.count == 1 ? .value(values[0]) : .anonymous(Elements(values)))
  }
  static func family(_ family: IPFamily) -> Expression { .match(.nfproto, family == .ipv4 ? 2 : 10) }
  static func ipProtocol(_ value: IPProtocol) -> Expression { .match(.l4proto, UInt128(value.rawValue)) }
}

/// Right sides that together hold all of `intervals`: one set from `setFrom` of them on, else a value each.
func operands(_ intervals: [Interval], setFrom: Int) -> [Operand] {
  intervals.count >= setFrom ? [.anonymous(Elements(intervals))] : intervals.map { .value($0) }
}
