import Diagnostics
import PacketSpace

/// A list of addresses and names, and what may stand in it.
struct PeerPlace {
  enum Role { case otherEnd, ownEnd, exempt, addresses, prefixes }

  var role: Role
  /// The key, for messages.
  var key: String

  static func otherEnd(_ key: String) -> PeerPlace { PeerPlace(role: .otherEnd, key: key) }
  static func ownEnd(_ key: String) -> PeerPlace { PeerPlace(role: .ownEnd, key: key) }
  static func exempt(_ key: String) -> PeerPlace { PeerPlace(role: .exempt, key: key) }
  static func addresses(_ key: String) -> PeerPlace { PeerPlace(role: .addresses, key: key) }
  static func prefixes(_ key: String) -> PeerPlace { PeerPlace(role: .prefixes, key: key) }

  var mayBeAny: Bool {
    switch role {
    case .otherEnd, .exempt, .addresses: true
    case .ownEnd, .prefixes: false
    }
  }

  var mayBeRange: Bool { role != .prefixes }

  func holds(_ kind: Definition.Kind) -> Bool {
    switch kind {
    case .prefixList: role == .otherEnd || role == .ownEnd || role == .exempt
    case .instance: role == .otherEnd || role == .ownEnd
    case .group: role == .otherEnd
    case .network, .service: false
    }
  }

  /// What may stand here, in words.
  var choices: String {
    switch role {
    case .otherEnd: "addresses, prefix lists, groups and instances"
    case .ownEnd: "addresses, prefix lists and instances"
    case .exempt: "addresses and prefix lists"
    case .addresses: "addresses, prefixes and ranges such as `10.0.0.5-10.0.0.9`"
    case .prefixes: "addresses such as `10.0.0.5` and prefixes such as `10.0.0.0/24`"
    }
  }

  /// What may have a name here, in words; nil for nothing.
  var named: String? {
    switch role {
    case .otherEnd: "group, prefix list or instance"
    case .ownEnd: "prefix list or instance"
    case .exempt: "prefix list"
    case .addresses, .prefixes: nil
    }
  }
}

extension Resolver {
  /// One entry of a list of addresses and names; nil after a report.
  mutating func peer(_ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) -> Peer? {
    guard isScalar(node, in: tree, of: place.key) else { return nil }
    return tree.withUTF8(node) { bytes in
      if bytes.equals("any") { return any(node, in: tree, at: place) }
      switch AddressScalar.read(bytes) {
      case .addresses(let range, let form, let hasHostBits):
        if hasHostBits { warnOfHostBits(bytes, range, node, in: tree) }
        if form == .range, !place.mayBeRange {
          report(
            .error, .invalidAddress, "`\(place.key)` holds addresses and prefixes, not ranges", at: tree.range(node),
            help: "write the prefixes that make up the range")
          return nil
        }
        return .addresses(range)
      case .problem(let problem):
        // a group's name may begin like one: 10.0.0.300/web
        if let peer = named(bytes, node, in: tree, at: place) { return peer }
        report(problem, at: node, in: tree)
        return nil
      case .other:
        if let peer = named(bytes, node, in: tree, at: place) { return peer }
        if peerNames[bytes] == nil { reportUnknown(bytes, node, in: tree, at: place) }
        return nil
      }
    }
  }

  private mutating func any(_ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) -> Peer? {
    if place.mayBeAny { return .any }
    report(
      .error, .wrongKindOfName, "`any` can't stand in `\(place.key)`", at: tree.range(node),
      help: place.role == .ownEnd ? "leave `\(place.key)` out for all addresses of the group" : "write addresses or prefixes")
    return nil
  }

  /// What bears the name, if it may stand here; if it may not, that is reported.
  private mutating func named(_ name: ScalarBytes, _ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) -> Peer? {
    guard let definition = peerNames[name] else { return nil }
    if place.holds(definition.kind) {
      switch definition.kind {
      case .prefixList: return .prefixList(definition.index)
      case .group: return .group(definition.index)
      case .instance: return .instance(definition.index)
      case .network, .service: preconditionFailure("networks and services have names of their own")
      }
    }
    report(
      .error, .wrongKindOfName, "\(quoted(name)) is \(definition.kind.words), which can't stand in `\(place.key)`",
      at: tree.range(node), help: "`\(place.key)` holds \(place.choices)",
      notes: [Diagnostic.Note("\(quoted(name)) is defined here", at: definition.range)])
    return nil
  }

  private mutating func reportUnknown(_ name: ScalarBytes, _ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) {
    if name.equals("all") || name.equals("*") || name.equals("0/0") {
      report(
        .error, .cloudSpelling, "\(quoted(name)) is not an address or a name", at: tree.range(node),
        help: place.mayBeAny ? "write `any` for every address" : "write addresses or prefixes")
      return
    }
    guard let named = place.named else {
      report(
        .error, .invalidAddress, "\(quoted(name)) is not an address", at: tree.range(node),
        help: "`\(place.key)` holds \(place.choices)")
      return
    }
    if isIncomplete { return }
    if networkNames[name] != nil {
      report(
        .error, .wrongKindOfName, "\(quoted(name)) is a network, which can't stand in `\(place.key)`", at: tree.range(node),
        help: "`\(place.key)` holds \(place.choices)")
      return
    }
    let help = suggestion(for: name.string, among: peerNames.names) ?? "define it first, or write addresses"
    report(.error, .unknownPeer, "there is no \(named) \(quoted(name))", at: tree.range(node), help: help)
  }

  private mutating func warnOfHostBits(_ bytes: ScalarBytes, _ range: AddressRange, _ node: SyntaxNode, in tree: SyntaxTree) {
    guard hostBitWarnings.add(at: tree.range(node)) else { return }
    let length = range.prefixLength.map { "/\($0)" } ?? ""
    report(
      .warning, .hostBits, "\(quoted(bytes)) has bits beyond its length, which are ignored", at: tree.range(node),
      help: "write `\(range.lowerAddress)\(length)`")
  }

  /// The families that an entry can be of, as written. A group counts as both: members come and go.
  func families(of peer: Peer) -> FamilySet {
    switch peer {
    case .any, .group: .both
    case .addresses(let range): FamilySet(range.family)
    case .prefixList(let index): FamilySet(policy.prefixLists[index].addresses)
    case .instance(let index): FamilySet(policy.instances[index].addresses)
    }
  }

  /// All addresses of a list; none where it says nothing.
  mutating func addresses(_ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) -> AddressSet {
    var ranges: [AddressRange] = []
    for item in items(node, in: tree, of: place.key) {
      guard let peer = peer(item, in: tree, at: place) else { continue }
      switch peer {
      case .any: ranges += IPFamily.allCases.map(AddressRange.all)
      case .addresses(let range): ranges.append(range)
      case .prefixList, .group, .instance: ranges += policy.addresses(of: peer).ranges
      }
    }
    return AddressSet(ranges)
  }

  /// The peers of a list; none where it says nothing.
  mutating func peers(_ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) -> [Peer] {
    var peers: [Peer] = []
    for item in items(node, in: tree, of: place.key) {
      if let peer = peer(item, in: tree, at: place) { peers.append(peer) }
    }
    return peers
  }
}
