import Diagnostics

/// Comments that silence findings: `# cordon: allow unused-group` behind what a finding is about, or alone on the line before it.
///
/// Several codes are parted by commas; what words follow are the reason, for readers.
struct Waivers {
  private struct Waiver {
    var code: String
    /// Where the code stands.
    var range: SourceRange
    /// The line whose findings it silences.
    var line: Int
    var isUsed = false
  }

  private var waivers: [Waiver] = []
  /// By file and line the waivers for it.
  private var places: [[Int: [Int]]] = []
  private var tables: [LineTable?]
  private let sources: SourceFiles
  private var unknown: [Diagnostic] = []

  init(_ comments: [SourceRange], _ sources: SourceFiles) {
    self.sources = sources
    tables = Array(repeating: nil, count: sources.files.count)
    places = Array(repeating: [:], count: sources.files.count)
    for comment in comments { read(comment) }
  }

  /// The findings that no waiver silences, and what is wrong with the waivers.
  mutating func apply(to findings: [Diagnostic]) -> [Diagnostic] {
    var result = findings.filter { !isWaived($0) }
    for waiver in waivers where !waiver.isUsed {
      result.append(
        Diagnostic(
          .warning, LintCode.unusedWaiver.rawValue, "there is no `\(waiver.code)` here to be waived", at: waiver.range,
          help: "remove it; a waiver stands on the line of the finding, or alone on the line before"))
    }
    return result + unknown
  }

  private mutating func isWaived(_ finding: Diagnostic) -> Bool {
    guard let range = finding.range, !places[Int(range.file)].isEmpty else { return false }
    let file = Int(range.file)
    let first = table(file).line(of: range.start)
    let last = max(first, table(file).line(of: max(range.start, range.end == 0 ? 0 : range.end - 1)))
    var isWaived = false
    for line in first...last {
      for index in places[file][line] ?? [] where waivers[index].code == finding.code {
        waivers[index].isUsed = true
        isWaived = true
      }
    }
    return isWaived
  }

  private mutating func table(_ file: Int) -> LineTable {
    if let table = tables[file] { return table }
    let table = LineTable(sources[file])
    tables[file] = table
    return table
  }

  // MARK: - Reading

  private mutating func read(_ comment: SourceRange) {
    let file = Int(comment.file)
    let bytes = sources[file].bytes
    var cursor = Cursor(bytes: bytes[Int(comment.start)..<min(Int(comment.end), bytes.count)])
    cursor.skip { $0 == UInt8(ascii: "#") || Waivers.isBlank($0) }
    guard cursor.take("cordon:") else { return }
    cursor.skip(while: Waivers.isBlank)
    guard cursor.take("allow"), let next = cursor.peek, Waivers.isBlank(next) else {
      unknown.append(
        Diagnostic(
          .warning, LintCode.unknownWaiver.rawValue, "this comment speaks to cordon, but not in words it knows", at: comment,
          help: "write `# cordon: allow CODE` to waive a finding"))
      return
    }
    let line = silencedLine(comment)
    var hasCode = false
    repeat {
      cursor.skip(while: Waivers.isBlank)
      let start = cursor.position
      cursor.skip { Waivers.isCode($0) }
      let range = SourceRange(file: file, start: start, end: cursor.position)
      let code = String(decoding: bytes[start..<cursor.position], as: UTF8.self)
      cursor.skip(while: Waivers.isBlank)
      // several words behind a comma are the reason
      let isAlone = cursor.peek == nil || cursor.peek == UInt8(ascii: ",")
      if hasCode, !isAlone, LintCode(rawValue: code) == nil { break }
      hasCode = true
      if LintCode(rawValue: code) != nil {
        places[file][line, default: []].append(waivers.count)
        waivers.append(Waiver(code: code, range: range, line: line))
      } else {
        let nearest = Suggestion.nearest(code, among: LintCode.allCases.map(\.rawValue))
        unknown.append(
          Diagnostic(
            .warning, LintCode.unknownWaiver.rawValue,
            code.isEmpty ? "a code should stand here" : "no finding of lint has the code `\(code)`", at: range,
            help: nearest.map { "write `\($0)`" }))
      }
    } while cursor.take(",")
  }

  /// The line of what stands before the comment, or where it is alone that of the next text.
  private mutating func silencedLine(_ comment: SourceRange) -> Int {
    let file = Int(comment.file)
    let table = table(file)
    let bytes = sources[file].bytes
    let line = table.line(of: comment.start)
    if !bytes[table.start(ofLine: line)..<Int(comment.start)].allSatisfy(Waivers.isBlank) { return line }
    // comments in a row speak of what is below them all
    var position = Int(comment.end)
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "#") {
        while position < bytes.count, bytes[position] != 0x0A { position += 1 }
      } else if Waivers.isBlank(bytes[position]) || bytes[position] == 0x0D || bytes[position] == 0x0A {
        position += 1
        if bytes[position - 1] == 0x0A, position < bytes.count, bytes[position] == 0x0A { break }
      } else {
        return table.line(of: UInt32(position))
      }
    }
    return line + 1
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  private static func isCode(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// A place in a comment.
  private struct Cursor {
    let bytes: ArraySlice<UInt8>
    var position: Int

    init(bytes: ArraySlice<UInt8>) {
      self.bytes = bytes
      position = bytes.startIndex
    }

    var peek: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    mutating func skip(while isSkipped: (UInt8) -> Bool) {
      while let byte = peek, isSkipped(byte) { position += 1 }
    }

    mutating func take(_ word: String) -> Bool {
      guard bytes[position...].starts(with: word.utf8) else { return false }
      position += word.utf8.count
      return true
    }
  }
}
