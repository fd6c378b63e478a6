/// Something in a ruleset that nft or the kernel refuses, or that they read otherwise than it is meant here.
public struct RulesetProblem: Hashable, Sendable {
  public enum Kind: Hashable, Sendable, CaseIterable {
    /// A name that nft doesn't take for one.
    case name
    case duplicateName
    case unknownChain, unknownSet, unknownMap, unknownLimit
    /// A jump or goto to a base chain.
    case jumpToBaseChain
    /// Chains that lead in a circle.
    case loop
    /// More than 15 chains below a base chain.
    case depth
    case policy
    case chainType
    /// A key whose fields aren't of the types of what it is looked up in.
    case keyType
    /// More than 64 bytes.
    case keySize
    /// A value that the field can't hold, or that nft has no word for.
    case value
    /// A range in a set without `flags interval`.
    case missingIntervalFlag
    /// `flags interval` where nft 1.0.6 can't list the set.
    case intervalFlag
    /// A size that nft doesn't take, or that is too small for the elements.
    case size
    /// An element that meets another of its set.
    case overlap
    /// An anonymous set or map of nothing.
    case emptySet
    case emptyRule
    /// Something behind a verdict.
    case afterVerdict
    /// Fields that no packet has together, or whose condition nft leaves out behind what was said before.
    case contradiction
    case comment
    case logPrefix
    case rate
    /// What Cordon never writes.
    case unknown
  }

  public var kind: Kind
  /// What it is in: `rule 3 of chain forward`, `set ports`, `table cordon`.
  public var place: String
  /// What is wrong, without a full stop.
  public var message: String
}
