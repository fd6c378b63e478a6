public import PacketSpace

/// Writes a ruleset in nft's own language.
///
///     # compiled from policy.yaml
///     table inet cordon
///     delete table inet cordon
///     table inet cordon {
///       chain forward {
///         type filter hook forward priority filter; policy accept;
///         ct state established,related accept
///         ip daddr vmap @ingress-ipv4
///       }
///       …
///     }
///
/// The text loads with `nft -f` on 1.0.6 in one transaction, any number of times with the same result. Base chains come first,
/// then the other chains, then verdict maps and sets, each in the order of the ruleset: nft takes forward references within
/// a table, and a reader begins where a packet does.
///
/// Names are the caller's to get right (`RulesetValidator`): a wrong one traps. In comments, log prefixes and annotations what
/// could end them or reach a terminal becomes `?`. What Cordon never writes (`Expression.unknown` and the like) traps.
public struct TextWriter {
  /// Where lines break, if they can.
  static let lineLength = 100

  var output = ByteBuffer()

  init() {}

  /// The `.nft` file.
  ///
  /// - Parameter annotation: what stands in a `#` comment with a rule of this origin, such as `policy.yaml:12`; nil for nothing.
  ///   Behind the rule where it fits, else on a line before it, and then once for all rules of that origin in a row.
  public static func write(_ ruleset: Ruleset, annotation: (Origin) -> String? = { _ in nil }) -> [UInt8] {
    precondition(ruleset.unknown.isEmpty && !ruleset.hasTableFlags, "only what Cordon makes is written")
    var writer = TextWriter()
    writer.output.reserve(ruleset.textEstimate)
    writer.writeTable(ruleset, annotation)
    return writer.output.bytes
  }

  /// One rule on one line, for showing; unknown expressions stand as their JSON text.
  public static func line(_ rule: Rule) -> String {
    var writer = TextWriter()
    writer.writeExpressions(rule, indent: nil)
    return String(decoding: writer.output.bytes, as: UTF8.self)
  }

  /// One element of a set or map whose key has `types`, as nft lists it: `tcp . 22`.
  public static func element(_ element: ArraySlice<Interval>, types: [DataType]) -> String {
    var writer = TextWriter()
    writer.writeElement(element, types)
    return String(decoding: writer.output.bytes, as: UTF8.self)
  }

  private mutating func writeTable(_ ruleset: Ruleset, _ annotation: (Origin) -> String?) {
    for line in ruleset.annotations { writeComment(line, indent: 0) }
    for start: StaticString in ["table inet ", "delete table inet "] {
      output.write(start)
      output.write(name: ruleset.tableName)
      output.newline()
    }
    writeBlock(ruleset, annotation)
  }

  /// `table inet NAME { … }`.
  mutating func writeBlock(_ ruleset: Ruleset, _ annotation: (Origin) -> String?) {
    output.write("table inet ")
    output.write(name: ruleset.tableName)
    output.write(" {")
    output.newline()
    var isFirst = true
    for limit in ruleset.limits { block(&isFirst) { $0.writeLimit(limit) } }
    for chain in ruleset.chains where chain.base != nil { block(&isFirst) { $0.writeChain(chain, annotation) } }
    for chain in ruleset.chains where chain.base == nil { block(&isFirst) { $0.writeChain(chain, annotation) } }
    for map in ruleset.maps { block(&isFirst) { $0.writeMap(map) } }
    for set in ruleset.sets { block(&isFirst) { $0.writeSet(set) } }
    output.write("}")
    output.newline()
  }

  /// Something in the table, with an empty line before all but the first.
  private mutating func block(_ isFirst: inout Bool, _ body: (inout TextWriter) -> Void) {
    if !isFirst { output.newline() }
    isFirst = false
    body(&self)
  }

  private mutating func writeComment(_ line: String, indent: Int) {
    self.indent(indent)
    output.write("# ")
    output.write(line, where: SafeText.isComment)
    output.newline()
  }

  mutating func indent(_ count: Int) {
    for _ in 0..<count { output.write(byte: UInt8(ascii: " ")) }
  }

  // MARK: - Objects

  private mutating func open(_ kind: StaticString, _ name: String, _ annotations: [String]) {
    for line in annotations { writeComment(line, indent: 2) }
    output.write(kind)
    output.write(name: name)
    output.write(" {")
    output.newline()
  }

  private mutating func close() {
    output.write("  }")
    output.newline()
  }

  private mutating func writeLimit(_ limit: NamedLimit) {
    open("  limit ", limit.name, [])
    output.write("    rate ")
    output.write(limit.packetsPerSecond)
    output.write("/second")
    output.newline()
    close()
  }

  private mutating func writeSet(_ set: NamedSet) {
    precondition(set.unknown.isEmpty, "only what Cordon makes is written")
    open("  set ", set.name, set.annotations)
    writeTypes(set.types)
    output.newline()
    if set.isInterval { writeIntervalFlag() }
    if let size = set.size { write(size: size) }
    if !set.elements.isEmpty {
      output.write("    elements = ")
      writeElements(set.elements, set.types, indent: 4)
      output.newline()
    }
    close()
  }

  private mutating func writeMap(_ map: VerdictMap) {
    precondition(map.unknown.isEmpty, "only what Cordon makes is written")
    open("  map ", map.name, map.annotations)
    writeTypes(map.types)
    output.write(" : verdict")
    output.newline()
    if map.isInterval { writeIntervalFlag() }
    if let size = map.size { write(size: size) }
    if !map.elements.isEmpty {
      output.write("    elements = ")
      writeElements(map.elements, map.types, indent: 4)
      output.newline()
    }
    close()
  }

  private mutating func writeTypes(_ types: [DataType]) {
    output.write("    type ")
    for (i, type) in types.enumerated() {
      if i > 0 { output.write(" . ") }
      output.write(name: type.rawValue)
    }
  }

  private mutating func writeIntervalFlag() {
    output.write("    flags interval")
    output.newline()
  }

  private mutating func write(size: Int) {
    output.write("    size ")
    output.write(UInt64(size))
    output.newline()
  }

  private mutating func writeChain(_ chain: Chain, _ annotation: (Origin) -> String?) {
    open("  chain ", chain.name, chain.annotations)
    if let base = chain.base {
      output.write("    type ")
      output.write(name: base.type)
      output.write(" hook ")
      output.write(name: base.hook.rawValue)
      output.write(" priority ")
      writePriority(base.priority)
      output.write("; policy ")
      writeVerdict(base.policy)
      output.write(";")
      output.newline()
    }
    // one line of comment serves all rules of its origin that stand behind it
    var annotated: UInt32?
    for rule in chain.rules {
      var note: String?
      if let origin = rule.origin, origin.rawValue != annotated { note = annotation(origin) }
      if rule.origin?.rawValue != annotated { annotated = nil }
      let start = output.count
      indent(4)
      writeExpressions(rule, indent: 4)
      if let note {
        if output.column + 4 + note.utf8.count <= TextWriter.lineLength {
          output.write("  # ")
          output.write(note, where: SafeText.isComment)
        } else {
          output.insertLine(at: start) { line in
            line.write("    # ")
            line.write(note, where: SafeText.isComment)
          }
          annotated = rule.origin?.rawValue
        }
      }
      output.newline()
    }
    close()
  }

  private mutating func writePriority(_ priority: Int32) {
    if priority == 0 {
      output.write("filter")
    } else {
      if priority < 0 { output.write("-") }
      output.write(priority.magnitude)
    }
  }
}

extension Ruleset {
  /// About how many bytes of text this is with its comments, from above: what isn't written to takes no memory.
  fileprivate var textEstimate: Int {
    var count = 4096
    for chain in chains { count += 200 + chain.rules.count * 160 }
    for set in sets { count += 100 + set.elements.intervals.count * 24 }
    for map in maps { count += 100 + map.elements.keys.intervals.count * 24 + map.elements.count * 32 }
    return count
  }
}
