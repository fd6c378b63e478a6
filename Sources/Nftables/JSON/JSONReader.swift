import PacketSpace

/// Reads a table back from libnftables' JSON, `nft -j list table inet NAME`, of 1.0.6 and newer.
///
///     [nft] {"rule": {"chain": "ingress/web", "expr": [{"match": …tcp dport 22…}, {"accept": null}], "comment": "web ingress 1"}}
///     [out] Rule([l4proto == tcp, th dport == 22, accept], comment: "web ingress 1")
///
/// What Cordon writes comes back as it was written, except where nft itself spells it otherwise (`CanonicalRule`). What Cordon
/// never writes is kept as its JSON text in the places named `unknown`; nothing is left out but handles and the numbers of
/// counters and quotas.
///
/// A table with flags, which is how somebody makes it dormant, is listed wrong by nft 1.0.6: it shows memory that it has
/// freed already in place of the flags, which is text of any kind or the end of the whole listing. So any `flags` at all count,
/// and a listing that breaks off there becomes a ruleset of which only this is known (`Ruleset.isCutOff`).
public struct JSONReader {
  /// Why a listing can't be read.
  public enum ReadError: Error, Hashable, Sendable {
    /// It is no JSON: the bytes in front of the place, and what is wrong there.
    case malformed(offset: Int, problem: String)
    /// It is JSON, and no listing of libnftables.
    case notAListing
    /// The table isn't in it.
    case noSuchTable
  }

  private let tree: JSONTree
  private let tableName: String
  private var ruleset: Ruleset
  private var chains: [String: Int] = [:]
  private var setNames: Set<String> = []
  private var hasTable = false

  /// The table of family `inet` and of that name. Objects of other tables are left aside.
  public static func read(_ json: [UInt8], table: String) throws(ReadError) -> Ruleset {
    let tree: JSONTree
    do throws(JSONTree.Malformed) {
      tree = try JSONTree(json)
    } catch {
      if let ruleset = cutOff(json, table) { return ruleset }
      throw .malformed(offset: error.offset, problem: error.problem)
    }
    var reader = JSONReader(tree, table)
    try reader.readListing()
    return reader.ruleset
  }

  /// A listing that breaks off behind the `"flags":` of the table.
  private static func cutOff(_ json: [UInt8], _ table: String) -> Ruleset? {
    let key = Array("\"flags\":".utf8)
    guard let range = json.firstRange(of: key), let tree = try? JSONTree(json[..<range.upperBound] + Array("null}}]}".utf8))
    else { return nil }
    var reader = JSONReader(tree, table)
    guard (try? reader.readListing()) != nil, reader.ruleset.hasTableFlags else { return nil }
    reader.ruleset.isCutOff = true
    return reader.ruleset
  }

  private init(_ tree: JSONTree, _ tableName: String) {
    self.tree = tree
    self.tableName = tableName
    ruleset = Ruleset(tableName: tableName)
  }

  private mutating func readListing() throws(ReadError) {
    guard let objects = tree[tree.root, "nftables"], tree.kind(objects) == .array else { throw .notAListing }
    for object in tree.elements(objects) {
      guard let (kind, value) = tree.onlyMember(object), tree.kind(value) == .object else { throw .notAListing }
      if tree.is(kind, "metainfo") { continue }
      let isTable = tree.is(kind, "table")
      guard let family = tree[value, "family"], tree.is(family, "inet"), let name = tree[value, isTable ? "name" : "table"],
        tree.is(name, tableName)
      else { continue }
      if isTable {
        readTable(value)
      } else if !readObject(kind, value) {
        keep(object)
      }
    }
    if !hasTable { throw .noSuchTable }
  }

  /// Reads an object into the ruleset; does nothing and says false where the ruleset has no place for it.
  private mutating func readObject(_ kind: JSONTree.Node, _ value: JSONTree.Node) -> Bool {
    if tree.is(kind, "rule") { return readRule(value) }
    if tree.is(kind, "chain") { return readChain(value) }
    if tree.is(kind, "set") { return readSet(value) }
    if tree.is(kind, "map") { return readMap(value) }
    if tree.is(kind, "limit") { return readLimit(value) }
    return false
  }

  /// Keeps an object as text, without what differs between two tables of the same making.
  private mutating func keep(_ object: JSONTree.Node) {
    guard let (kind, value) = tree.onlyMember(object) else { return }
    let text = tree.text(value, omitting: ["handle"] + (tree.is(kind, "counter") ? ["packets", "bytes"] : ["used"]))
    ruleset.unknown.append("{\(tree.text(kind)): \(text)}")
  }

  private func name(_ value: JSONTree.Node) -> String? { tree[value, "name"].flatMap(tree.string) }

  // MARK: - Objects

  private mutating func readTable(_ value: JSONTree.Node) {
    hasTable = true
    let keys = tree.members(value).map { tree.string($0.key) }
    if keys.contains("flags") { ruleset.hasTableFlags = true }
    if keys.contains(where: { !["family", "name", "handle", "flags"].contains($0) }) {
      ruleset.unknown.append("{\"table\": \(tree.text(value, omitting: ["handle", "flags"]))}")
    }
  }

  private mutating func readChain(_ value: JSONTree.Node) -> Bool {
    guard let name = name(value), chains[name] == nil else { return false }
    var chain = Chain(name)
    if let hookNode = tree[value, "hook"] {
      guard let hook = tree.string(hookNode).flatMap(Hook.init(rawValue:)), let type = tree[value, "type"].flatMap(tree.string),
        let priorityNode = tree[value, "prio"], let priority = tree.integer(priorityNode, as: Int32.self)
      else { return false }
      var policy = Verdict.accept
      if let node = tree[value, "policy"] {
        guard tree.is(node, "accept") || tree.is(node, "drop") else { return false }
        if tree.is(node, "drop") { policy = .drop }
      }
      chain.base = BaseChain(type: type, hook: hook, priority: priority, policy: policy)
    }
    chains[name] = ruleset.chains.count
    ruleset.chains.append(chain)
    let known = ["family", "table", "name", "handle", "type", "hook", "prio", "policy"]
    // a comment, say, doesn't keep the chain from being what it is
    return tree.members(value).allSatisfy { known.contains(tree.string($0.key) ?? "") }
  }

  private mutating func readRule(_ value: JSONTree.Node) -> Bool {
    guard let chain = tree[value, "chain"].flatMap(tree.string), let index = chains[chain],
      let statements = tree[value, "expr"], tree.kind(statements) == .array
    else { return false }
    var reader = JSONRuleReader(tree, setNames: setNames)
    var comment: String?
    for (key, member) in tree.members(value) {
      if tree.is(key, "expr") {
        for statement in tree.elements(member) { reader.append(statement) }
      } else if tree.is(key, "comment"), let text = tree.string(member) {
        comment = text
      } else if !["family", "table", "chain", "handle", "index", "position"].contains(tree.string(key)) {
        return false
      }
    }
    ruleset.chains[index].rules.append(Rule(reader.expressions, comment: comment))
    return true
  }

  private mutating func readLimit(_ value: JSONTree.Node) -> Bool {
    guard let name = name(value), let rate = tree.packetsPerSecond(value, besides: ["family", "name", "table", "handle"]) else {
      return false
    }
    ruleset.limits.append(NamedLimit(name, packetsPerSecond: rate))
    return true
  }

  private mutating func readSet(_ value: JSONTree.Node) -> Bool {
    guard let declaration = declaration(value, isMap: false) else { return false }
    var set = NamedSet(
      declaration.name, types: declaration.types, isInterval: declaration.isInterval, size: declaration.size,
      elements: Elements(stride: declaration.types.count), unknown: declaration.unknown)
    for node in declaration.elements {
      let (value, hasMore) = bare(node)
      let element = tree.element(value, set.types)
      if let element { set.elements.append(contentsOf: element) }
      if element == nil || hasMore { set.unknown.append("element \(tree.text(node))") }
    }
    setNames.insert(set.name)
    ruleset.sets.append(set)
    return true
  }

  private mutating func readMap(_ value: JSONTree.Node) -> Bool {
    guard let data = tree[value, "map"], tree.is(data, "verdict"), let declaration = declaration(value, isMap: true) else {
      return false
    }
    var map = VerdictMap(
      declaration.name, types: declaration.types, isInterval: declaration.isInterval, size: declaration.size,
      elements: VerdictElements(stride: declaration.types.count), unknown: declaration.unknown)
    for pair in declaration.elements {
      let parts = tree.elements(pair)
      if parts.count == 2, let verdict = tree.verdict(parts[1]) {
        let (value, hasMore) = bare(parts[0])
        if let element = tree.element(value, map.types) {
          map.elements.append(contentsOf: element, verdict: verdict)
          if !hasMore { continue }
        }
      }
      map.unknown.append("element \(tree.text(pair))")
    }
    ruleset.maps.append(map)
    return true
  }

  /// An element without what may be wrapped around it, and whether that says more: `{"elem": {"val": 22, "comment": "ssh"}}`.
  private func bare(_ node: JSONTree.Node) -> (JSONTree.Node, hasMore: Bool) {
    guard let (key, wrapped) = tree.onlyMember(node), tree.is(key, "elem"), let value = tree[wrapped, "val"] else {
      return (node, false)
    }
    return (value, tree.members(wrapped).count > 1)
  }

  private struct Declaration {
    var name: String
    var types: [DataType]
    var isInterval = false
    var size: Int?
    var unknown: [String] = []
    var elements: [JSONTree.Node] = []
  }

  /// What sets and maps have in common, or nil where the type of their keys is none of ours.
  private func declaration(_ value: JSONTree.Node, isMap: Bool) -> Declaration? {
    guard let name = name(value), let types = tree[value, "type"].flatMap(types) else { return nil }
    var result = Declaration(name: name, types: types)
    for (key, member) in tree.members(value) {
      switch tree.string(key) {
      case "family", "name", "table", "handle", "type":
        continue
      case "map" where isMap:
        continue
      case "elem" where tree.kind(member) == .array:
        result.elements = tree.elements(member)
      case "flags":
        // one flag is a string from 1.1.4 on
        for flag in tree.kind(member) == .array ? tree.elements(member) : [member] {
          if tree.is(flag, "interval") {
            result.isInterval = true
          } else {
            result.unknown.append("flags \(tree.string(flag) ?? tree.text(flag))")
          }
        }
      case "size":
        result.size = tree.integer(member)
        if result.size == nil { result.unknown.append("size \(tree.text(member))") }
      case let other:
        result.unknown.append("\(other ?? "") \(tree.string(member) ?? tree.text(member))")
      }
    }
    if result.isInterval, let size = result.size {
      // the kernel counts the ends of intervals, and Cordon declares it for exact sets alone
      result.unknown.append("size \(size)")
      result.size = nil
    }
    return result
  }

  /// `"ipv4_addr"`, `["inet_proto", "inet_service"]`, or from 1.1 on `{"typeof": …}` with a left side.
  private func types(_ node: JSONTree.Node) -> [DataType]? {
    if let (key, value) = tree.onlyMember(node) {
      return tree.is(key, "typeof") ? tree.key(value)?.key.fields.map(\.dataType) : nil
    }
    let names = tree.kind(node) == .array ? tree.elements(node) : [node]
    var result: [DataType] = []
    for name in names {
      guard let type = tree.string(name).flatMap(DataType.init(rawValue:)) else { return nil }
      result.append(type)
    }
    return result.isEmpty ? nil : result
  }
}
