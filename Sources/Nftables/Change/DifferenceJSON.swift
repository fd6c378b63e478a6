extension RulesetDifference {
  /// The difference as JSON, on one line.
  ///
  ///     {
  ///       "table": "cordon",
  ///       "equal": false,
  ///       "state": "flagged",          only where something is the matter with the table: "missing", "flagged",
  ///                                    "flagged-and-cut-off" or "unflagged" (`TableState`)
  ///       "limits": [{"name": "denied", "live": "rate 100/second", "planned": "rate 10/second"}],
  ///       "chains": [{
  ///         "name": "ingress/web",
  ///         "presence": "changed",     "added" is planned only, "removed" is live only
  ///         "base": {"live": "type filter hook input priority 0; policy accept;", "planned": …},   only where it differs
  ///         "rules": [
  ///           {"change": "removed", "rule": "accept comment \"by hand\"", "live": 0},    positions count from 0
  ///           {"change": "added", "rule": "…", "planned": 0},
  ///           {"change": "moved", "rule": "…", "live": 4, "planned": 1}
  ///         ]
  ///       }],
  ///       "sets": [{
  ///         "kind": "map",             or "set"
  ///         "name": "ingress-ipv4",
  ///         "presence": "changed",
  ///         "declaration": {"live": "type ipv4_addr : verdict", "planned": …},   only where it differs
  ///         "elements": [{"live": "10.0.0.1 : drop", "planned": "10.0.0.1 : accept"}],
  ///         "properties": [{"live": "flags timeout"}]
  ///       }],
  ///       "unknown": [{"live": "{\"counter\": …}"}]      objects that Cordon never writes, as nft's JSON in a string
  ///     }
  ///
  /// Where something has a live and a planned side, a side that has nothing is left out. All words are nft's.
  public func json() -> String {
    var members: [(String, JSONText)] = [("table", .string(tableName)), ("equal", .boolean(isEmpty))]
    if let table { members.append(("state", .string(table.rawValue))) }
    members.append(
      (
        "limits",
        .array(
          limits.map { change in
            .object(
              [("name", .string((change.live ?? change.planned)!.name))]
                + JSONText.sides(change) { "rate \($0.packetsPerSecond)/second" })
          })
      ))
    members.append(("chains", .array(chains.map { .object($0.members) })))
    members.append(("sets", .array(sets.map { .object($0.members) })))
    members.append(("unknown", .array(unknown.map { .object(JSONText.sides($0) { $0 }) })))
    return JSONText.object(members).text
  }
}

extension RulesetDifference.ChainDifference {
  fileprivate var members: [(String, JSONText)] {
    var result: [(String, JSONText)] = [("name", .string(name)), ("presence", .string(presence.rawValue))]
    if let base { result.append(("base", .object(JSONText.sides(base) { DifferenceText.words($0) }))) }
    result.append(("rules", .array(rules.map { .object($0.members) })))
    return result
  }
}

extension RulesetDifference.RuleChange {
  fileprivate var members: [(String, JSONText)] {
    func members(_ change: String, _ rule: Rule) -> [(String, JSONText)] {
      [("change", .string(change)), ("rule", .string(TextWriter.line(rule)))]
    }
    switch self {
    case .removed(let rule, let position): return members("removed", rule) + [("live", .number(position))]
    case .added(let rule, let position): return members("added", rule) + [("planned", .number(position))]
    case .moved(let rule, let from, let to):
      return members("moved", rule) + [("live", .number(from)), ("planned", .number(to))]
    }
  }
}

extension RulesetDifference.SetDifference {
  fileprivate var members: [(String, JSONText)] {
    var result: [(String, JSONText)] = [
      ("kind", .string(DifferenceText.kind(self))), ("name", .string(name)), ("presence", .string(presence.rawValue)),
    ]
    if declaration.live != declaration.planned {
      result.append(("declaration", .object(JSONText.sides(declaration) { DifferenceText.words($0) })))
    }
    let elements = elements.map { element in
      JSONText.object(JSONText.sides(element.content) { DifferenceText.words(element, $0) })
    }
    result.append(("elements", .array(elements)))
    result.append(("properties", .array(properties.map { .object(JSONText.sides($0) { $0 }) })))
    return result
  }
}

/// A JSON text to be.
private enum JSONText {
  case string(String)
  case number(Int)
  case boolean(Bool)
  case array([JSONText])
  case object([(String, JSONText)])

  static func sides<Value>(_ change: RulesetDifference.Change<Value>, _ words: (Value) -> String) -> [(String, JSONText)] {
    (change.live.map { [("live", .string(words($0)))] } ?? [])
      + (change.planned.map { [("planned", .string(words($0)))] } ?? [])
  }

  var text: String {
    var output = ""
    write(to: &output)
    return output
  }

  private func write(to output: inout String) {
    switch self {
    case .string(let text): JSONText.write(text, to: &output)
    case .number(let number): output += String(number)
    case .boolean(let value): output += value ? "true" : "false"
    case .array(let values):
      output += "["
      for (index, value) in values.enumerated() {
        if index > 0 { output += ", " }
        value.write(to: &output)
      }
      output += "]"
    case .object(let members):
      output += "{"
      for (index, (key, value)) in members.enumerated() {
        if index > 0 { output += ", " }
        JSONText.write(key, to: &output)
        output += ": "
        value.write(to: &output)
      }
      output += "}"
    }
  }

  private static func write(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\":
        output += "\\"
        output.unicodeScalars.append(scalar)
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}":
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default:
        output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
