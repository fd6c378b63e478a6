import Diagnostics

/// A key of the mapping that is checked.
struct CheckedKey {
  var node: UInt32
  /// The first bytes of its text, or 0 where they aren't known: enough to tell most keys apart.
  var beginning: UInt64

  func mayEqual(_ other: CheckedKey) -> Bool {
    beginning == other.beginning || beginning == 0 || other.beginning == 0
  }
}

extension BlockParser {
  /// Reports each key of a mapping that stood in it before.
  mutating func checkKeys(of mapping: Int) {
    var count = 0
    let end = nodes[mapping].next
    var key = UInt32(mapping + 1)
    while key < end {
      let checked = CheckedKey(node: key, beginning: beginning(of: nodes[Int(key)]))
      if count < keys.count { keys[count] = checked } else { keys.append(checked) }
      count += 1
      key = nodes[Int(nodes[Int(key)].next)].next
    }
    // A rule has three or four keys: comparing each with each is quickest.
    if count > 8 { return checkMany(count) }
    for index in 1..<max(count, 1) {
      for first in 0..<index where keys[first].mayEqual(keys[index]) && haveSameText(keys[first].node, keys[index].node) {
        reportDuplicate(keys[index].node, of: keys[first].node)
        break
      }
    }
  }

  /// Up to eight bytes of a key's text; 0 where the text can't be had so.
  private func beginning(of key: SyntaxTree.Node) -> UInt64 {
    let text = key.content
    if key.hasEscapes || text.isEmpty || text.lowerBound + 8 > self.text.count { return 0 }
    let eight = UnsafeRawBufferPointer(self.text).loadUnaligned(fromByteOffset: text.lowerBound, as: UInt64.self)
    return text.count < 8 ? UInt64(littleEndian: eight) & ((1 << UInt64(text.count * 8)) - 1) : eight
  }

  /// Looks keys up in a table with open addressing, by hashes that are randomly seeded: linear for whatever keys.
  private mutating func checkMany(_ count: Int) {
    var size = 16
    while size < count * 2 { size *= 2 }
    var table = [(hash: UInt32, key: UInt32)](repeating: (0, 0), count: size)
    let textHash = TextHash()
    for key in keys[..<count].lazy.map(\.node) where !reports.isFull {
      let hash = nodes[Int(key)].withUTF8(in: bytes) { textHash($0) }
      var slot = Int(hash) & (size - 1)
      // No key is node 0, which is the root.
      while table[slot].key != 0, table[slot].hash != hash || !haveSameText(table[slot].key, key) {
        slot = (slot + 1) & (size - 1)
      }
      if table[slot].key == 0 { table[slot] = (hash, key) } else { reportDuplicate(key, of: table[slot].key) }
    }
  }

  private func haveSameText(_ one: UInt32, _ other: UInt32) -> Bool {
    let (first, second) = (nodes[Int(one)], nodes[Int(other)])
    guard !first.hasEscapes, !second.hasEscapes else { return first.text(in: bytes) == second.text(in: bytes) }
    let (text, otherText) = (first.content, second.content)
    guard text.count == otherText.count else { return false }
    return self.text[text].elementsEqual(self.text[otherText])
  }

  private mutating func reportDuplicate(_ key: UInt32, of first: UInt32) {
    let (key, first) = (nodes[Int(key)], nodes[Int(first)])
    let range = Int(key.start)..<Int(key.end)
    reports.error(
      "duplicate-key", "the key `\(excerpt(range))` stands in this mapping twice", at: range,
      help: "remove one, or join their values under one key",
      note: ("it stands here first", Int(first.start)..<Int(first.end)))
  }
}
