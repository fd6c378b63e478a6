extension Ruleset {
  /// The chain by which Cordon knows a table in the kernel for its own: named, empty, never reached. A chain is what nft 1.0.6
  /// lists whatever else it leaves out.
  public static let ownershipMark = "cordon-owned"
}
