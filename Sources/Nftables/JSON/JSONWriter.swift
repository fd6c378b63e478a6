import PacketSpace

/// Writes a ruleset as the JSON that `nft -j -f` loads: the same table as `TextWriter`'s, in one transaction, any number of times.
///
///     {"nftables": [
///     {"metainfo": {"json_schema_version": 1}},
///     {"add": {"table": {"family": "inet", "name": "cordon"}}},
///     {"delete": {"table": {"family": "inet", "name": "cordon"}}},
///     {"add": {"table": {"family": "inet", "name": "cordon"}}},
///     …
///     ]}
///
/// An operation has a line. JSON has no forward references, so all chains come first, empty; then limits, sets and maps
/// with all of their elements; then the rules. Annotations are for readers of the text and are left out. What is said of
/// names and of what Cordon never writes holds here as it does for `TextWriter`.
/// - Source: libnftables-json(5); what 1.0.6 takes was tried.
public struct JSONWriter {
  var output = ByteBuffer()
  private let tableName: String

  private init(_ tableName: String) { self.tableName = tableName }

  /// The document.
  public static func write(_ ruleset: Ruleset) -> [UInt8] {
    precondition(ruleset.unknown.isEmpty && !ruleset.hasTableFlags, "only what Cordon makes is written")
    var writer = JSONWriter(ruleset.tableName)
    writer.output.reserve(ruleset.jsonEstimate)
    writer.writeDocument(ruleset)
    return writer.output.bytes
  }

  private mutating func writeDocument(_ ruleset: Ruleset) {
    output.write("{\"nftables\": [")
    output.newline()
    output.write("{\"metainfo\": {\"json_schema_version\": 1}}")
    writeTable("add")
    writeTable("delete")
    writeTable("add")
    for chain in ruleset.chains { writeChain(chain) }
    for limit in ruleset.limits { writeLimit(limit) }
    for set in ruleset.sets { writeSet(set) }
    for map in ruleset.maps { writeMap(map) }
    for chain in ruleset.chains {
      for rule in chain.rules { writeRule(rule, chain.name) }
    }
    output.newline()
    output.write("]}")
    output.newline()
  }

  // MARK: - Objects

  private mutating func next() {
    output.write(",")
    output.newline()
  }

  private mutating func writeTable(_ operation: StaticString) {
    next()
    output.write("{\"")
    output.write(operation)
    output.write("\": {\"table\": {\"family\": \"inet\", \"name\": \"")
    output.write(name: tableName)
    output.write("\"}}}")
  }

  /// Up to the name of an object of the table, whose closing quote is the caller's.
  private mutating func add(_ kind: StaticString, _ nameKey: StaticString, _ name: String) {
    next()
    output.write("{\"add\": {\"")
    output.write(kind)
    output.write("\": {\"family\": \"inet\", \"table\": \"")
    output.write(name: tableName)
    output.write("\", \"")
    output.write(nameKey)
    output.write("\": \"")
    output.write(name: name)
    output.write("\"")
  }

  private mutating func writeChain(_ chain: Chain) {
    add("chain", "name", chain.name)
    if let base = chain.base {
      output.write(", \"type\": \"")
      output.write(name: base.type)
      output.write("\", \"hook\": \"")
      output.write(name: base.hook.rawValue)
      output.write("\", \"prio\": ")
      if base.priority < 0 { output.write("-") }
      output.write(base.priority.magnitude)
      switch base.policy {
      case .accept: output.write(", \"policy\": \"accept\"")
      case .drop: output.write(", \"policy\": \"drop\"")
      case .return, .continue, .jump, .goto: preconditionFailure("a policy is accept or drop")
      }
    }
    output.write("}}}")
  }

  private mutating func writeLimit(_ limit: NamedLimit) {
    add("limit", "name", limit.name)
    output.write(", \"rate\": ")
    output.write(limit.packetsPerSecond)
    // as a text without a burst has it
    output.write(", \"per\": \"second\", \"burst\": 5}}}")
  }

  private mutating func writeSet(_ set: NamedSet) {
    precondition(set.unknown.isEmpty, "only what Cordon makes is written")
    add("set", "name", set.name)
    writeDeclaration(set.types, set.isInterval, set.size)
    if !set.elements.isEmpty {
      output.write(", \"elem\": ")
      writeList(set.elements.count) { $0.writeElement(set.elements[$1], set.types) }
    }
    output.write("}}}")
  }

  private mutating func writeMap(_ map: VerdictMap) {
    precondition(map.unknown.isEmpty, "only what Cordon makes is written")
    add("map", "name", map.name)
    output.write(", \"map\": \"verdict\"")
    writeDeclaration(map.types, map.isInterval, map.size)
    if !map.elements.isEmpty {
      output.write(", \"elem\": ")
      writeElements(map.elements, map.types)
    }
    output.write("}}}")
  }

  private mutating func writeDeclaration(_ types: [DataType], _ isInterval: Bool, _ size: Int?) {
    output.write(", \"type\": ")
    if types.count > 1 { output.write("[") }
    for (i, type) in types.enumerated() {
      if i > 0 { output.write(", ") }
      output.write("\"")
      output.write(name: type.rawValue)
      output.write("\"")
    }
    if types.count > 1 { output.write("]") }
    if isInterval { output.write(", \"flags\": [\"interval\"]") }
    if let size {
      output.write(", \"size\": ")
      output.write(UInt64(size))
    }
  }

  private mutating func writeRule(_ rule: Rule, _ chain: String) {
    add("rule", "chain", chain)
    output.write(", \"expr\": [")
    var context = TransportContext()
    var isFirst = true
    for (i, expression) in rule.expressions.enumerated() {
      let next = i + 1 < rule.expressions.count ? rule.expressions[i + 1] : nil
      guard context.enter(expression, next: next) else { continue }
      if !isFirst { output.write(", ") }
      isFirst = false
      writeExpression(expression, context)
    }
    output.write("]")
    if let comment = rule.comment {
      output.write(", \"comment\": \"")
      output.write(comment, where: SafeText.isQuoted)
      output.write("\"")
    }
    output.write("}}}")
  }

  /// `[…]` of `count` items.
  mutating func writeList(_ count: Int, _ writeItem: (inout JSONWriter, Int) -> Void) {
    output.write("[")
    for i in 0..<count {
      if i > 0 { output.write(", ") }
      writeItem(&self, i)
    }
    output.write("]")
  }
}

extension Ruleset {
  /// About how many bytes of JSON this is, from above.
  fileprivate var jsonEstimate: Int {
    var count = 4096
    for chain in chains { count += 150 + chain.rules.count * 400 }
    for set in sets { count += 150 + set.elements.intervals.count * 60 }
    for map in maps { count += 150 + map.elements.keys.intervals.count * 60 + map.elements.count * 60 }
    return count
  }
}
