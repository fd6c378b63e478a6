import Nftables
import PacketSpace
import PolicyLanguage

/// What chains, sets and maps are called. Every name is a kind, a slash, and the policy's own name:
///
///     ingress/web          the chain of group web's ingress
///     ingress/db//web      of the addresses that are in db and in web
///     ingress.tcp-22/web   what of it concerns tcp/22
///     ingress.allow-1/web  the group's allows of priority 1, where several profiles have them
///     drop-to/web          what drops the packets to web's members; accept-from, drop-from, accept-to likewise
///     only-to/web          what lets packets pass to web's members, and drops all others
///     accept/ssh           what accepts the packets of a service; accept/tcp/8080 where it has no name
///     denied-ingress/web   where web's denied packets are logged
///     group-ipv4/web       web's members; list-ipv4/office: a prefix list's
///
/// A policy's name can't begin or end with a slash and has at most one, so `//` can't come out of one name, and the kind in
/// front means that no name is one of nft's keywords.
enum Names {
  /// The longest name of a profile: with it the log prefix `cordon NAME ingress: ` stays within the kernel's 127 bytes.
  static let longestProfile = 104

  static let forward = "forward"
  static let input = "input"
  static let output = "output"
  static let links = "links"
  static let boundLinks = "bound-links"
  static let deniedLimit = "denied"
  /// What the names of chains begin with to which denied packets go when they are logged.
  static let deniedPrefix = "denied-"
  static let deniedLinks = "denied-links"
  static let deniedUnmanaged = "denied-unmanaged"

  /// Groups' names, sorted and joined; past the limit cut, with a digest of the whole behind `///`.
  static func profile(_ groups: [String]) -> String {
    let whole = groups.sorted().joined(separator: "//")
    guard whole.utf8.count > longestProfile else { return whole }
    let digest = String(fnv1a(whole.utf8), radix: 16)
    return "\(whole.prefix(longestProfile - 3 - 16))///\(digest)"
  }

  static func chain(_ direction: Direction, _ profile: String) -> String { "\(direction.rawValue)/\(profile)" }
  static func deniedChain(_ direction: Direction, _ profile: String) -> String { "denied-\(direction.rawValue)/\(profile)" }
  /// A part of a profile's or a group's rules: `tcp-22` or `udp-8000-8100` of a service, `allow-10` of a priority.
  static func part(_ direction: Direction, _ part: String, of name: String) -> String {
    "\(direction.rawValue).\(part)/\(name)"
  }
  /// Of the packets whose other end is a group or a prefix list.
  static func peerChain(_ verdict: Verdict, _ direction: Direction, _ peer: String) -> String {
    "\(verdict == .accept ? "accept" : "drop")-\(direction == .ingress ? "from" : "to")/\(peer)"
  }
  /// Of egress that comes back from there to a group or a prefix list only.
  static func only(to peer: String) -> String { "only-to/\(peer)" }
  /// Of the packets of a service: its name, or such as `tcp/8080`.
  static func serviceChain(_ verdict: Verdict, _ service: String) -> String {
    "\(verdict == .accept ? "accept" : "drop")/\(service)"
  }
  static func dispatch(_ direction: Direction, _ family: IPFamily, prefixes: Bool) -> String {
    "\(direction.rawValue)-\(family.name)" + (prefixes ? "-prefixes" : "")
  }
  static func group(_ name: String, _ family: IPFamily) -> String { "group-\(family.name)/\(name)" }
  static func list(_ name: String, _ family: IPFamily) -> String { "list-\(family.name)/\(name)" }
  static func exempt(_ direction: Direction, _ family: IPFamily) -> String {
    "exempt-\(direction == .ingress ? "from" : "to")-\(family.name)"
  }
  static func protected(_ family: IPFamily) -> String { "protected-\(family.name)" }
  static func bound(_ family: IPFamily) -> String { "bound-\(family.name)" }
  static func bindings(_ family: IPFamily) -> String { "bindings-\(family.name)" }

  static func logPrefix(_ direction: Direction, _ profile: String) -> String { logPrefix("\(profile) \(direction.rawValue)") }
  static func logPrefix(_ place: String) -> String { "cordon \(place): " }

  /// FNV-1a, 64 bits: the same on every machine and in every run, which Swift's own hashing is not.
  private static func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}

extension IPFamily {
  var name: String { self == .ipv4 ? "ipv4" : "ipv6" }
}
