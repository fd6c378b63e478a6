/// A policy file as it was read: its name for messages and its bytes.
public struct SourceFile: Sendable {
  /// The path as the user gave it, or `<stdin>`.
  public let name: String
  /// The file's content, whatever it is; nothing here assumes valid UTF-8.
  public let bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }
}

/// The files of one run, in the order they were given. A `SourceRange` names a file by its place here.
public struct SourceFiles: Sendable {
  public private(set) var files: [SourceFile] = []

  public init() {}

  /// Adds a file and returns the index by which ranges name it.
  public mutating func add(_ file: SourceFile) -> Int {
    files.append(file)
    return files.count - 1
  }

  public subscript(index: Int) -> SourceFile { files[index] }
}

/// A half-open range of bytes in one file.
public struct SourceRange: Hashable, Sendable {
  /// Index into `SourceFiles`.
  public var file: Int32
  /// Byte offsets, `start <= end`.
  public var start: UInt32
  public var end: UInt32

  public init(file: Int, start: Int, end: Int) {
    self.file = Int32(file)
    self.start = UInt32(start)
    self.end = UInt32(max(start, end))
  }

  /// From the beginning of `self` to the end of `other`, which is in the same file.
  public func joined(with other: SourceRange) -> SourceRange {
    var result = self
    result.end = max(end, other.end)
    return result
  }
}
