/// The line of a source file that a range begins in, as it is shown: cut around the range if it is long, tabs as blanks,
/// nothing unprintable.
struct SourceExcerpt {
  /// The columns that are shown of a line, and how many of them stand in front of the range where that is cut.
  private static let width = 100
  private static let lead = 30
  /// More bytes than that many columns can have, within reason.
  private static let reach = 600
  private static let tabWidth = 4

  private(set) var text = ""
  /// The columns of `text` to underline; at least one.
  private(set) var underline = 0..<1

  private struct Cell {
    var scalar: Unicode.Scalar
    var width: Int
    var offset: Int
  }

  init(_ range: SourceRange, in bytes: [UInt8], lineStart: Int) {
    let start = min(Int(range.start), bytes.count)
    var from = max(lineStart, start - Self.reach)
    if from > lineStart {
      while from < start, bytes[from] & 0xC0 == 0x80 { from += 1 }
    }
    if from == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { from = 3 }
    let limit = min(bytes.count, start + Self.reach)
    let end = bytes[max(from, min(start, limit))..<max(from, limit)].firstIndex(of: 0x0A) ?? max(from, limit)
    let cells = Self.cells(of: bytes, from..<Self.withoutReturn(bytes, from..<end))
    show(
      cells, range: start..<max(Int(range.end), start + 1), isCutInFront: from > lineStart && from != 3,
      isCutBehind: end == limit && end < bytes.count && bytes[end] != 0x0A)
  }

  private static func withoutReturn(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
    range.upperBound > range.lowerBound && bytes[range.upperBound - 1] == 0x0D ? range.upperBound - 1 : range.upperBound
  }

  private static func cells(of bytes: [UInt8], _ range: Range<Int>) -> [Cell] {
    var cells: [Cell] = []
    var decoder = UTF8()
    var offset = range.lowerBound
    var column = 0
    while offset < range.upperBound {
      var iterator = bytes[offset..<min(offset + 4, range.upperBound)].makeIterator()
      let scalar: Unicode.Scalar
      var length = 1
      decoder = UTF8()
      switch decoder.decode(&iterator) {
      case .scalarValue(let value):
        scalar = value
        length = UTF8.width(value)
      case .error, .emptyInput: scalar = "\u{FFFD}"
      }
      if scalar == "\t" {
        for _ in 0..<tabWidth - column % tabWidth {
          cells.append(Cell(scalar: " ", width: 1, offset: offset))
          column += 1
        }
      } else {
        let shown = SafeText.printable(scalar)
        cells.append(Cell(scalar: shown, width: SafeText.width(shown), offset: offset))
        column += SafeText.width(shown)
      }
      offset += length
    }
    return cells
  }

  private mutating func show(_ cells: [Cell], range: Range<Int>, isCutInFront: Bool, isCutBehind: Bool) {
    let total = cells.reduce(0) { $0 + $1.width }
    let before = cells.prefix { $0.offset < range.lowerBound }.reduce(0) { $0 + $1.width }
    let marked = cells.filter { range.contains($0.offset) }.reduce(0) { $0 + $1.width }
    let fits = !isCutInFront && min(before + max(marked, 1), before + Self.width - Self.lead) <= Self.width
    let left = fits ? 0 : max(0, before - Self.lead)
    var column = 0
    var shown = 0
    var start: Int?
    var end = 0
    if left > 0 || isCutInFront {
      text = "…"
      shown = 1
    }
    for cell in cells {
      defer { column += cell.width }
      guard column >= left else { continue }
      guard shown + cell.width <= Self.width else { break }
      if cell.offset >= range.lowerBound, start == nil { start = shown }
      text.unicodeScalars.append(cell.scalar)
      shown += cell.width
      if range.contains(cell.offset) { end = shown }
    }
    if column < total || isCutBehind { text += "…" }
    let first = start ?? shown
    underline = first..<max(first + 1, end)
  }
}
