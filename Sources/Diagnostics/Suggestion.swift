/// What the user may have meant.
public enum Suggestion {
  /// The candidate that differs least from a word that is none of them, the first one of several; nil if none is near.
  ///
  /// Near is a difference of at most a third of the word's letters, and at least one, in insertions, deletions, replacements and
  /// exchanges of neighbours; upper and lower case are the same. Words of more than 64 bytes are near nothing.
  public static func nearest(_ word: String, among candidates: some Sequence<String>) -> String? {
    let wanted = folded(word)
    guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
    var bound = max(1, wanted.count / 3)
    var nearest: String?
    for candidate in candidates where abs(candidate.utf8.count - wanted.count) <= bound && candidate.utf8.count <= 64 {
      guard let distance = distance(wanted, folded(candidate), atMost: bound) else { continue }
      nearest = candidate
      if distance == 0 { break }
      bound = distance - 1
    }
    return nearest
  }

  private static func folded(_ word: String) -> [UInt8] {
    word.utf8.map { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 ? $0 | 0x20 : $0 }
  }

  /// The optimal string alignment distance, or nil if it is larger than the bound.
  private static func distance(_ one: [UInt8], _ other: [UInt8], atMost bound: Int) -> Int? {
    var beforeLast: [Int] = []
    var last = Array(0...other.count)
    for row in one.indices {
      var current = [row + 1]
      for column in other.indices {
        var cost = min(last[column + 1], current[column]) + 1
        cost = min(cost, last[column] + (one[row] == other[column] ? 0 : 1))
        if row > 0, column > 0, one[row] == other[column - 1], one[row - 1] == other[column] {
          cost = min(cost, beforeLast[column - 1] + 1)
        }
        current.append(cost)
      }
      guard current.contains(where: { $0 <= bound }) || last.contains(where: { $0 < bound }) else { return nil }
      (beforeLast, last) = (last, current)
    }
    return last[other.count] <= bound ? last[other.count] : nil
  }
}
