import Diagnostics
import PacketSpace

/// What may stand in a list of addresses and names.
struct PeerPlace {
  /// The key, for messages.
  var key: String
  var mayBeAny = false
  var mayBeRange = true
  var kinds: [Definition.Kind] = []
  /// What to do about an `any`.
  var helpOnAny: String?

  static func otherEnd(_ key: String) -> PeerPlace {
    PeerPlace(key: key, mayBeAny: true, kinds: [.prefixList, .group, .instance])
  }
  static func ownEnd(_ key: String) -> PeerPlace {
    PeerPlace(key: key, kinds: [.prefixList, .instance], helpOnAny: "leave `\(key)` out for all addresses of the group")
  }
  static func exempt(_ key: String) -> PeerPlace { PeerPlace(key: key, mayBeAny: true, kinds: [.prefixList]) }
  static func addresses(_ key: String) -> PeerPlace { PeerPlace(key: key, mayBeAny: true) }
  static func prefixes(_ key: String) -> PeerPlace { PeerPlace(key: key, mayBeRange: false) }

  /// What may stand here, in words.
  var choices: String {
    let words = ["addresses"] + kinds.map { "\($0.rawValue)s" }
    return words.count == 1 ? words[0] : words.dropLast().joined(separator: ", ") + " and " + words[words.count - 1]
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
      help: place.helpOnAny ?? "write addresses or prefixes")
    return nil
  }

  /// What bears the name, if it may stand here; if it may not, that is reported.
  private mutating func named(_ name: ScalarBytes, _ node: SyntaxNode, in tree: SyntaxTree, at place: PeerPlace) -> Peer? {
    guard let definition = peerNames[name] else { return nil }
    if place.kinds.contains(definition.kind) {
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
    if place.kinds.isEmpty {
      report(
        .error, .invalidAddress, "\(quoted(name)) is not an address", at: tree.range(node),
        help: place.mayBeRange
          ? "`\(place.key)` holds addresses, prefixes and ranges such as `10.0.0.5-10.0.0.9`"
          : "`\(place.key)` holds addresses such as `10.0.0.5` and prefixes such as `10.0.0.0/24`")
      return
    }
    if isIncomplete { return }
    if networkNames[name] != nil {
      report(
        .error, .wrongKindOfName, "\(quoted(name)) is a network, which can't stand in `\(place.key)`", at: tree.range(node),
        help: "`\(place.key)` holds \(place.choices)")
      return
    }
    let what =
      place.kinds.contains(.group)
      ? "group, prefix list or instance" : place.kinds.contains(.instance) ? "prefix list or instance" : "prefix list"
    let help = suggestion(for: name.string, among: peerNames.names)
    report(.error, .unknownPeer, "there is no \(what) \(quoted(name))", at: tree.range(node), help: help)
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
