import Glibc
import PacketSpace

extension TextObjects {
  /// A table that was written as a text before, by what it has in common with a planned one: only what differs has to be read.
  ///
  /// - Parameters:
  ///   - text: the planned table's, by the same writer.
  ///   - read: what a text of a few objects comes to, as a listing says it; nil where that can't be said.
  /// - Returns: nil where it can't be said.
  public func ruleset<E: Error>(
    beside planned: Ruleset, text: [UInt8], read: ([UInt8]) throws(E) -> Ruleset?
  ) throws(E) -> Ruleset? {
    guard let other = TextObjects(text) else { return nil }
    var differing: Set<ObjectName> = []
    // of sets and maps that differ in nothing but elements: the planned elements that they have too, by their places
    var common: [ObjectName: [Int]] = [:]
    // what has to be read
    var texts: [ObjectName: ArraySlice<UInt8>] = [:]
    for object in objects {
      let their = other[object.name]
      if let their, TextObjects.isAlike(their, object.bytes) { continue }
      differing.insert(object.name)
      if let parts = their.flatMap({ TextObjects.parts(object.bytes, $0) }) {
        common[object.name] = parts.common
        if let rest = parts.rest { texts[object.name] = rest[...] }
      } else {
        texts[object.name] = object.bytes
      }
    }
    var before = Ruleset(tableName: planned.tableName)
    if !texts.isEmpty {
      guard let found = try read(excerpt(texts, table: planned.tableName)) else { return nil }
      before = found
    }
    for set in planned.sets where common[.set(set.name)] != nil && texts[.set(set.name)] == nil {
      let none = Elements(stride: set.types.count)
      before.sets.append(NamedSet(set.name, types: set.types, isInterval: set.isInterval, size: set.size, elements: none))
    }
    for map in planned.maps where common[.set(map.name)] != nil && texts[.set(map.name)] == nil {
      let none = VerdictElements(stride: map.types.count)
      before.maps.append(VerdictMap(map.name, types: map.types, isInterval: map.isInterval, size: map.size, elements: none))
    }
    for (place, set) in before.sets.enumerated() {
      guard let places = common[.set(set.name)], let their = planned.sets.first(where: { $0.name == set.name }) else {
        continue
      }
      if places.contains(where: { $0 >= their.elements.count }) { return nil }
      for element in places { before.sets[place].elements.append(contentsOf: their.elements[element]) }
    }
    for (place, map) in before.maps.enumerated() {
      guard let places = common[.set(map.name)], let their = planned.maps.first(where: { $0.name == map.name }) else {
        continue
      }
      if places.contains(where: { $0 >= their.elements.count }) { return nil }
      for element in places {
        before.maps[place].elements.append(
          contentsOf: their.elements.keys[element], verdict: their.elements.verdicts[element])
      }
    }
    // in the planned order
    func together<Item>(_ planned: [Item], _ before: [Item], _ name: (Item) -> ObjectName) -> [Item] {
      var found = Dictionary(before.filter { differing.contains(name($0)) }.map { (name($0), $0) }) { first, _ in first }
      var result: [Item] = []
      result.reserveCapacity(planned.count)
      for item in planned {
        let object = name(item)
        if differing.contains(object) {
          if let own = found.removeValue(forKey: object) { result.append(own) }
        } else if self[object] != nil {
          result.append(item)
        }
      }
      return result + before.filter { found[name($0)] != nil }
    }
    var result = Ruleset(tableName: planned.tableName)
    result.limits = together(planned.limits, before.limits) { .limit($0.name) }
    result.chains = together(planned.chains, before.chains) { .chain($0.name) }
    result.sets = together(planned.sets, before.sets) { .set($0.name) }
    result.maps = together(planned.maps, before.maps) { .set($0.name) }
    // each of these is one that was asked for, and once
    let count = result.limits.count + result.chains.count + result.sets.count + result.maps.count
    return count == objects.count ? result : nil
  }

  /// Whether two texts are the same; `==` would go through them byte by byte.
  private static func isAlike(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
    a.count == b.count
      && a.withUnsafeBytes { a in b.withUnsafeBytes { b in a.isEmpty || memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 } }
  }

  /// Of two texts of a set or map that are declared alike: which elements of the second the first has too, and the text of the first
  /// with the rest of its elements alone, if there are any. Nil where they aren't such texts.
  private static func parts(_ own: ArraySlice<UInt8>, _ their: ArraySlice<UInt8>) -> (common: [Int], rest: [UInt8]?)? {
    guard let own = SetText(own), let their = SetText(their), own.head == their.head else { return nil }
    // most of them stand alike up to what differs, and behind it
    let shorter = min(own.elements.count, their.elements.count)
    let start = (0..<shorter).first { own.elements[$0] != their.elements[$0] } ?? shorter
    let end =
      (0..<shorter - start).first { own.elements[own.elements.count - 1 - $0] != their.elements[their.elements.count - 1 - $0] }
      ?? shorter - start
    let places = Dictionary((start..<their.elements.count - end).map { (their.elements[$0], $0) }) { first, _ in first }
    var common = Array(0..<start)
    var rest: [ArraySlice<UInt8>] = []
    for element in own.elements[start..<own.elements.count - end] {
      if let place = places[element] { common.append(place) } else { rest.append(element) }
    }
    common += their.elements.count - end..<their.elements.count
    if rest.isEmpty { return (common, nil) }
    let elements = Array("    elements = { ".utf8) + rest.joined(separator: [0x2C]) + Array(" }\n".utf8)
    return (common, own.head + elements + Array("  }".utf8))
  }

  /// The text of a set or map: up to its elements, and its elements.
  private struct SetText {
    let head: ArraySlice<UInt8>
    let elements: [ArraySlice<UInt8>]

    init?(_ text: ArraySlice<UInt8>) {
      guard text.starts(with: Array("  set ".utf8)) || text.starts(with: Array("  map ".utf8)) else { return nil }
      let start = Array("    elements = {".utf8)
      // the third line or the fourth
      var at = text.startIndex
      for _ in 0..<4 {
        if text[at...].starts(with: start) { break }
        at = text[at...].firstIndex(of: 0x0A).map { $0 + 1 } ?? text.endIndex
      }
      guard text[at...].starts(with: start), let end = text.lastIndex(of: UInt8(ascii: "}")),
        let last = text[..<end].lastIndex(of: UInt8(ascii: "}"))
      else { return nil }
      head = text[..<at]
      elements = SetText.elements(text[(at + start.count)..<last])
    }

    /// What stands between commas, without the blanks around it.
    private static func elements(_ list: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
      let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x0A }
      return list.withUnsafeBufferPointer { bytes in
        var result: [ArraySlice<UInt8>] = []
        var start = 0
        while start < bytes.count {
          var end = start
          while end < bytes.count, bytes[end] != UInt8(ascii: ",") { end += 1 }
          var (first, last) = (start, end)
          while first < last, isBlank(bytes[first]) { first += 1 }
          while first < last, isBlank(bytes[last - 1]) { last -= 1 }
          result.append(list[(list.startIndex + first)..<(list.startIndex + last)])
          start = end + 1
        }
        return result
      }
    }
  }

  /// A text of objects, with those that they speak of declared and empty.
  private func excerpt(_ texts: [ObjectName: ArraySlice<UInt8>], table: String) -> [UInt8] {
    var bytes = Array("table inet \(table) {\n".utf8)
    var spokenOf: Set<ObjectName> = []
    for object in objects {
      guard let text = texts[object.name] else { continue }
      bytes += text + [0x0A]
      TextObjects.forEachReference(text) { spokenOf.insert($0) }
    }
    for object in objects where spokenOf.contains(object.name) && texts[object.name] == nil {
      switch object.name {
      case .chain(let name): bytes += Array("  chain \(name) {\n  }\n".utf8)
      case .set: bytes += SetText(object.bytes).map { $0.head + Array("  }".utf8) } ?? object.bytes
      case .limit: bytes += object.bytes
      }
      bytes.append(0x0A)
    }
    return bytes + Array("}\n".utf8)
  }

  /// Calls `body` with what stands behind `@`, `jump`, `goto` and `limit name`; between quotation marks stands no such word, but the
  /// name of a limit.
  private static func forEachReference(_ text: ArraySlice<UInt8>, _ body: (ObjectName) -> Void) {
    var isQuoted = false
    var previous = ArraySlice<UInt8>()
    for word in text.split(whereSeparator: { $0 == 0x20 || $0 == 0x0A || $0 == UInt8(ascii: ",") }) {
      defer { previous = word }
      if word.count(where: { $0 == UInt8(ascii: "\"") }) % 2 == 1 { isQuoted.toggle() }
      if isQuoted { continue }
      if previous.elementsEqual("jump".utf8) || previous.elementsEqual("goto".utf8) {
        body(.chain(String(decoding: word, as: UTF8.self)))
      } else if previous.elementsEqual("name".utf8) {
        body(.limit(String(decoding: word.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)))
      } else if word.first == UInt8(ascii: "@") {
        body(.set(String(decoding: word.dropFirst(), as: UTF8.self)))
      }
    }
  }
}
