/// The objects of a text that `TextWriter` wrote without annotations of rules, apart: what stands alike in two texts needn't be read
/// to know that it means the same.
public struct TextObjects: Sendable {
  /// A limit, chain, map or set.
  struct Object: Sendable {
    var name: ObjectName
    /// From its first line to its last.
    var bytes: ArraySlice<UInt8>
  }

  let objects: [Object]
  private let places: [ObjectName: Int]

  /// - Returns: nil where a line isn't such as `TextWriter` writes, or the last one isn't there.
  public init?(_ text: [UInt8]) {
    var objects: [Object] = []
    var lines = Lines(text[...])
    // up to `table inet NAME {`
    while true {
      guard let line = lines.next() else { return nil }
      if line.last == UInt8(ascii: "{") { break }
    }
    while true {
      guard let line = lines.next() else { return nil }
      // between objects stand empty lines and comments, and at the end the table's bracket
      if line.isEmpty || line.starts(with: Array("  # ".utf8)) { continue }
      if line.elementsEqual([UInt8(ascii: "}")]) { break }
      guard let name = TextObjects.name(line) else { return nil }
      var end = line.endIndex
      while true {
        guard let line = lines.next() else { return nil }
        end = line.endIndex
        if line.count == 3, line.elementsEqual(Array("  }".utf8)) { break }
        guard line.count > 4, line.starts(with: Array("    ".utf8)) else { return nil }
      }
      objects.append(Object(name: name, bytes: text[line.startIndex..<end]))
    }
    if lines.next() != nil { return nil }
    self.objects = objects
    places = Dictionary(objects.enumerated().map { ($1.name, $0) }) { first, _ in first }
    if places.count != objects.count { return nil }
  }

  subscript(name: ObjectName) -> ArraySlice<UInt8>? { places[name].map { objects[$0].bytes } }

  /// `  chain ingress/web {`
  private static func name(_ line: ArraySlice<UInt8>) -> ObjectName? {
    let words = line.split(separator: UInt8(ascii: " "))
    guard words.count == 3, words[2].elementsEqual([UInt8(ascii: "{")]) else { return nil }
    let name = String(decoding: words[1], as: UTF8.self)
    return switch String(decoding: words[0], as: UTF8.self) {
    case "chain": .chain(name)
    case "map", "set": .set(name)
    case "limit": .limit(name)
    default: nil
    }
  }

  private struct Lines {
    private var rest: ArraySlice<UInt8>
    init(_ text: ArraySlice<UInt8>) { rest = text }

    /// The next line without its end; nil behind the last.
    mutating func next() -> ArraySlice<UInt8>? {
      if rest.isEmpty { return nil }
      let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
      let line = rest[rest.startIndex..<end]
      rest = rest[min(end + 1, rest.endIndex)...]
      return line
    }
  }
}
