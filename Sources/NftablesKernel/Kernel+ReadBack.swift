public import Nftables
import PacketSpace

extension Kernel {
  /// Whether the kernel's table is the planned one in all that was touched, and, where that was more than elements, has no more and
  /// no fewer chains, sets and maps.
  ///
  /// Takes time by what was touched, however large the table is, where a listing by libnftables takes the square of the table's
  /// rules. Elements are read as the kernel holds them. Of rules the kernel's own form is compared with that of the planned
  /// ones, which are loaded in a private namespace for it, and listed there to see that they mean what is planned.
  ///
  /// - Parameters:
  ///   - touched: objects of `planned` that transactions named.
  ///   - edits: what was done to some of these, if it is all that was: of these only what was edited is read, and counted how many
  ///     elements there are, where the kernel says so, as it does since 6.16.
  /// - Returns: false also where something isn't like that only because it can't be told so: a listing of the table can tell.
  public borrowing func holds(
    _ touched: Set<ObjectName>, of planned: Ruleset, after edits: [ChangePlan.ElementEdit] = []
  ) throws(KernelError) -> Bool {
    let table = planned.tableName
    let operation = "read back table inet \(table)"
    guard try flags(of: table) == 0 else { return false }
    let isElementsAlone = touched.isSubset(of: edits.map { .set($0.set) })
    guard let counts = try isElementsAlone ? counts(of: edits, table, operation) : counts(of: planned, operation) else {
      return false
    }
    var touched = touched
    for edit in edits {
      // an answer about one address of an interval says nothing of its others
      guard !edit.isInterval, let count = counts[edit.set] ?? nil,
        edit.removed.count + edit.added.count <= Kernel.mostAskedFor
      else { continue }
      guard try holds(edit, count, of: planned, operation) else { return false }
      touched.remove(.set(edit.set))
    }
    var there = Ruleset(tableName: planned.tableName)
    var meant = there
    for var set in planned.sets where touched.contains(.set(set.name)) {
      meant.sets.append(set)
      guard let found = try elements(of: set.name, set.types, set.isInterval, table, operation) else {
        return false
      }
      set.elements = found.keys
      there.sets.append(set)
    }
    for var map in planned.maps where touched.contains(.set(map.name)) {
      meant.maps.append(map)
      guard let found = try elements(of: map.name, map.types, map.isInterval, table, operation) else {
        return false
      }
      map.elements = found
      there.maps.append(map)
    }
    if !RulesetDifference.compare(live: there, planned: meant).isEmpty { return false }
    if touched.contains(where: { if case .limit = $0 { true } else { false } }) { return false }
    return try hasRules(of: touched, planned, operation)
  }

  // MARK: - Names

  /// The names of the table's sets and maps, with the number of elements where the kernel says it; nil where these or the chains
  /// aren't the planned ones.
  private borrowing func counts(of planned: Ruleset, _ operation: String) throws(KernelError) -> [String: Int?]? {
    guard let chains = try socket.list(.chains(table: planned.tableName), operation),
      let sets = try socket.list(.sets(table: planned.tableName), operation)
    else { return nil }
    var rest = Dictionary(planned.chains.map { ($0.name, $0.base) }) { first, _ in first }
    for chain in chains where chain.text(1) == planned.tableName {  // NFTA_CHAIN_TABLE, _NAME, _HOOK, _POLICY
      guard let base = chain.text(3).flatMap({ rest.removeValue(forKey: $0) }) else { return nil }
      let hook = chain.nested(4)
      guard let base else {
        if hook.first(where: { _ in true }) != nil { return nil }
        continue
      }
      // NFTA_HOOK_HOOKNUM and _PRIORITY; of policies NF_DROP is 0 and NF_ACCEPT 1
      guard hook.number(1) == base.hook.number, hook.number(2) == UInt64(UInt32(bitPattern: base.priority)),
        chain.number(5) == (base.policy == .drop ? 0 : 1)
      else { return nil }
    }
    if !rest.isEmpty { return nil }
    var names = Set(planned.sets.map(\.name) + planned.maps.map(\.name))
    var counts: [String: Int?] = [:]
    for set in sets where set.text(1) == planned.tableName {  // NFTA_SET_TABLE, _NAME, _FLAGS
      let isAnonymous = (set.number(3) ?? 0) & 1 != 0
      if isAnonymous { continue }
      guard let name = set.text(2).flatMap({ names.remove($0) }) else { return nil }
      counts.updateValue(set.count, forKey: name)
    }
    return names.isEmpty ? counts : nil
  }

  /// The same of what was edited alone: nothing else is asked for.
  private borrowing func counts(
    of edits: [ChangePlan.ElementEdit], _ table: String, _ operation: String
  ) throws(KernelError) -> [String: Int?]? {
    var counts: [String: Int?] = [:]
    for edit in edits where counts[edit.set] == nil {
      guard let set = try socket.ask(.set(table: table, name: edit.set), operation) else { return nil }
      counts.updateValue(set.count, forKey: edit.set)
    }
    return counts
  }

  // MARK: - Elements

  /// More elements than this are listed, and not asked for one by one.
  private static let mostAskedFor = 200

  /// Whether a set or map has as many elements as planned, and those among them that were edited are so.
  private borrowing func holds(
    _ edit: ChangePlan.ElementEdit, _ count: Int, of planned: Ruleset, _ operation: String
  ) throws(KernelError) -> Bool {
    let map = planned.maps.first { $0.name == edit.set }
    let keys = map?.elements.keys ?? planned.sets.first { $0.name == edit.set }?.elements
    guard keys?.count == count else { return false }
    let again = Set(edit.added.map(\.key))
    for element in edit.added + edit.removed.filter({ !again.contains($0.key) }) {
      let question = NetfilterSocket.Question.element(table: planned.tableName, set: edit.set, key: element.key)
      guard let answer = try socket.ask(question, operation) else {
        if again.contains(element.key) { return false }
        continue
      }
      var found = KernelElements(widths: [element.key.count], isInterval: false)
      for (_, item) in answer.nested(3) where !found.append(NetlinkAttributes(item)) { return false }
      guard again.contains(element.key), let whole = found.whole, whole.count == 1 else { return false }
      let key = element.key.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
      guard whole.keys.intervals == [Interval(key)], whole.verdicts == [element.verdict ?? .continue] else { return false }
    }
    return true
  }

  /// The elements of a set or a map, of a set each with `continue` for a verdict; nil where they aren't such as Cordon writes.
  borrowing func elements(
    of set: String, _ types: [DataType], _ isInterval: Bool, _ table: String, _ operation: String
  ) throws(KernelError) -> VerdictElements? {
    let widths = types.compactMap(\.keyWidth)
    guard widths.count == types.count, let messages = try socket.list(.elements(table: table, set: set), operation) else {
      return nil
    }
    var result = KernelElements(widths: widths, isInterval: isInterval)
    for message in messages {
      for (_, element) in message.nested(3) where !result.append(NetlinkAttributes(element)) { return nil }
    }
    return result.whole
  }

  // MARK: - Rules

  private borrowing func hasRules(
    of touched: Set<ObjectName>, _ planned: Ruleset, _ operation: String
  ) throws(KernelError) -> Bool {
    let table = planned.tableName
    let names = planned.chains.map(\.name).filter { touched.contains(.chain($0)) }
    if names.isEmpty { return true }
    let excerpt = planned.excerpt(ofChains: Set(names))
    var here: [[[UInt8]]] = []
    for name in names {
      guard let rules = try KernelRules.read(socket, table, name, operation) else { return false }
      here.append(rules)
    }
    return try PrivateNamespace().run { () throws(KernelError) -> Bool in
      var kernel = try Kernel()
      try kernel.apply(TextWriter.write(excerpt))
      for (name, rules) in zip(names, here) {
        if try KernelRules.read(kernel.socket, table, name, operation) != rules { return false }
      }
      guard let json = try kernel.list(table: table), let listed = try? JSONReader.read(json, table: table) else {
        return false
      }
      return RulesetDifference.compare(live: listed, planned: excerpt).isEmpty
    }
  }
}

extension NetlinkAttributes {
  /// NFTA_SET_COUNT: how many elements a set has.
  fileprivate var count: Int? { number(20).map { Int(clamping: $0) } }
}

extension Hook {
  /// As netfilter counts them.
  fileprivate var number: UInt64 {
    switch self {
    case .prerouting: 0
    case .input: 1
    case .forward: 2
    case .output: 3
    case .postrouting: 4
    }
  }
}

extension DataType {
  /// How many bytes a key of it has, the highest first; nil where the kernel has it in another order.
  fileprivate var keyWidth: Int? {
    switch self {
    case .nfproto, .inetProto, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code: 1
    case .inetService: 2
    case .ipv4Address: 4
    case .ipv6Address, .interfaceName: 16
    case .connectionState: nil
    }
  }
}
