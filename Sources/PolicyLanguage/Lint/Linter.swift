public import Diagnostics

/// Advice on a policy that is in order: what its rules mean together, not how they are spelled.
///
/// Each kind of finding has a `LintCode`. A finding is an error where the policy can't do what it says, a warning where it
/// most likely ought to be otherwise, and a note where that is for its author to know.
public enum Linter {
  /// All findings that the policy's text doesn't waive, in no particular order.
  /// - Parameter sources: The files that the policy was loaded from: comments in them waive findings.
  public static func lint(_ policy: Policy, _ sources: SourceFiles) -> [Diagnostic] {
    let words = PolicyWords(sources)
    let facts = LintFacts(policy, words)
    var report = LintReport()
    for rule in rules { rule(facts, &report) }
    var waivers = Waivers(words.comments, sources)
    return waivers.apply(to: report.diagnostics)
  }

  private static let rules: [@Sendable (LintFacts, inout LintReport) -> Void] = [
    { _ = DeadRules($0, into: &$1) }, Denies.find, OpenRules.find, Environments.find, PublicAddresses.find, PeerChoice.find,
    Purposes.find, Unused.find, CloudLimits.find,
  ]
}
