import Glibc

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
    guard let found = text.withUnsafeBufferPointer({ TextObjects.objects(in: $0) }) else { return nil }
    objects = found.map { Object(name: $0.name, bytes: text[$0.place]) }
    places = Dictionary(objects.enumerated().map { ($1.name, $0) }) { first, _ in first }
    if places.count != objects.count { return nil }
  }

  subscript(name: ObjectName) -> ArraySlice<UInt8>? { places[name].map { objects[$0].bytes } }

  private static func objects(in text: UnsafeBufferPointer<UInt8>) -> [(name: ObjectName, place: Range<Int>)]? {
    var objects: [(name: ObjectName, place: Range<Int>)] = []
    var lines = Lines(text)
    // up to `table inet NAME {`
    while true {
      guard let line = lines.next() else { return nil }
      if line.last == UInt8(ascii: "{") { break }
    }
    while true {
      guard let line = lines.next() else { return nil }
      // between objects stand empty lines and comments, and at the end the table's bracket
      if line.isEmpty || starts(line, with: "  # ") { continue }
      if line.count == 1, line[0] == UInt8(ascii: "}") { break }
      guard let name = name(line) else { return nil }
      let start = lines.start
      while true {
        guard let line = lines.next() else { return nil }
        if line.count == 3, starts(line, with: "  }") { break }
        guard line.count > 4, starts(line, with: "    ") else { return nil }
      }
      objects.append((name, start..<lines.end))
    }
    return lines.next() == nil ? objects : nil
  }

  private static func starts(_ line: UnsafeBufferPointer<UInt8>, with words: StaticString) -> Bool {
    line.count >= words.utf8CodeUnitCount && memcmp(line.baseAddress!, words.utf8Start, words.utf8CodeUnitCount) == 0
  }

  /// `  chain ingress/web {`
  private static func name(_ line: UnsafeBufferPointer<UInt8>) -> ObjectName? {
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
    private let text: UnsafeBufferPointer<UInt8>
    private var rest = 0
    /// Where the last line that `next` gave begins and ends.
    private(set) var start = 0
    private(set) var end = 0

    init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

    /// The next line without its end; nil behind the last.
    mutating func next() -> UnsafeBufferPointer<UInt8>? {
      if rest == text.count { return nil }
      start = rest
      let line = text.baseAddress! + start
      end = memchr(line, 0x0A, text.count - start).map { start + (UnsafeRawPointer($0) - UnsafeRawPointer(line)) } ?? text.count
      rest = min(end + 1, text.count)
      return UnsafeBufferPointer(start: line, count: end - start)
    }
  }
}
