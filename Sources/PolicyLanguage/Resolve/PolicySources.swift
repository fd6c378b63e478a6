public import Diagnostics
import Glibc

/// Reads the files of a policy.
public enum PolicySources {
  /// What the standard input is called among the files.
  public static let standardInput = "<stdin>"

  /// Reads what a command line names: files, folders (their `*.yaml` by name, without hidden ones and subfolders) and `-`, which
  /// is the standard input. A file that is named twice, by whatever path, counts once.
  ///
  /// - Returns: The files in the order they were named, and what can't be read as errors. Where there is an error a part of the
  ///   policy is missing, so the rest is not worth a look.
  public static func read(_ arguments: [String]) -> (sources: SourceFiles, diagnostics: [Diagnostic]) {
    var reader = Reader()
    for argument in arguments { reader.read(argument) }
    return (reader.sources, reader.diagnostics)
  }

  private struct Identity: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  private struct Reader {
    var sources = SourceFiles()
    var diagnostics: [Diagnostic] = []
    var seen: Set<Identity> = []

    mutating func read(_ argument: String) {
      if argument == "-" { return readFile(PolicySources.standardInput, STDIN_FILENO) }
      if argument.utf8.contains(0) { return refuse(argument, "a path has no zero byte") }
      // a folder opens too, and what is opened can't be exchanged before it is looked at
      let file = open(argument, O_RDONLY | O_CLOEXEC | O_NOCTTY)
      guard file >= 0 else { return refuse(argument, errorText(errno)) }
      defer { close(file) }
      var status = stat()
      guard fstat(file, &status) == 0 else { return refuse(argument, errorText(errno)) }
      if status.st_mode & S_IFMT == S_IFDIR { readFolder(argument, file) } else { readFile(argument, file) }
    }

    private mutating func readFolder(_ path: String, _ file: Int32) {
      guard let folder = fdopendir(dup(file)) else { return refuse(path, errorText(errno)) }
      defer { closedir(folder) }
      var names: [String] = []
      errno = 0
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(".yaml"), !name.hasPrefix(".") { names.append(name) }
      }
      guard errno == 0 else { return refuse(path, errorText(errno)) }
      var base = path
      while base.count > 1, base.hasSuffix("/") { base.removeLast() }
      var count = 0
      for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
        let path = base == "/" ? "/\(name)" : "\(base)/\(name)"
        var status = stat()
        // a broken link is not silently left out, a subfolder is
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { continue }
        count += 1
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard file >= 0 else {
          refuse(path, errorText(errno))
          continue
        }
        defer { close(file) }
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
          refuse(path, "it is not a regular file")
          continue
        }
        readFile(path, file)
      }
      if count == 0 {
        diagnostics.append(
          Diagnostic(
            .error, DiagnosticCode.noPolicyFiles.rawValue, "the folder \(quoted(path, limit: 4096)) holds no policy", at: nil,
            help: "name its files `*.yaml`, or name the files instead of the folder; subfolders are not looked into"))
      }
    }

    private mutating func readFile(_ path: String, _ file: Int32) {
      var status = stat()
      guard fstat(file, &status) == 0 else { return refuse(path, errorText(errno)) }
      if status.st_mode & S_IFMT == S_IFDIR { return refuse(path, "it is a folder") }
      guard seen.insert(Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))).inserted else { return }
      let expected = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
      // no more than the parser takes, however long it flows
      let limit = SyntaxParser.maximumSize
      guard expected <= limit else { return refuseSize(path) }
      var bytes: [UInt8] = []
      // one byte more than there should be, so that the file's end is seen
      bytes.reserveCapacity(expected > 0 ? expected + 1 : 1 << 16)
      while true {
        var count = 0
        bytes.append(addingCapacity: max(bytes.capacity - bytes.count, 1)) { free in
          free.withUnsafeMutableBufferPointer { buffer, filled in
            count = Glibc.read(file, buffer.baseAddress, buffer.count)
            filled = max(count, 0)
          }
        }
        if count == 0 { break }
        if count < 0 {
          if errno == EINTR { continue }
          return refuse(path, errorText(errno))
        }
        if bytes.count > limit { return refuseSize(path) }
      }
      _ = sources.add(SourceFile(name: path, bytes: bytes))
    }

    private mutating func refuse(_ path: String, _ reason: String) {
      diagnostics.append(
        Diagnostic(.error, DiagnosticCode.cannotRead.rawValue, "can't read \(quoted(path, limit: 4096)): \(reason)", at: nil))
    }

    private mutating func refuseSize(_ path: String) {
      diagnostics.append(
        Diagnostic(
          .error, DiagnosticCode.cannotRead.rawValue,
          "can't read \(quoted(path, limit: 4096)): it is larger than \(SyntaxParser.maximumSize >> 20) MiB", at: nil,
          help: "split the policy into several files"))
    }

    /// `strerror`, of a copy: the C function's buffer is shared between threads.
    private func errorText(_ number: Int32) -> String {
      var text = [CChar](repeating: 0, count: 256)
      guard strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }
  }
}
