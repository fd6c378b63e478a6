import Glibc

/// The repository's files, found from where this file was compiled.
public enum Fixtures {
  /// The repository's top level, without a trailing slash.
  public static let repository: String = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
  /// `fixtures` in it.
  public static let root: String = repository + "/fixtures"

  /// The absolute path of something in fixtures/: `Fixtures.path("compile/web/policy.yaml")`.
  public static func path(_ relative: String) -> String { relative.isEmpty ? root : "\(root)/\(relative)" }

  /// The names in a folder of fixtures/, sorted, hidden ones aside: its cases. Empty where there is no such folder.
  public static func names(in folder: String) -> [String] {
    guard let directory = opendir(path(folder)) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  /// The bytes of a file in fixtures/, or nil where there is none.
  public static func bytes(_ relative: String) -> [UInt8]? { Files.read(path(relative)) }
  /// Its text, or nil where there is none.
  public static func text(_ relative: String) -> String? { bytes(relative).map { String(decoding: $0, as: UTF8.self) } }
}

/// Whole files, by their path.
public enum Files {
  public static func read(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return ferror(file) == 0 ? bytes : nil }
      bytes += buffer[..<count]
    }
  }

  /// Makes or replaces a file, and the folders above it.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    var folder = ""
    for part in path.split(separator: "/").dropLast() {
      folder += "/\(part)"
      mkdir(folder, 0o755)
    }
    guard let file = fopen(path, "we") else { throw Shell.Failure(description: "\(path): \(Shell.errorText(errno))") }
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else {
      throw Shell.Failure(description: "\(path): \(Shell.errorText(errno))")
    }
  }

  /// Calls `body` with the path of a new folder, and removes that folder with all in it afterwards.
  public static func withTemporaryFolder<T>(_ body: (String) throws -> T) throws -> T {
    var template = Array("/tmp/cordon-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Shell.Failure(description: "mkdtemp: \(Shell.errorText(errno))") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { _ = try? Shell.run(["rm", "-rf", folder]) }
    return try body(folder)
  }
}
