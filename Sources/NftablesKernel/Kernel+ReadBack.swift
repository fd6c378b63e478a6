public import Nftables
import PacketSpace

extension Kernel {
  /// Whether the kernel's table is the planned one in all that was touched, and has no more and no fewer chains, sets and maps.
  ///
  /// Takes time by what was touched, however large the table is, where a listing by libnftables takes the square of the table's
  /// rules. Elements are read as the kernel holds them. Of rules the kernel's own form is compared with that of the planned
  /// ones, which are loaded in a private namespace for it, and listed there to see that they mean what is planned.
  ///
  /// - Parameter touched: objects of `planned` that transactions named.
  /// - Returns: false also where something isn't like that only because it can't be told so: a listing of the table can tell.
  public borrowing func holds(_ touched: Set<ObjectName>, of planned: Ruleset) throws(KernelError) -> Bool {
    let operation = "read back table inet \(planned.tableName)"
    guard try flags(of: planned.tableName) == 0, try hasNames(of: planned, operation) else { return false }
    var there = Ruleset(tableName: planned.tableName)
    var meant = there
    for var set in planned.sets where touched.contains(.set(set.name)) {
      meant.sets.append(set)
      guard let found = try elements(of: set.name, set.types, set.isInterval, planned.tableName, operation) else {
        return false
      }
      set.elements = found.keys
      there.sets.append(set)
    }
    for var map in planned.maps where touched.contains(.set(map.name)) {
      meant.maps.append(map)
      guard let found = try elements(of: map.name, map.types, map.isInterval, planned.tableName, operation) else {
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

  private borrowing func hasNames(of planned: Ruleset, _ operation: String) throws(KernelError) -> Bool {
    guard let chains = try socket.list(.chains(table: planned.tableName), operation),
      let sets = try socket.list(.sets(table: planned.tableName), operation)
    else { return false }
    var rest = Dictionary(planned.chains.map { ($0.name, $0.base) }) { first, _ in first }
    for chain in chains where chain.text(1) == planned.tableName {  // NFTA_CHAIN_TABLE, _NAME, _HOOK, _POLICY
      guard let base = chain.text(3).flatMap({ rest.removeValue(forKey: $0) }) else { return false }
      let hook = chain.nested(4)
      guard let base else {
        if hook.first(where: { _ in true }) != nil { return false }
        continue
      }
      // NFTA_HOOK_HOOKNUM and _PRIORITY; of policies NF_DROP is 0 and NF_ACCEPT 1
      guard hook.number(1) == base.hook.number, hook.number(2) == UInt64(UInt32(bitPattern: base.priority)),
        chain.number(5) == (base.policy == .drop ? 0 : 1)
      else { return false }
    }
    if !rest.isEmpty { return false }
    var names = Set(planned.sets.map(\.name) + planned.maps.map(\.name))
    for set in sets where set.text(1) == planned.tableName {  // NFTA_SET_TABLE, _NAME, _FLAGS
      let isAnonymous = (set.number(3) ?? 0) & 1 != 0
      if !isAnonymous, set.text(2).flatMap({ names.remove($0) }) == nil { return false }
    }
    return names.isEmpty
  }

  // MARK: - Elements

  /// The elements of a set or a map, of a set each with `continue` for a verdict; nil where they aren't such as Cordon writes.
  private borrowing func elements(
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
