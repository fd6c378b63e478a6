import Nftables

/// What packets and the kernel pay for a ruleset, as `cordon compile --cost` shows it.
struct CostReport {
  private let cost: RulesetCost
  private let tableName: String
  /// How many of the chains that base chains lead to are shown to people.
  private static let longest = 20

  init(_ ruleset: Ruleset) {
    cost = RulesetCost(ruleset)
    tableName = ruleset.tableName
  }

  func text(_ format: OutputFormat) -> String {
    switch format {
    case .human: human
    case .plain: plain
    case .json: json
    }
  }

  // MARK: - For people

  private var human: String {
    let bases = cost.chains.filter { $0.base != nil }
    let others = cost.chains.filter { $0.base == nil }
    // the sort is stable: equals stay in the ruleset's order
    let dearest = others.sorted { $0.worst.nanoseconds > $1.worst.nanoseconds }.prefix(CostReport.longest)
    var rows: [[String]] = []
    for chain in bases {
      rows.append(CostReport.row(chain.name, chain.worst, chain.usual))
      if let established = chain.established { rows.append(CostReport.row("  established flows", established, nil)) }
    }
    for chain in dearest { rows.append(CostReport.row(chain.name, chain.worst, chain.usual)) }
    var lines = ["what the first packet of a flow pays, about, with all that a chain leads to:", ""]
    lines += CostReport.aligned(rows)
    if others.count > dearest.count {
      lines.append("and \(others.count - dearest.count) chains that cost no more; --output-format plain lists all")
    }
    let table = cost.table
    lines += [
      "",
      "table inet \(tableName): \(count(table.rules, "rule")), \(count(table.chains, "chain")), "
        + "\(count(table.sets, "set")) and maps (\(table.anonymousSets) without a name)",
      "  elements: \(table.exactElements) in hashes, \(table.intervalElements) intervals, "
        + "\(table.concatenatedElements) concatenated intervals",
      "  to load: about \(CostReport.seconds(table.loadSeconds)), and \(CostReport.bytes(table.loadBytes)) in nft",
    ]
    lines += table.warnings.map { "warning: \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  private static let heads = ["ns", "rules", "expressions", "hash", "tree", "concat"]

  private static func row(_ name: String, _ worst: PacketCost, _ usual: PacketCost?) -> [String] {
    [name] + numbers(worst) + (usual.map(numbers) ?? Array(repeating: "", count: heads.count))
  }

  private static func numbers(_ cost: PacketCost) -> [String] {
    [rounded(cost.nanoseconds)]
      + [cost.rules, cost.expressions, cost.hashLookups, cost.treeLookups, cost.concatenatedLookups].map(shortened)
  }

  /// The table with its two lines of heads; numbers end below each other.
  private static func aligned(_ rows: [[String]]) -> [String] {
    let table = [["chain"] + heads + heads] + rows
    let widths = table[0].indices.map { column in table.map { $0[column].count }.max()! }
    // a gap between worst and usual
    let gaps = widths.indices.map { $0 == 0 ? 0 : $0 == heads.count + 1 ? 5 : 2 }
    let lines = table.map { row in
      var line = row[0] + padding(widths[0] - row[0].count)
      for column in 1..<row.count {
        line += padding(gaps[column] + widths[column] - row[column].count) + row[column]
      }
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    let toWorst = widths[0] + gaps[1]
    let toUsual = (0...heads.count).reduce(0) { $0 + gaps[$1] + widths[$1] } + gaps[heads.count + 1]
    return [padding(toWorst) + "worst" + padding(toUsual - toWorst - 5) + "usual"] + lines
  }

  private static func padding(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

  private static func rounded(_ number: Double) -> String { "\(Int(number.rounded()))" }

  /// With one digit behind the point where it isn't whole.
  private static func shortened(_ number: Double) -> String {
    let tenths = Int((number * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  private static func seconds(_ number: Double) -> String {
    if number >= 1 { return "\(shortened(number)) s" }
    return number >= 0.001 ? "\(rounded(number * 1000)) ms" : "1 ms"
  }

  private static func bytes(_ number: Double) -> String {
    if number >= 1e9 { return "\(shortened(number / 1e9)) GB" }
    return number >= 1e6 ? "\(shortened(number / 1e6)) MB" : "\(rounded(number / 1000)) KB"
  }

  // MARK: - For machines

  /// A line for each chain, one for the table, one for each warning.
  private var plain: String {
    func words(_ cost: PacketCost) -> String {
      zip(["ns", "rules", "expressions", "hash", "tree", "concatenated"], CostReport.numbers(cost)).map { "\($0)=\($1)" }
        .joined(separator: " ")
    }
    var lines: [String] = []
    for chain in cost.chains {
      lines.append("chain \(chain.name) worst: \(words(chain.worst)) usual: \(words(chain.usual))")
      if let established = chain.established { lines.append("chain \(chain.name) established: \(words(established))") }
    }
    let table = cost.table
    lines.append(
      "table \(tableName) rules=\(table.rules) chains=\(table.chains) sets=\(table.sets) anonymous-sets=\(table.anonymousSets)"
        + " exact-elements=\(table.exactElements) interval-elements=\(table.intervalElements)"
        + " concatenated-elements=\(table.concatenatedElements)"
        + " load-ms=\(CostReport.rounded(table.loadSeconds * 1000)) load-bytes=\(CostReport.rounded(table.loadBytes))")
    lines += table.warnings.map { "warning: \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// `{ "table", "chains": [ { "chain", "hook", "worst": COST, "usual": COST, "established": COST } ], "rules", "chainCount",
  /// "sets", "anonymousSets", "exactElements", "intervalElements", "concatenatedElements", "loadSeconds", "loadBytes",
  /// "warnings" }`, where COST is `{ "nanoseconds", "rules", "expressions", "hashLookups", "treeLookups", "concatenatedLookups"
  /// }`. `sets` counts verdict maps and those without a name. A chain that isn't a base chain has no hook; `established` has a
  /// base chain that accepts such packets.
  private var json: String {
    struct Cost: Encodable {
      var nanoseconds, rules, expressions, hashLookups, treeLookups, concatenatedLookups: Double

      init(_ cost: PacketCost) {
        func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }
        nanoseconds = rounded(cost.nanoseconds)
        rules = rounded(cost.rules)
        expressions = rounded(cost.expressions)
        hashLookups = rounded(cost.hashLookups)
        treeLookups = rounded(cost.treeLookups)
        concatenatedLookups = rounded(cost.concatenatedLookups)
      }
    }
    struct Chain: Encodable {
      var chain: String
      var hook: String?
      var worst, usual: Cost
      var established: Cost?
    }
    struct Report: Encodable {
      var table: String
      var chains: [Chain]
      var rules, chainCount, sets, anonymousSets, exactElements, intervalElements, concatenatedElements: Int
      var loadSeconds: Double
      var loadBytes: Int
      var warnings: [String]
    }
    let table = cost.table
    return JSONText.encode(
      Report(
        table: tableName,
        chains: cost.chains.map {
          Chain(
            chain: $0.name, hook: $0.base?.hook.rawValue, worst: Cost($0.worst), usual: Cost($0.usual),
            established: $0.established.map { Cost($0) })
        },
        rules: table.rules, chainCount: table.chains, sets: table.sets, anonymousSets: table.anonymousSets,
        exactElements: table.exactElements, intervalElements: table.intervalElements,
        concatenatedElements: table.concatenatedElements, loadSeconds: (table.loadSeconds * 1e6).rounded() / 1e6,
        loadBytes: Int(table.loadBytes), warnings: table.warnings))
  }
}
