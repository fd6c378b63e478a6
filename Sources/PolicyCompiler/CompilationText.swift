public import Diagnostics
import Nftables
import PolicyLanguage

extension Compilation {
  /// The ruleset as a `.nft` file: it loads by itself, once or again. Comments behind `#` lead from each rule to the place in the
  /// policy that asked for it; they reach no kernel.
  public func text(_ sources: SourceFiles) -> [UInt8] {
    let places = SourcePlaces(sources)
    var annotated = ruleset
    let names = sources.files.map { SourcePlaces.printable($0.name) }.joined(separator: " ")
    let target =
      switch enforcement {
      case .gateway: "a gateway"
      case .host(let instance): "the machine \(policy.instances[instance].name)"
      }
    annotated.annotations = [
      "cordon: the security groups of \(names) for \(target)",
      observes ? "It drops nothing: what the policy denies is counted and logged, and passes." : nil,
      "Loading this file replaces the table inet \(ruleset.tableName), and no other. Edit the policy, not this file.",
    ].compactMap { $0 }
    return TextWriter.write(annotated) { origin in
      let references = provenance.rules(origin)
      let first = policy.groups[references[0].group].rules(references[0].direction)[references[0].index]
      if references.count == 1 { return "\(places.place(first.range)) \(places.line(first.range))" }
      let shown = references.prefix(8).map { places.place(policy.groups[$0.group].rules($0.direction)[$0.index].range) }
      return shown.joined(separator: " ")
        + (references.count > shown.count ? " and \(references.count - shown.count) more" : "")
    }
  }

  /// The ruleset as nft reads it, without comments for a reader.
  public func text() -> [UInt8] {
    var bare = ruleset
    bare.annotations = []
    return TextWriter.write(bare)
  }
}

/// Where things stand in the policy's files, in words.
public struct SourcePlaces: Sendable {
  private let sources: SourceFiles
  private let names: [String]
  private let tables: [LineTable]

  public init(_ sources: SourceFiles) {
    self.sources = sources
    names = sources.files.map { SourcePlaces.printable($0.name) }
    tables = sources.files.map { LineTable($0) }
  }

  /// `policy.yaml:13`.
  public func place(_ range: SourceRange) -> String {
    "\(names[Int(range.file)]):\(tables[Int(range.file)].line(of: range.start))"
  }

  /// The text of a range on one line: blanks and line ends are one blank each, comments are left out, what isn't printable
  /// ASCII is a `?`, and it is cut at 100 characters.
  public func line(_ range: SourceRange) -> String {
    var result: [UInt8] = []
    var isBlank = true
    var isComment = false
    for byte in sources[Int(range.file)].bytes[Int(range.start)..<Int(range.end)] {
      if byte == 0x0A { isComment = false }
      if byte == 0x23, isBlank { isComment = true }
      if isComment { continue }
      if byte == 0x20 || byte == 0x0A || byte == 0x0D {
        if !isBlank { result.append(0x20) }
        isBlank = true
      } else {
        result.append((0x21...0x7E).contains(byte) ? byte : 0x3F)
        isBlank = false
      }
      if result.count > 100 { return String(decoding: result.prefix(97), as: UTF8.self) + "..." }
    }
    while result.last == 0x20 { result.removeLast() }
    return String(decoding: result, as: UTF8.self)
  }

  static func printable(_ name: String) -> String {
    String(decoding: name.utf8.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
  }
}
