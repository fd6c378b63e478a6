import Diagnostics

enum PolicySources {
  static let standardInput = "<stdin>"
  static func read(_ a: [String]) -> (SourceFiles, [Diagnostic]) {
    var s = SourceFiles()
    for p in a { _ = s.add(SourceFile(name: p, bytes: (try? Files.read(p == "-" ? "/dev/stdin" : p)) ?? [])) }
    return (s, [])
  }
}
