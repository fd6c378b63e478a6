/// A JSON text (RFC 8259), read strictly, as one flat list of its values in their order.
///
/// Nothing is copied out of the text until somebody asks for it, numbers keep every digit, and nesting costs no stack. What
/// libnftables lists is large (11.5 MB for 30,000 rules), and a tree of values of their own is what makes other readers slow.
struct JSONTree: Sendable {
  enum Kind: UInt8, Sendable {
    case object, array, string, number, literalTrue, literalFalse, literalNull
  }

  /// A value in the tree.
  struct Node: Hashable, Sendable {
    fileprivate let index: Int
  }

  struct Malformed: Error, Hashable {
    /// Bytes in front of the place.
    var offset: Int
    var problem: String
  }

  /// How deep values may stand in each other. libnftables nests a dozen.
  static let depthLimit = 256

  private struct Entry {
    var kind: Kind
    /// Of a string: whether it has a backslash.
    var hasEscapes = false
    /// The value's bytes: a string's without the quotes.
    var start: UInt32
    var end: UInt32
    /// The entry behind this value and all that it holds.
    var next: UInt32
  }

  private let bytes: [UInt8]
  /// A container stands before its values; in an object a key before each value.
  private var entries: [Entry] = []

  init(_ bytes: [UInt8]) throws(Malformed) {
    self.bytes = bytes
    guard bytes.count < UInt32.max else { throw Malformed(offset: 0, problem: "the text has 4 GB or more") }
    entries.reserveCapacity(bytes.count / 12)
    let result: Result<Void, Malformed> = bytes.withUnsafeBufferPointer { text in
      do throws(Malformed) {
        try scan(text)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  // MARK: - Values

  var root: Node { Node(index: 0) }

  func kind(_ node: Node) -> Kind { entries[node.index].kind }

  /// The values of an array; none of anything else.
  func elements(_ node: Node) -> [Node] {
    guard kind(node) == .array else { return [] }
    var result: [Node] = []
    var index = node.index + 1
    let end = Int(entries[node.index].next)
    while index < end {
      result.append(Node(index: index))
      index = Int(entries[index].next)
    }
    return result
  }

  /// The members of an object; none of anything else.
  func members(_ node: Node) -> [(key: Node, value: Node)] {
    guard kind(node) == .object else { return [] }
    var result: [(key: Node, value: Node)] = []
    var index = node.index + 1
    let end = Int(entries[node.index].next)
    while index < end {
      result.append((Node(index: index), Node(index: index + 1)))
      index = Int(entries[index + 1].next)
    }
    return result
  }

  /// The first member of that key, or nil, also where `node` is no object.
  subscript(_ node: Node, _ key: StaticString) -> Node? {
    guard kind(node) == .object else { return nil }
    var index = node.index + 1
    let end = Int(entries[node.index].next)
    while index < end {
      if self.is(Node(index: index), key) { return Node(index: index + 1) }
      index = Int(entries[index + 1].next)
    }
    return nil
  }

  /// The member of an object that has just one.
  func onlyMember(_ node: Node) -> (key: Node, value: Node)? {
    guard kind(node) == .object else { return nil }
    let key = node.index + 1
    let end = Int(entries[node.index].next)
    guard key < end, Int(entries[key + 1].next) == end else { return nil }
    return (Node(index: key), Node(index: key + 1))
  }

  /// Whether it is this string.
  func `is`(_ node: Node, _ text: StaticString) -> Bool {
    let entry = entries[node.index]
    guard entry.kind == .string else { return false }
    if entry.hasEscapes { return string(node) == text.description }
    return text.withUTF8Buffer { $0.elementsEqual(bytes[Int(entry.start)..<Int(entry.end)]) }
  }

  func `is`(_ node: Node, _ text: String) -> Bool {
    withString(node) { $0.elementsEqual(text.utf8) } ?? false
  }

  /// A string, or nil where it is something else.
  func string(_ node: Node) -> String? {
    withString(node) { String(decoding: $0, as: UTF8.self) }
  }

  /// Calls `body` with the bytes of a string; nil where it is something else.
  func withString<T>(_ node: Node, _ body: (UnsafeBufferPointer<UInt8>) -> T?) -> T? {
    let entry = entries[node.index]
    guard entry.kind == .string else { return nil }
    let range = Int(entry.start)..<Int(entry.end)
    if entry.hasEscapes { return unescaped(bytes[range]).withUnsafeBufferPointer(body) }
    return bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[range])) }
  }

  /// A number without fraction and exponent that fits, or nil.
  func integer<T: FixedWidthInteger>(_ node: Node, as type: T.Type = T.self) -> T? {
    let entry = entries[node.index]
    guard entry.kind == .number else { return nil }
    return T(String(decoding: bytes[Int(entry.start)..<Int(entry.end)], as: UTF8.self))
  }

  /// The value as text, in libnftables' spacing; members of the names in `omitting` are left out of the outermost object.
  func text(_ node: Node, omitting: [String] = []) -> String {
    var output: [UInt8] = []
    write(node, omitting, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  private func write(_ node: Node, _ omitting: [String], to output: inout [UInt8]) {
    let entry = entries[node.index]
    switch entry.kind {
    case .object:
      output.append(UInt8(ascii: "{"))
      var isFirst = true
      for (key, value) in members(node) where omitting.isEmpty || !omitting.contains(string(key) ?? "") {
        if !isFirst { output += [UInt8(ascii: ","), UInt8(ascii: " ")] }
        isFirst = false
        write(key, [], to: &output)
        output += [UInt8(ascii: ":"), UInt8(ascii: " ")]
        write(value, [], to: &output)
      }
      output.append(UInt8(ascii: "}"))
    case .array:
      output.append(UInt8(ascii: "["))
      for (index, value) in elements(node).enumerated() {
        if index > 0 { output += [UInt8(ascii: ","), UInt8(ascii: " ")] }
        write(value, [], to: &output)
      }
      output.append(UInt8(ascii: "]"))
    case .string:
      output += bytes[Int(entry.start) - 1..<Int(entry.end) + 1]
    case .number, .literalTrue, .literalFalse, .literalNull:
      output += bytes[Int(entry.start)..<Int(entry.end)]
    }
  }

  /// What a string that the scan let pass stands for.
  private func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var at = text.startIndex
    while at < text.endIndex {
      guard text[at] == UInt8(ascii: "\\") else {
        result.append(text[at])
        at += 1
        continue
      }
      let letter = text[at + 1]
      at += 2
      switch letter {
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "u"):
        var units = [JSONTree.hexadecimal(text[at..<at + 4])!]
        at += 4
        if UTF16.isLeadSurrogate(units[0]), at + 6 <= text.endIndex, text[at] == UInt8(ascii: "\\"),
          text[at + 1] == UInt8(ascii: "u")
        {
          units.append(JSONTree.hexadecimal(text[at + 2..<at + 6])!)
          at += 6
        }
        result += Array(String(decoding: units, as: UTF16.self).utf8)
      default: result.append(letter)  // a quote, a backslash, a slash
      }
    }
    return result
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
    var value: UInt16 = 0
    for byte in digits {
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt16(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt16(byte - 0x37)
      case 0x61...0x66: value = value << 4 | UInt16(byte - 0x57)
      default: return nil
      }
    }
    return digits.count == 4 ? value : nil
  }
}

// MARK: - Scanning

extension JSONTree {
  private mutating func scan(_ text: UnsafeBufferPointer<UInt8>) throws(Malformed) {
    var open: [Int] = []
    var at = 0
    JSONTree.skipSpace(text, &at)
    while true {
      // a value begins here
      guard at < text.count else { throw Malformed(offset: at, problem: "the text ends in the middle") }
      let byte = text[at]
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
        guard open.count < JSONTree.depthLimit else {
          throw Malformed(offset: at, problem: "values stand too deep in each other")
        }
        let isObject = byte == UInt8(ascii: "{")
        open.append(entries.count)
        entries.append(Entry(kind: isObject ? .object : .array, start: UInt32(at), end: 0, next: 0))
        at += 1
        JSONTree.skipSpace(text, &at)
        if at < text.count, text[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          // an empty one: what closes it is read below
        } else {
          if isObject { try scanKey(text, &at) }
          continue
        }
      } else {
        try scanScalar(text, &at)
      }
      // a value ended here
      while let container = open.last {
        JSONTree.skipSpace(text, &at)
        guard at < text.count else { throw Malformed(offset: at, problem: "the text ends in the middle") }
        let isObject = entries[container].kind == .object
        if text[at] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          at += 1
          entries[container].end = UInt32(at)
          entries[container].next = UInt32(entries.count)
          open.removeLast()
          continue
        }
        guard text[at] == UInt8(ascii: ",") else {
          throw Malformed(offset: at, problem: isObject ? "`,` or `}` is missing" : "`,` or `]` is missing")
        }
        at += 1
        JSONTree.skipSpace(text, &at)
        if isObject { try scanKey(text, &at) }
        break
      }
      if open.isEmpty {
        JSONTree.skipSpace(text, &at)
        guard at == text.count else { throw Malformed(offset: at, problem: "something stands behind the value") }
        return
      }
    }
  }

  private static func skipSpace(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) {
    while at < text.count, text[at] == 0x20 || text[at] == 0x0A || text[at] == 0x0D || text[at] == 0x09 { at += 1 }
  }

  private mutating func scanKey(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(Malformed) {
    guard at < text.count else { throw Malformed(offset: at, problem: "the text ends in the middle") }
    guard text[at] == UInt8(ascii: "\"") else { throw Malformed(offset: at, problem: "a key is missing") }
    try scanString(text, &at)
    JSONTree.skipSpace(text, &at)
    guard at < text.count, text[at] == UInt8(ascii: ":") else { throw Malformed(offset: at, problem: "`:` is missing") }
    at += 1
    JSONTree.skipSpace(text, &at)
  }

  private mutating func scanScalar(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(Malformed) {
    switch text[at] {
    case UInt8(ascii: "\""): try scanString(text, &at)
    case UInt8(ascii: "t"): try scanLiteral("true", .literalTrue, text, &at)
    case UInt8(ascii: "f"): try scanLiteral("false", .literalFalse, text, &at)
    case UInt8(ascii: "n"): try scanLiteral("null", .literalNull, text, &at)
    case UInt8(ascii: "-"), 0x30...0x39: try scanNumber(text, &at)
    default: throw Malformed(offset: at, problem: "no value begins like this")
    }
  }

  private mutating func scanLiteral(
    _ word: StaticString, _ kind: Kind, _ text: UnsafeBufferPointer<UInt8>, _ at: inout Int
  ) throws(Malformed) {
    let end = at + word.utf8CodeUnitCount
    guard end <= text.count, word.withUTF8Buffer({ $0.elementsEqual(text[at..<end]) }) else {
      throw Malformed(offset: at, problem: "no value begins like this")
    }
    append(kind, at, end)
    at = end
  }

  private mutating func scanNumber(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(Malformed) {
    let start = at
    func digits() -> Int {
      let first = at
      while at < text.count, (0x30...0x39).contains(text[at]) { at += 1 }
      return at - first
    }
    func next(_ a: UInt8, _ b: UInt8) -> Bool { at < text.count && (text[at] == a || text[at] == b) }

    if text[at] == UInt8(ascii: "-") { at += 1 }
    let leadsWithZero = at < text.count && text[at] == UInt8(ascii: "0")
    let count = digits()
    var isWhole = count == 1 || (count > 1 && !leadsWithZero)
    if isWhole, next(UInt8(ascii: "."), UInt8(ascii: ".")) {
      at += 1
      isWhole = digits() > 0
    }
    if isWhole, next(UInt8(ascii: "e"), UInt8(ascii: "E")) {
      at += 1
      if next(UInt8(ascii: "+"), UInt8(ascii: "-")) { at += 1 }
      isWhole = digits() > 0
    }
    guard isWhole else { throw Malformed(offset: start, problem: "a number is written wrong") }
    append(.number, start, at)
  }

  /// A string, from quote to quote.
  private mutating func scanString(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws(Malformed) {
    let start = at + 1
    var hasEscapes = false
    var isASCII = true
    at = start
    while true {
      guard at < text.count else { throw Malformed(offset: at, problem: "the text ends in the middle") }
      let byte = text[at]
      if byte == UInt8(ascii: "\"") { break }
      if byte < 0x20 { throw Malformed(offset: at, problem: "a string has a control character") }
      if byte >= 0x80 { isASCII = false }
      at += 1
      guard byte == UInt8(ascii: "\\") else { continue }
      hasEscapes = true
      guard at < text.count else { throw Malformed(offset: at, problem: "the text ends in the middle") }
      switch text[at] {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
        UInt8(ascii: "r"), UInt8(ascii: "t"):
        at += 1
      case UInt8(ascii: "u"):
        guard at + 5 <= text.count, JSONTree.hexadecimal(ArraySlice(text[at + 1..<at + 5])) != nil else {
          throw Malformed(offset: at, problem: "`\\u` wants four hexadecimal digits")
        }
        at += 5
      default:
        throw Malformed(offset: at, problem: "no escape is written like this")
      }
    }
    if !isASCII, String(validating: text[start..<at], as: UTF8.self) == nil {
      throw Malformed(offset: start, problem: "a string is not UTF-8")
    }
    append(.string, start, at)
    entries[entries.count - 1].hasEscapes = hasEscapes
    at += 1
  }

  private mutating func append(_ kind: Kind, _ start: Int, _ end: Int) {
    entries.append(Entry(kind: kind, start: UInt32(start), end: UInt32(end), next: UInt32(entries.count + 1)))
  }
}
