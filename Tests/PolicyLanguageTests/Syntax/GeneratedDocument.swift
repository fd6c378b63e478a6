/// Texts to try parsers on.
enum GeneratedDocument {
  /// Pieces of YAML in any order: nearly always wrong, and each time in another way.
  static func soup(using generator: inout some RandomNumberGenerator) -> String {
    let pieces = [
      "a", "b", "c d", "e: ", "f:", "g: h", "'q'", "\"r\"", "'it''s'", "\"\\x41\"", ":", ": ", " ", "  ", "    ", "\n", "\n",
      "\n",
      "\n  ", "\n    ", "\n- ", "\n  - ", "- ", "-", "[", "]", "{", "}", ", ", ",", "#", " # note", "\t", "::1", "fd00::",
      "&x ", "*x",
      "!t ", "|", ">", "? ", "?", "\n---\n", "\n...\n", "\r\n", "%", "@", "`", "\\", "'", "\"", "\u{e9}", "\u{85}", "\u{2028}",
      "\r",
      "k: v\n", "l: [m]\n", "n: {o: p}\n", "\u{FEFF}", "\u{0}", "~", "x:y", "-1", "--- ",
    ]
    return (0..<Int.random(in: 1...14, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }.joined()
  }

  /// A document in the language, in any layout that the language has, with comments.
  static func valid(using generator: inout some RandomNumberGenerator) -> String {
    var writer = Writer(generator: generator)
    defer { generator = writer.generator }
    writer.document()
    return writer.text
  }

  /// A valid document with a few characters lost, doubled or put in: nearly right.
  static func nearlyValid(using generator: inout some RandomNumberGenerator) -> String {
    var characters = Array(valid(using: &generator).unicodeScalars)
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      guard let place = characters.indices.randomElement(using: &generator) else { break }
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: characters.remove(at: place)
      case 1: characters.insert(characters[place], at: place)
      default: characters.insert(" \t\n:-[]{},#'\"?&*!|>%@~\\".unicodeScalars.randomElement(using: &generator)!, at: place)
      }
    }
    return String(String.UnicodeScalarView(characters))
  }

  private struct Writer<Generator: RandomNumberGenerator> {
    var generator: Generator
    var text = ""
    var keys = 0

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements.randomElement(using: &generator)! }

    mutating func document() {
      if chance(5) { text += "\u{FEFF}" }
      lines()
      if chance(20) { text += "---\(trailing())\n" }
      block(indent: chance(10) ? 2 : 0, depth: 0, ownIndent: false)
      if chance(10) { text += "...\n" }
      if chance(20) { text += pick(["# end", "\n\n", "  # end\n"]) }
      if chance(10) { text = text.replacing("\n", with: "\r\n") }
    }

    /// Blank lines and comments of their own.
    mutating func lines() {
      while chance(15) { text += pick(["\n", "# c\n", "    # deep: [\n", "  \n", "#\n"]) }
    }

    mutating func trailing() -> String { chance(10) ? pick([" # t", "  #t: 'x", " "]) : "" }

    mutating func key(inFlow: Bool) -> String {
      keys += 1
      return pick(["k\(keys)", "k\(keys)", "'k \(keys)'", "\"k\\x41\(keys)\"", "k\(keys)-x", "k \(keys)"])
        + (chance(5) ? " " : "")
    }

    mutating func scalar(inFlow: Bool) -> String {
      pick(
        [
          "web", "10.0.0.0/8", "tcp/80-90", "a b  c", "'x: # y'", "\"\\t\\u00e9\\\\ \\\"\"", "''", "\"\"", "'it''s'", "no",
          "-1", "1:2",
          "x#y", "~", "\u{e9}\u{1F600}", "a'b", "fd00::1", "\"2001:db8::/32\"", "a \"b\"", "\"[\"",
        ] + (inFlow ? [] : ["::1", "::/0", "a, b", "x[1]", "?x", ":y"]))
    }

    mutating func block(indent: Int, depth: Int, ownIndent: Bool) {
      let isMapping = ownIndent ? false : chance(70)
      let margin = String(repeating: " ", count: indent)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        lines()
        text += margin
        if isMapping { text += key(inFlow: false) + ":" } else { text += "-" }
        entry(indent: indent, depth: depth, isMapping: isMapping)
      }
    }

    /// What stands behind a key's colon or a dash.
    mutating func entry(indent: Int, depth: Int, isMapping: Bool) {
      switch Int.random(in: 0..<(depth < 4 ? 10 : 6), using: &generator) {
      case 0: text += trailing() + "\n"
      case 1, 2, 3: text += pick([" ", " ", "   "]) + scalar(inFlow: false) + trailing() + "\n"
      case 4: text += " " + flow(indent: indent, depth: 0) + trailing() + "\n"
      case 5:
        text += trailing() + "\n"
        lines()
        text += String(repeating: " ", count: indent + 3) + scalar(inFlow: false) + "\n"
      case 6 where isMapping:
        text += trailing() + "\n"
        block(indent: indent, depth: depth + 1, ownIndent: true)
      case 6, 7:
        guard !isMapping else { fallthrough }
        // A collection on its dash's line.
        var inner = Writer(generator: generator, keys: keys)
        inner.block(indent: indent + 2, depth: depth + 1, ownIndent: false)
        (generator, keys) = (inner.generator, inner.keys)
        let lines = inner.text.split(separator: "\n", omittingEmptySubsequences: false)
        let first = lines.firstIndex { !$0.drop { $0 == " " }.isEmpty && $0.drop { $0 == " " }.first != "#" }!
        text += " " + lines[first...].joined(separator: "\n").dropFirst(indent + 2)
      default:
        text += trailing() + "\n"
        block(indent: indent + pick([1, 2, 2, 2, 4]), depth: depth + 1, ownIndent: false)
      }
    }

    mutating func flow(indent: Int, depth: Int) -> String {
      let isMapping = chance(40)
      var result = isMapping ? "{" : "["
      let isBroken = chance(20)
      let margin = String(repeating: " ", count: indent + 1 + Int.random(in: 0...3, using: &generator))
      let count = Int.random(in: 0...4, using: &generator)
      for index in 0..<count {
        if isBroken { result += trailing() + "\n" + (chance(10) ? "# own\n" : "") + margin }
        if chance(30) { result += " " }
        if isMapping { result += key(inFlow: true) + (chance(10) ? ": " : ":") }
        let isEmpty = isMapping && chance(10)
        if isMapping { result += " " }
        if !isEmpty { result += depth < 3 && chance(20) ? flow(indent: indent, depth: depth + 1) : scalar(inFlow: true) }
        if index + 1 < count || chance(20) { result += chance(10) ? " ," : "," }
      }
      if isBroken { result += trailing() + "\n" + margin }
      return result + (isMapping ? "}" : "]")
    }
  }
}
