import Glibc
public import Testing

/// What a test needs of the machine.
public enum Requirement: String, Sendable {
  case root = "root"
  case nft = "the command nft"
  case networkNamespaces = "root and private network namespaces"

  public var isMet: Bool {
    switch self {
    case .root: geteuid() == 0
    case .nft: (try? Shell.run(["nft", "--version"]).status) == 0
    case .networkNamespaces: Requirement.root.isMet && (try? Shell.run(["unshare", "-n", "true"]).status) == 0
    }
  }

  /// Whether to run a test that needs this: no where it is missing, and then an error where CI is set, for there a test that
  /// nobody runs must not look like one that passed.
  func decide() throws -> Bool {
    if isMet { return true }
    let message = "needs \(rawValue), which is not to be had here"
    guard getenv("CI") == nil else { throw Missing(description: "CI: \(message)") }
    let line = "SKIPPED: a test \(message)\n"
    write(STDERR_FILENO, line, line.utf8.count)
    return false
  }

  struct Missing: Error, CustomStringConvertible {
    var description: String
  }
}

extension Trait where Self == ConditionTrait {
  /// Without root the test fails in CI and is skipped, loudly, elsewhere.
  public static var requireRoot: Self { require(.root) }
  /// The same for the command `nft`.
  public static var requireNft: Self { require(.nft) }
  /// The same for network namespaces.
  public static var requireNamespaces: Self { require(.networkNamespaces) }

  private static func require(_ requirement: Requirement) -> Self {
    .enabled("needs \(requirement.rawValue)") { try requirement.decide() }
  }
}
