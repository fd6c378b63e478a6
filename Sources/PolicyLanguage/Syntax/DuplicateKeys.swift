import Diagnostics

extension BlockParser {
  /// Reports each key of a mapping that stood in it before.
  mutating func checkKeys(of mapping: Int) {
    var keys: [Int] = []
    let end = Int(tree.nodes[mapping].next)
    var key = mapping + 1
    while key < end {
      keys.append(key)
      key = Int(tree.nodes[Int(tree.nodes[key].next)].next)
    }
    if keys.count <= 8 { checkFew(keys) } else { checkMany(keys) }
  }

  /// A rule has three or four keys: comparing each with each is quickest.
  private mutating func checkFew(_ keys: [Int]) {
    for (place, key) in keys.enumerated() {
      if let first = keys[..<place].first(where: { haveSameText($0, key) }) { reportDuplicate(key, of: first) }
    }
  }

  /// Randomly seeded hashes keep this linear for whatever keys.
  private mutating func checkMany(_ keys: [Int]) {
    var firsts: [Int: [Int]] = [:]
    firsts.reserveCapacity(keys.count)
    for key in keys where !reports.isFull {
      var hasher = Hasher()
      tree.withUTF8(SyntaxNode(index: UInt32(key))) { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
      let hash = hasher.finalize()
      if let first = firsts[hash]?.first(where: { haveSameText($0, key) }) {
        reportDuplicate(key, of: first)
      } else {
        firsts[hash, default: []].append(key)
      }
    }
  }

  private func haveSameText(_ one: Int, _ other: Int) -> Bool {
    tree.withUTF8(SyntaxNode(index: UInt32(one))) { one in
      tree.withUTF8(SyntaxNode(index: UInt32(other))) { one.count == $0.count && one.elementsEqual($0) }
    }
  }

  private mutating func reportDuplicate(_ key: Int, of first: Int) {
    let (key, first) = (tree.nodes[key], tree.nodes[first])
    let range = Int(key.start)..<Int(key.end)
    reports.error(
      "duplicate-key", "the key `\(excerpt(range))` stands in this mapping twice", at: range,
      help: "remove one, or join their values under one key",
      note: ("it stands here first", Int(first.start)..<Int(first.end)))
  }
}
