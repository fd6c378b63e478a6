/// A place in a file as people count.
public struct SourcePosition: Hashable, Sendable {
  /// From 1.
  public var line: Int
  /// From 1, in Unicode scalars; a byte that is not UTF-8 counts as one.
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}

/// Where the lines of a file begin. Made once a file, in time linear in its size; asked in logarithmic time.
public struct LineTable: Sendable {
  private let bytes: [UInt8]
  private let starts: [UInt32]

  public init(_ file: SourceFile) {
    bytes = file.bytes
    var starts: [UInt32] = [0]
    file.bytes.withUnsafeBufferPointer { bytes in
      for offset in bytes.indices where bytes[offset] == 0x0A { starts.append(UInt32(truncatingIfNeeded: offset + 1)) }
    }
    self.starts = starts
  }

  /// The number, from 1, of the line that a byte stands in. The end of the file is in the last line.
  public func line(of offset: UInt32) -> Int {
    var low = 0
    var high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle } else { high = middle }
    }
    return low + 1
  }

  /// The offset of a line's first byte; lines count from 1.
  public func start(ofLine line: Int) -> Int { Int(starts[line - 1]) }

  public func position(of offset: UInt32) -> SourcePosition {
    let line = line(of: offset)
    let start = start(ofLine: line)
    let end = max(start, min(Int(offset), bytes.count))
    // Scalars begin at every byte that doesn't continue one. A byte order mark in front of the first line is none of it.
    let column = bytes[start..<end].withUnsafeBufferPointer { $0.count { $0 & 0xC0 != 0x80 } }
    let mark = start == 0 && end >= 3 && bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 1 : 0
    return SourcePosition(line: line, column: column - mark + 1)
  }
}

/// The line tables of the files that diagnostics speak of, made when they are first asked for.
struct LineTables {
  let files: SourceFiles
  private var tables: [Int32: LineTable] = [:]

  init(_ files: SourceFiles) {
    self.files = files
  }

  mutating func table(_ file: Int32) -> LineTable {
    if let table = tables[file] { return table }
    let table = LineTable(files[Int(file)])
    tables[file] = table
    return table
  }

  /// A range's file and the places of its ends.
  mutating func place(_ range: SourceRange) -> (file: String, start: SourcePosition, end: SourcePosition) {
    let table = table(range.file)
    return (files[Int(range.file)].name, table.position(of: range.start), table.position(of: range.end))
  }
}
