public import Diagnostics
public import Nftables
public import PacketSpace
public import PolicyLanguage

/// What a compile is asked for.
public struct CompilerOptions: Sendable {
  /// 1 to 255 of nft's letters; `cordon` by default.
  public var tableName: String
  /// The name of the instance that this machine is, or nil for a gateway.
  public var host: String?
  /// Whether the ruleset only observes: what the policy denies is counted and logged, and passes.
  public var observes: Bool

  public init(tableName: String = "cordon", host: String? = nil, observes: Bool = false) {
    self.tableName = tableName
    self.host = host
    self.observes = observes
  }
}

/// A policy as one table, with the way back to the policy's rules.
public struct Compilation: Sendable {
  public let policy: Policy
  public let enforcement: Enforcement
  public let ruleset: Ruleset
  public let provenance: Provenance
  /// Whether the ruleset only observes.
  public let observes: Bool
  let profiles: Profiles

  /// Proves that the ruleset does what the policy says, for every packet; nil where it does.
  public func verify() throws(DiagramBudgetExceeded) -> Mistranslation? {
    try Verifier(policy, enforcement, ruleset, profiles, observes: observes).verify()
  }
}

/// The way from a policy to a ruleset.
public enum Compiler {
  /// Compiles `policy`; nil where the options don't go with it, with a diagnostic that says why.
  public static func compile(_ policy: Policy, _ options: CompilerOptions, into diagnostics: inout [Diagnostic]) -> Compilation?
  {
    guard let enforcement = enforcement(policy, options, into: &diagnostics) else { return nil }
    let (ruleset, provenance, profiles) = Lowering(
      policy: policy, enforcement: enforcement, tableName: options.tableName, observes: options.observes
    )
    .lower()
    return Compilation(
      policy: policy, enforcement: enforcement, ruleset: ruleset, provenance: provenance, observes: options.observes,
      profiles: profiles)
  }

  private static func enforcement(
    _ policy: Policy, _ options: CompilerOptions, into diagnostics: inout [Diagnostic]
  ) -> Enforcement? {
    guard let host = options.host else { return .gateway }
    guard let index = policy.instances.firstIndex(where: { $0.name == host }) else {
      let nearest = Suggestion.nearest(host, among: policy.instances.map(\.name))
      diagnostics.append(
        Diagnostic(
          .error, "unknown-host", "the policy has no instance `\(host)`", at: nil,
          help: nearest.map { "did you mean `\($0)`?" } ?? "name one of the policy's instances behind --host"))
      return nil
    }
    let instance = policy.instances[index]
    let groups = PolicyEvaluator(policy, .host(instance: index)).groups(ofInstance: index)
    if groups.isEmpty {
      diagnostics.append(
        Diagnostic(
          .error, "host-without-group", "every group of `\(host)` is external, so there is nothing to enforce on it",
          at: instance.range, help: "put the instance into a group that isn't external"))
      return nil
    }
    if let other = groups.first(where: { policy.groups[$0].type != policy.groups[groups[0]].type }) {
      let first = policy.groups[groups[0]]
      let second = policy.groups[other]
      diagnostics.append(
        Diagnostic(
          .error, "mixed-types", "the addresses of `\(host)` have basic and advanced groups, and a host has one set of rules",
          at: instance.range, help: "make all of its groups one type",
          notes: [
            .init("`\(first.name)` is \(first.type.rawValue)", at: first.range),
            .init("`\(second.name)` is \(second.type.rawValue)", at: second.range),
          ]))
      return nil
    }
    return .host(instance: index)
  }
}
