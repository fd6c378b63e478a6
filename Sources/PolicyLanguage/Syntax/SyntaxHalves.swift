import Diagnostics
import PacketSpace

/// Files in two halves at once.
///
/// Where anything has to be said, nothing of this counts: the file is parsed as a whole, and so no diagnostic depends on it.
extension SyntaxParser {
  /// The same as `parse`, but a file that is in order may come as two trees, its top-level keys in one or the other.
  /// - Parameter size: Files of fewer bytes aren't worth a second thread.
  static func parseHalves(
    _ file: SourceFile, index: Int, from size: Int, into diagnostics: inout [Diagnostic]
  ) -> [SyntaxTree] {
    if size <= file.bytes.count, file.bytes.count <= maximumSize, let halves = halves(file, index) { return halves }
    return parse(file, index: index, into: &diagnostics).map { [$0] } ?? []
  }

  /// The file in two trees; nil where it can't be cut, or where anything is wrong with it.
  private static func halves(_ file: SourceFile, _ index: Int) -> [SyntaxTree]? {
    guard let cut = cut(file.bytes) else { return nil }
    let (front, back) = concurrently(
      { half(file, index, 0..<cut) }, { half(file, index, cut..<file.bytes.count) })
    guard let front, let back else { return nil }
    let keys = Set(front.entries(front.root).map { front.text($0.key) })
    return back.entries(back.root).contains { keys.contains(back.text($0.key)) } ? nil : [front, back]
  }

  /// The beginning of a line that begins with a letter, nearest to the middle: if nothing is wrong with the file, a top-level key
  /// stands there.
  private static func cut(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBufferPointer { bytes in
      func isCut(_ place: Int) -> Bool { bytes[place - 1] == .lineFeed && bytes[place].isLetter }
      let middle = bytes.count / 2
      for distance in 0..<middle {
        if isCut(middle - distance) { return middle - distance }
        if isCut(middle + distance) { return middle + distance }
      }
      return nil
    }
  }

  /// One half, if it is a block mapping that begins in the first column, with nothing wrong in it and nothing behind it.
  private static func half(_ file: SourceFile, _ index: Int, _ range: Range<Int>) -> SyntaxTree? {
    file.bytes.withUnsafeBufferPointer { bytes in
      let text = UnsafeBufferPointer(rebasing: bytes[..<range.upperBound])
      var reports = SyntaxReports(file: index)
      guard TextCheck.check(UnsafeBufferPointer(rebasing: text[range]), into: &reports), reports.isEmpty else { return nil }
      var parser = BlockParser(bytes: file.bytes, text: text, from: range.lowerBound, file: index, reports: reports)
      parser.parseDocument()
      guard parser.reports.isEmpty, !parser.hasEndMarker || text.count == bytes.count else { return nil }
      let tree = parser.finish()
      let start = Int(tree.range(tree.root).start)
      let isFirstColumn = start == 0 || bytes[start - 1] == .lineFeed
      return tree.kind(tree.root) == .mapping && isFirstColumn && bytes[start] != UInt8(ascii: "{") ? tree : nil
    }
  }
}
