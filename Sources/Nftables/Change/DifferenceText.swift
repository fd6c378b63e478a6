import PacketSpace

extension RulesetDifference {
  /// The difference in nft's words, for somebody who has to decide something now. Empty where there is none.
  ///
  ///     - is live and not planned, + is planned and not live
  ///     table inet cordon: flags are set (dormant?): nothing in it is enforced
  ///     chain ingress/web
  ///       - ip saddr 10.0.0.0/8 accept comment "by hand"
  ///       + meta l4proto tcp th dport 443 accept comment "web ingress 2"
  ///     set group-ipv4/web
  ///       - 10.9.9.9
  ///     + chain ingress/db
  ///       + drop
  ///
  /// - Parameter limit: how many lines a chain or set may take before the rest is only counted; nil shows all.
  public func text(limit: Int? = 20) -> String {
    if isEmpty { return "" }
    var lines = [heading]
    if let table { lines.append("table inet \(DifferenceText.safe(tableName)): \(table.words)") }
    for change in limits {
      let limit = (change.live ?? change.planned)!
      lines.append("limit \(DifferenceText.safe(limit.name))")
      lines += DifferenceText.sides(change) { "rate \($0.packetsPerSecond)/second" }
    }
    for chain in chains {
      lines.append("\(chain.presence.mark)chain \(DifferenceText.safe(chain.name))")
      if let base = chain.base { lines += DifferenceText.sides(base) { DifferenceText.words($0) } }
      lines += DifferenceText.cut(chain.rules, limit, "rules") { $0.lines }
    }
    for set in sets {
      lines.append("\(set.presence.mark)\(DifferenceText.kind(set)) \(DifferenceText.safe(set.name))")
      if set.presence == .changed, set.declaration.live != set.declaration.planned {
        lines += DifferenceText.sides(set.declaration) { DifferenceText.words($0) }
      }
      lines += set.properties.flatMap { DifferenceText.sides($0, DifferenceText.safe) }
      lines += DifferenceText.cut(set.elements, limit, "elements") { element in
        DifferenceText.sides(element.content) { DifferenceText.words(element, $0) }
      }
    }
    if !unknown.isEmpty {
      lines.append("what Cordon never writes")
      lines += DifferenceText.cut(unknown, limit, "objects") { DifferenceText.sides($0, DifferenceText.safe) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var heading: String {
    let moves = chains.contains { chain in
      chain.rules.contains { change in
        if case .moved = change { true } else { false }
      }
    }
    return "- is live and not planned, + is planned and not live" + (moves ? ", > is live in another place" : "")
  }
}

/// Words that the difference's text and its JSON share.
enum DifferenceText {
  /// Text from the kernel, with `?` for what could reach a terminal.
  static func safe(_ text: String) -> String {
    var buffer = ByteBuffer()
    buffer.write(text) { (0x20...0x7E).contains($0) }
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  static func sides<Value>(_ change: RulesetDifference.Change<Value>, _ words: (Value) -> String) -> [String] {
    (change.live.map { ["  - \(words($0))"] } ?? []) + (change.planned.map { ["  + \(words($0))"] } ?? [])
  }

  static func cut<Item>(_ items: [Item], _ limit: Int?, _ noun: String, _ lines: (Item) -> [String]) -> [String] {
    guard let limit, items.count > limit else { return items.flatMap(lines) }
    return items.prefix(limit).flatMap(lines) + ["  … and \(items.count - limit) more \(noun)"]
  }

  static func words(_ base: BaseChain) -> String {
    let policy = base.policy == .drop ? "drop" : "accept"
    return "type \(safe(base.type)) hook \(base.hook.rawValue) priority \(base.priority); policy \(policy);"
  }

  static func words(_ declaration: RulesetDifference.Declaration) -> String {
    "type " + declaration.types.map(\.rawValue).joined(separator: " . ") + (declaration.isMap ? " : verdict" : "")
      + (declaration.isInterval ? "; flags interval" : "") + (declaration.size.map { "; size \($0)" } ?? "")
  }

  static func words(_ element: RulesetDifference.ElementChange, _ content: RulesetDifference.Content) -> String {
    let key = TextWriter.element(element.key[...], types: element.types)
    switch content {
    case .member: return key
    case .verdict(let verdict): return "\(key) : \(TextWriter.line(Rule([.verdict(verdict)])))"
    }
  }

  static func kind(_ set: RulesetDifference.SetDifference) -> String {
    (set.declaration.planned ?? set.declaration.live)?.isMap == true ? "map" : "set"
  }
}

extension RulesetDifference.Presence {
  fileprivate var mark: String {
    switch self {
    case .added: "+ "
    case .removed: "- "
    case .changed: ""
    }
  }
}

extension RulesetDifference.TableState {
  fileprivate var words: String {
    switch self {
    case .missing: "it isn't there: nothing is enforced"
    case .flagged: "flags are set (dormant?): nothing in it is enforced"
    case .flaggedAndCutOff: "flags are set (dormant?): nothing in it is enforced, and nft can't list what is in it"
    case .unflagged: "flags are planned (dormant?), and none are set"
    }
  }
}

extension RulesetDifference.RuleChange {
  fileprivate var lines: [String] {
    switch self {
    case .removed(let rule, _): ["  - \(TextWriter.line(rule))"]
    case .added(let rule, _): ["  + \(TextWriter.line(rule))"]
    case .moved(let rule, let from, let to):
      ["  > \(TextWriter.line(rule))  (live as rule \(from + 1), planned as rule \(to + 1))"]
    }
  }
}
