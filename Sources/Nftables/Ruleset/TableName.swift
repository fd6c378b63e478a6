/// What a table may be called.
public enum TableName {
  /// nft(8)'s own words, which it doesn't take for a name. Source: nftables' src/scanner.l, each word tried with 1.0.6, and
  /// `destroy`, which is a word since 1.0.7.
  static let reserved: Set<Substring> = Set(
    """
    accept add ah all and arp auto-merge bridge cgroup chain comment comp constant continue counter cpu create ct day
    dccp define delete describe destroy device devices dnat drop dst dup dynamic ecn element elements eq esp ether
    exists expires export exthdr fib flags flow flowtable flush frag fwd gc-interval ge get goto gt handle hbh hook
    hour ibriport ibrname icmp icmpv6 igmp iif iifgroup iifname iiftype import include index inet insert interval ip
    ip6 ipsec jhash jump le limit list log lshift lt map mark masquerade meta meter mh missing monitor ne netdev
    nftrace not notrack numgen obriport obrname offload oif oifgroup oifname oiftype or osf pkttype policy position
    priority queue quota random redefine redirect reject rename replace reset return rshift rt rt0 rt2 rtclassid rule
    ruleset sctp secmark set size skgid skuid snat socket srh symhash synproxy table tcp th time timeout tproxy type
    typeof udp udplite undefine update vlan vmap xor xt
    """.split(whereSeparator: \.isWhitespace))

  /// Why nft wouldn't take `name`, or nil where it would: letters, digits, `/`, `_`, `.` and `-`, the first a letter, at most 255,
  /// and none of its own words.
  public static func problem(_ name: String) -> String? {
    let bytes = Array(name.utf8)
    if bytes.isEmpty { return "a table needs a name" }
    if bytes.count > 255 { return "a table's name has at most 255 characters" }
    let isLetter = { (byte: UInt8) in (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
    guard isLetter(bytes[0]),
      bytes.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || [0x2D, 0x2E, 0x2F, 0x5F].contains($0) })
    else { return "a table's name has ASCII letters, digits, `/`, `_`, `.` and `-`, and begins with a letter" }
    if reserved.contains(name[...]) {
      return "`\(name)` is one of nft's own words, and no name of a table"
    }
    return nil
  }
}
