/// nft's and the system's names of numbers, as a listing has them where it isn't numeric.
enum Symbols {
  /// The number that a name stands for in this type, or nil.
  static func number(_ name: String, _ type: DataType) -> UInt8? {
    switch type {
    case .nfproto: name == "ipv4" ? 2 : name == "ipv6" ? 10 : nil
    case .inetProto: protocols[name]
    case .icmpType: icmpTypes[name]
    case .icmpCode: icmpCodes[name]
    case .icmpv6Type: icmpv6Types[name]
    case .icmpv6Code: icmpv6Codes[name]
    case .connectionState: connectionStates[name]
    case .ipv4Address, .ipv6Address, .inetService, .interfaceName: nil
    }
  }

  /// Names of /etc/protocols, which libnftables asks: Debian's, and IANA's keywords, which others list.
  private static let protocols: [String: UInt8] = [
    "hopopt": 0, "ip": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipv4": 4, "st": 5, "tcp": 6, "cbt": 7, "egp": 8,
    "igp": 9, "bbn-rcc": 10, "nvp": 11, "pup": 12, "argus": 13, "emcon": 14, "xnet": 15, "chaos": 16, "udp": 17, "mux": 18,
    "dcn": 19, "hmp": 20, "prm": 21, "xns-idp": 22, "trunk-1": 23, "trunk-2": 24, "leaf-1": 25, "leaf-2": 26, "rdp": 27,
    "irtp": 28, "iso-tp4": 29, "netblt": 30, "mfe-nsp": 31, "merit-inp": 32, "dccp": 33, "3pc": 34, "idpr": 35, "xtp": 36,
    "ddp": 37, "idpr-cmtp": 38, "tp++": 39, "il": 40, "ipv6": 41, "sdrp": 42, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45,
    "rsvp": 46, "gre": 47, "dsr": 48, "bna": 49, "esp": 50, "ah": 51, "inlsp": 52, "swipe": 53, "narp": 54, "mobile": 55,
    "tlsp": 56, "skip": 57, "icmpv6": 58, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "cftp": 62, "sat-expak": 64,
    "kryptolan": 65, "rvd": 66, "ippc": 67, "sat-mon": 69, "visa": 70, "ipcv": 71, "cpnx": 72, "cphb": 73, "rspf": 73,
    "wsn": 74, "pvp": 75, "br-sat-mon": 76, "sun-nd": 77, "wb-mon": 78, "wb-expak": 79, "iso-ip": 80, "vmtp": 81,
    "secure-vmtp": 82, "vines": 83, "ttp": 84, "nsfnet-igp": 85, "dgp": 86, "tcf": 87, "eigrp": 88, "ospf": 89, "ospfigp": 89,
    "sprite-rpc": 90, "larp": 91, "mtp": 92, "ax.25": 93, "ipip": 94, "micp": 95, "scc-sp": 96, "etherip": 97, "encap": 98,
    "gmtp": 100, "ifmp": 101, "pnni": 102, "pim": 103, "aris": 104, "scps": 105, "qnx": 106, "a/n": 107, "ipcomp": 108,
    "snp": 109, "compaq-peer": 110, "ipx-in-ip": 111, "vrrp": 112, "pgm": 113, "l2tp": 115, "ddx": 116, "iatp": 117,
    "stp": 118, "srp": 119, "uti": 120, "smp": 121, "sm": 122, "ptp": 123, "isis": 124, "fire": 125, "crtp": 126,
    "crudp": 127, "sscopmce": 128, "iplt": 129, "sps": 130, "pipe": 131, "sctp": 132, "fc": 133, "rsvp-e2e-ignore": 134,
    "mobility-header": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141,
    "rohc": 142, "ethernet": 143,
  ]

  /// Source: `nft describe icmp_type`.
  private static let icmpTypes: [String: UInt8] = [
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "address-mask-request": 17,
    "address-mask-reply": 18,
  ]

  /// Source: `nft describe icmp_code`; numbers from nft 1.1.0 on.
  private static let icmpCodes: [String: UInt8] = [
    "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "frag-needed": 4,
    "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
  ]

  /// Source: `nft describe icmpv6_type`.
  private static let icmpv6Types: [String: UInt8] = [
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
    "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
    "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142, "mld2-listener-report": 143,
  ]

  /// Source: `nft describe icmpv6_code`; numbers from nft 1.1.0 on.
  private static let icmpv6Codes: [String: UInt8] = [
    "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4, "policy-fail": 5, "reject-route": 6,
  ]

  /// Source: `nft describe ct_state`.
  private static let connectionStates: [String: UInt8] = [
    "invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64,
  ]
}
