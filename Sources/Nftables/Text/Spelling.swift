import PacketSpace

/// How a rule says a field, as far as text and JSON share it.
enum SpelledField {
  /// `meta nfproto`; `iifname` and `oifname` stand without `meta`.
  case meta(StaticString)
  /// `ct state`.
  case ct(StaticString)
  /// `ip saddr`, `tcp dport`.
  case payload(StaticString, StaticString)
}

/// What a rule has said of the transport protocol, which decides how its ports are spelled: `tcp dport` behind a match of
/// `meta l4proto tcp`, else `th dport`.
///
/// nft puts `meta l4proto tcp` in front of `tcp dport` by itself, so a match of the protocol is left out where the expression
/// right behind it says it.
struct TransportContext {
  private var known: StaticString?

  /// Takes the next expression of a rule, in order.
  ///
  /// - Returns: whether it is to be written; false where `next` says it already.
  mutating func enter(_ expression: Expression, next: Expression?) -> Bool {
    guard case .match(let match) = expression, case .field(.l4proto) = match.key, !match.isNegated,
      case .value(let value) = match.operand, value.isSingle
    else { return true }
    switch value.lower {
    case 6: known = "tcp"
    case 17: known = "udp"
    case 132: known = "sctp"
    default: return true
    }
    let nextKey: Key
    switch next {
    case .match(let match): nextKey = match.key
    case .lookup(let lookup): nextKey = lookup.key
    case .verdict, .namedLimit, .limit, .log, .counter, .unknown, nil: return true
    }
    switch nextKey {
    case .field(let field): return field != .sourcePort && field != .destinationPort
    case .concatenation(let fields): return !fields.contains(.sourcePort) && !fields.contains(.destinationPort)
    }
  }

  func spell(_ field: Field) -> SpelledField {
    switch field {
    case .nfproto: .meta("nfproto")
    case .l4proto: .meta("l4proto")
    case .ipProtocol: .payload("ip", "protocol")
    case .ipSource: .payload("ip", "saddr")
    case .ipDestination: .payload("ip", "daddr")
    case .ip6Source: .payload("ip6", "saddr")
    case .ip6Destination: .payload("ip6", "daddr")
    case .sourcePort: .payload(known ?? "th", "sport")
    case .destinationPort: .payload(known ?? "th", "dport")
    case .icmpType: .payload("icmp", "type")
    case .icmpCode: .payload("icmp", "code")
    case .icmpv6Type: .payload("icmpv6", "type")
    case .icmpv6Code: .payload("icmpv6", "code")
    case .inputInterface: .meta("iifname")
    case .outputInterface: .meta("oifname")
    case .connectionState: .ct("state")
    }
  }
}

extension DataType {
  /// nft 1.0.6's word for a value, or nil where a number stands.
  ///
  /// Of the protocols those that nft itself knows: the rest (`gre`) it looks up in /etc/protocols, which a small system doesn't
  /// have. ICMP codes are numbers because nft's words for them are right for one type only.
  func symbol(_ value: UInt128) -> StaticString? {
    switch self {
    case .nfproto:
      switch value {
      case 2: "ipv4"
      case 10: "ipv6"
      default: nil
      }
    case .inetProto:
      switch value {
      case 1: "icmp"
      case 6: "tcp"
      case 17: "udp"
      case 33: "dccp"
      case 50: "esp"
      case 51: "ah"
      case 58: "icmpv6"
      case 132: "sctp"
      case 136: "udplite"
      default: nil
      }
    case .icmpType:
      switch value {
      case 0: "echo-reply"
      case 3: "destination-unreachable"
      case 4: "source-quench"
      case 5: "redirect"
      case 8: "echo-request"
      case 9: "router-advertisement"
      case 10: "router-solicitation"
      case 11: "time-exceeded"
      case 12: "parameter-problem"
      case 13: "timestamp-request"
      case 14: "timestamp-reply"
      case 15: "info-request"
      case 16: "info-reply"
      case 17: "address-mask-request"
      case 18: "address-mask-reply"
      default: nil
      }
    case .icmpv6Type:
      switch value {
      case 1: "destination-unreachable"
      case 2: "packet-too-big"
      case 3: "time-exceeded"
      case 4: "parameter-problem"
      case 128: "echo-request"
      case 129: "echo-reply"
      case 130: "mld-listener-query"
      case 131: "mld-listener-report"
      case 132: "mld-listener-done"
      case 133: "nd-router-solicit"
      case 134: "nd-router-advert"
      case 135: "nd-neighbor-solicit"
      case 136: "nd-neighbor-advert"
      case 137: "nd-redirect"
      case 138: "router-renumbering"
      case 141: "ind-neighbor-solicit"
      case 142: "ind-neighbor-advert"
      case 143: "mld2-listener-report"
      default: nil
      }
    case .connectionState:
      switch value {
      case 1: "invalid"
      case 2: "established"
      case 4: "related"
      case 8: "new"
      case 64: "untracked"
      default: nil
      }
    case .ipv4Address, .ipv6Address, .inetService, .icmpCode, .icmpv6Code, .interfaceName: nil
    }
  }
}

/// Which characters of ours may stand where in what nft reads.
enum SafeText {
  /// Whether a byte may stand in the name of a table, chain, set, map or limit.
  static func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x2F, 0x5F, 0x2E, 0x2D: true
    default: false
    }
  }

  /// Whether a byte may stand in a `#` line: printable ASCII. nft's line of a comment ends at a line break only; the rest
  /// protects terminals and readers.
  static func isComment(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "\\") }

  /// Whether a byte may stand between quotes. nft has no escape for `"`, and puts a variable's value in the place of `$name`
  /// in a log prefix.
  static func isQuoted(_ byte: UInt8) -> Bool { isComment(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "$") }

  /// Whether a byte may stand in the name of a link: `*` at the end is nft's wildcard.
  static func isLink(_ byte: UInt8) -> Bool { isQuoted(byte) && byte != UInt8(ascii: " ") && byte != UInt8(ascii: "*") }
}

/// The names of links that an interval of `iifname` stands for.
enum LinkPattern {
  /// `"tap3"`, or with a wildcard `"tap*"`: 1 to 15 bytes, of which `SafeText.isLink` holds.
  case name([UInt8])
  case prefix([UInt8])

  /// Nil for an interval that nft has no word for.
  init?(_ interval: Interval) {
    var bytes: [UInt8] = []
    // the bytes that both ends share; behind them a name has zeros only, and a wildcard zeros below and ones above
    var shift = 120
    var rest = UInt128.max
    while shift >= 0 {
      let low = UInt8(truncatingIfNeeded: interval.lower >> UInt128(shift))
      let high = UInt8(truncatingIfNeeded: interval.upper >> UInt128(shift))
      if low != high || low == 0 { break }
      bytes.append(low)
      rest >>= 8
      shift -= 8
    }
    guard (1...15).contains(bytes.count), bytes.allSatisfy(SafeText.isLink), interval.lower & rest == 0 else { return nil }
    switch interval.upper & rest {
    case 0: self = .name(bytes)
    case rest: self = .prefix(bytes)
    default: return nil
    }
  }
}
