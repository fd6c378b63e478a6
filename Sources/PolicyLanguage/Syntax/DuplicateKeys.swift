import Diagnostics

extension BlockParser {
  /// Reports each key of a mapping that stood in it before.
  mutating func checkKeys(of mapping: Int) {
    keys.removeAll(keepingCapacity: true)
    let end = tree.nodes[mapping].next
    var key = UInt32(mapping + 1)
    while key < end {
      keys.append(key)
      key = tree.nodes[Int(tree.nodes[Int(key)].next)].next
    }
    // A rule has three or four keys: comparing each with each is quickest.
    if keys.count > 8 { return checkMany() }
    for index in 1..<max(keys.count, 1) {
      for first in 0..<index where haveSameText(keys[first], keys[index]) {
        reportDuplicate(keys[index], of: keys[first])
        break
      }
    }
  }

  /// Looks keys up in a table with open addressing, by hashes that are randomly seeded: linear for whatever keys.
  private mutating func checkMany() {
    var size = 16
    while size < keys.count * 2 { size *= 2 }
    var table = [(hash: UInt32, key: UInt32)](repeating: (0, 0), count: size)
    for key in keys where !reports.isFull {
      var hasher = Hasher()
      tree.withUTF8(SyntaxNode(index: key)) { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
      let hash = UInt32(truncatingIfNeeded: hasher.finalize())
      var slot = Int(hash) & (size - 1)
      // No key is node 0, which is the root.
      while table[slot].key != 0, table[slot].hash != hash || !haveSameText(table[slot].key, key) {
        slot = (slot + 1) & (size - 1)
      }
      if table[slot].key == 0 { table[slot] = (hash, key) } else { reportDuplicate(key, of: table[slot].key) }
    }
  }

  private func haveSameText(_ one: UInt32, _ other: UInt32) -> Bool {
    let (first, second) = (tree.nodes[Int(one)], tree.nodes[Int(other)])
    guard !first.hasEscapes, !second.hasEscapes else {
      return tree.text(SyntaxNode(index: one)) == tree.text(SyntaxNode(index: other))
    }
    let (text, otherText) = (first.content, second.content)
    guard text.count == otherText.count else { return false }
    for offset in 0..<text.count where bytes[text.lowerBound + offset] != bytes[otherText.lowerBound + offset] { return false }
    return true
  }

  private mutating func reportDuplicate(_ key: UInt32, of first: UInt32) {
    let (key, first) = (tree.nodes[Int(key)], tree.nodes[Int(first)])
    let range = Int(key.start)..<Int(key.end)
    reports.error(
      "duplicate-key", "the key `\(excerpt(range))` stands in this mapping twice", at: range,
      help: "remove one, or join their values under one key",
      note: ("it stands here first", Int(first.start)..<Int(first.end)))
  }
}
