public import Diagnostics
public import Nftables
public import PacketSpace
public import PolicyCompiler
import PolicyLanguage

/// A policy of a test, compiled.
public struct CompiledPolicy: Sendable {
  public let sources: SourceFiles
  public let compilation: Compilation

  /// Why a policy of a test didn't compile.
  public struct Refusal: Error, CustomStringConvertible {
    public let description: String
    /// The codes of its diagnostics.
    public let codes: [String]
  }

  /// Compiles the text of a policy, which is called `policy.yaml`.
  ///
  /// - Throws: `Refusal` where it has errors.
  public init(_ text: String, host: String? = nil, observes: Bool = false) throws {
    var sources = SourceFiles()
    _ = sources.add(SourceFile(name: "policy.yaml", bytes: Array(text.utf8)))
    var (policy, diagnostics) = PolicyFrontend.load(sources)
    var compilation: Compilation?
    if let policy {
      compilation = Compiler.compile(policy, CompilerOptions(host: host, observes: observes), into: &diagnostics)
    }
    guard let compilation else {
      throw Refusal(description: PlainRenderer().render(diagnostics, in: sources) + text, codes: diagnostics.map(\.code))
    }
    self.sources = sources
    self.compilation = compilation
  }

  public var ruleset: Ruleset { compilation.ruleset }

  /// The ruleset as the command writes it.
  public var text: [UInt8] { compilation.text(sources) }
}

/// A folder of fixtures/compile: `policy.yaml`, `flows`, and for a machine that is an instance `host`, with the instance's name
/// and the machine's addresses.
public struct CompileCase: Sendable, CustomStringConvertible {
  public let name: String
  public let host: String?
  public let addresses: [IPAddress]

  public static let all: [CompileCase] = Fixtures.names(in: "compile").map { CompileCase($0) }

  init(_ name: String) {
    self.name = name
    let words = (Fixtures.text("compile/\(name)/host") ?? "").split(whereSeparator: \.isWhitespace).map { String($0) }
    host = words.first
    addresses = words.dropFirst().map { IPAddress($0)! }
  }

  public var description: String { name }

  public func compiled() throws -> CompiledPolicy {
    try CompiledPolicy(Fixtures.text("compile/\(name)/policy.yaml") ?? "", host: host)
  }

  public func flows() throws -> [(verdict: ProbeVerdict, flow: ProbeFlow)] {
    try ProbeFlow.parseExpected(Fixtures.text("compile/\(name)/flows") ?? "")
  }
}
