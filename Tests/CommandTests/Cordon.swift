import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// The built command, as a user runs it.
enum Cordon {
  /// Beside the test bundle, where `swift build` puts both.
  static let path: String = {
    let own = realpath("/proc/self/exe", nil)!
    defer { free(own) }
    let beside = String(cString: own).split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/cordon"
    return access(beside, X_OK) == 0 ? beside : Fixtures.repository + "/.build/debug/cordon"
  }()

  /// Where it keeps what it applies, unless a test says otherwise: not where the machine's own is.
  private static let stateFolder = "/tmp/cordon-tests-\(getpid())"

  static func run(
    _ arguments: String..., stdin: String = "", environment: [String: String] = [:], directory: String? = nil
  ) throws -> Shell.Output {
    try run(arguments, stdin: Array(stdin.utf8), environment: environment, directory: directory)
  }

  static func run(
    _ arguments: [String], stdin: [UInt8] = [], environment: [String: String] = [:], directory: String? = nil
  ) throws -> Shell.Output {
    try Shell.run(
      [path] + arguments, stdin: stdin, environment: ["CORDON_STATE_DIR": stateFolder].merging(environment) { $1 },
      directory: directory, timeout: .seconds(60))
  }
}

/// A policy's small world: two groups, and what they expect.
enum Sample {
  static let policy = """
    prefix-lists:
      office: [203.0.113.0/24, 2001:db8:12::/48]
    groups:
      web:
        ingress:
          - { allow: [http, https], from: any }
          - { allow: ssh, from: office }
      database:
        type: advanced
        ingress:
          - { allow: mysql, from: web }
          - { deny: all, from: any, priority: 100 }
    instances:
      web-1: { addresses: [172.16.1.10, fd00:1::10], groups: web }
      db-1: { addresses: 172.16.2.10, groups: database }
    expect:
      - { deny: mysql, from: any, except-from: web, to: database }

    """

  /// The same, with one rule more.
  static let changed = policy.replacing("- { allow: ssh, from: office }", with: "- { allow: [ssh, ntp], from: office }")

  /// A policy that breaks its own expectation.
  static let broken = policy.replacing("allow: mysql, from: web", with: "allow: mysql, from: office")

  /// A policy of many groups, whose ruleset is about 2 KB for each.
  static func large(groups count: Int) -> String {
    var text = "groups:\n"
    for index in 0..<count {
      text += "  g\(index):\n    ingress:\n"
      for rule in 0..<10 { text += "      - { allow: tcp/\(1000 + rule), from: 10.\(rule).\(index % 256).0/24 }\n" }
    }
    text += "instances:\n"
    for index in 0..<count { text += "  i\(index): { addresses: 172.16.\(index / 250).\(index % 250), groups: g\(index) }\n" }
    return text
  }

  /// Calls `body` in a folder of its own that holds `policy.yaml`.
  static func withFolder<T>(_ text: String = policy, _ body: (String) throws -> T) throws -> T {
    try Files.withTemporaryFolder { folder in
      try Files.write(Array(text.utf8), to: "\(folder)/policy.yaml")
      return try body(folder)
    }
  }
}

/// Runs nft in the thread's network namespace.
@discardableResult
func nft(_ arguments: String..., stdin: String = "") throws -> String {
  let done = try Shell.run(["nft"] + arguments, stdin: stdin)
  guard done.status == 0 else { throw NftRefusal(description: "nft \(arguments.joined(separator: " ")): \(done.stderr)") }
  return done.stdout
}

struct NftRefusal: Error, CustomStringConvertible {
  var description: String
}

/// Expects a status, and shows all that was said where it is another.
func expectStatus(
  _ output: Shell.Output, _ status: Int32, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(
    output.status == status, "\(what) status \(output.status)\n\(output.stdout.prefix(4000))\n\(output.stderr.prefix(4000))",
    sourceLocation: sourceLocation)
}

/// Runs the command as a user without any right, in a folder that everybody may read and where the command's copy is put: the
/// build may lie where only root may go.
func asNobody(_ arguments: [String], directory: String) throws -> Shell.Output {
  let folder = "\(directory).bin"
  mkdir(folder, 0o755)
  defer { _ = try? Shell.run(["rm", "-r", folder]) }
  _ = try Shell.run(["install", "-m", "755", Cordon.path, "\(folder)/cordon"])
  return try Shell.run(
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "\(folder)/cordon"] + arguments, directory: directory)
}

/// JSON, as a value to look into.
enum JSON: Decodable {
  case object([String: JSON])
  case list([JSON])
  case text(String)
  case number(Double)
  case bool(Bool)
  case null

  init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(JSON.self, from: Data(bytes)) }

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSON].self) {
      self = .list(list)
    } else {
      self = .object(try value.decode([String: JSON].self))
    }
  }

  subscript(key: String) -> JSON? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  var list: [JSON]? {
    if case .list(let elements) = self { elements } else { nil }
  }

  var text: String? {
    if case .text(let text) = self { text } else { nil }
  }
}
