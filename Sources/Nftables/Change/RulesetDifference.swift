public import PacketSpace

/// How a table in the kernel differs from the one that is meant, as data: by meaning, not by spelling (`CanonicalRule`).
///
/// The order of rules in a chain counts; that of chains, sets, maps, elements and limits doesn't. Everything is compared by its
/// name, and so is what rules refer to.
public struct RulesetDifference: Sendable {
  /// Something on one side or both: nil is where it isn't.
  public struct Change<Value: Hashable & Sendable>: Hashable, Sendable {
    public var live: Value?
    public var planned: Value?
  }

  /// Whether something is on one side only.
  public enum Presence: String, Hashable, Sendable {
    case added, removed, changed
  }

  /// What is the matter with the table itself.
  public enum TableState: String, Hashable, Sendable {
    /// There is no such table in the kernel. Nothing else is listed.
    case missing
    /// The live table has flags, as a dormant one has, under which nothing in it is enforced.
    case flagged
    /// The same, and its listing broke off: nothing else is known, and nothing else is listed.
    case flaggedAndCutOff = "flagged-and-cut-off"
    /// The planned table has flags, and the live one none.
    case unflagged
  }

  public enum RuleChange: Sendable {
    /// Positions count from 0, in the live and in the planned chain.
    case removed(Rule, position: Int)
    case added(Rule, position: Int)
    case moved(Rule, from: Int, to: Int)
  }

  public struct ChainDifference: Sendable {
    public var name: String
    public var presence: Presence
    /// Nil where both sides hook alike, or neither does.
    public var base: Change<BaseChain>?
    /// In reading order.
    public var rules: [RuleChange]
  }

  /// What a set or map is declared as.
  public struct Declaration: Hashable, Sendable {
    /// Else a set.
    public var isMap: Bool
    public var types: [DataType]
    public var isInterval: Bool
    public var size: Int?
  }

  /// An element of a set, or of a map with its verdict.
  public enum Content: Hashable, Sendable {
    case member
    case verdict(Verdict)
  }

  public struct ElementChange: Hashable, Sendable {
    /// One interval a field.
    public var key: [Interval]
    /// Of the side that has the element.
    public var types: [DataType]
    public var content: Change<Content>
  }

  /// Of a set or a map.
  public struct SetDifference: Sendable {
    public var name: String
    public var presence: Presence
    /// What it is on either side.
    public var declaration: Change<Declaration>
    /// By their keys. Where types are one field's numbers these are the parts that differ, not whole elements: of 10.0.0.0/8
    /// against 10.0.0.0/9 it is 10.128.0.0/9.
    public var elements: [ElementChange]
    /// Properties and elements that Cordon never writes, as nft words them.
    public var properties: [Change<String>]
  }

  public var tableName: String
  public var table: TableState?
  /// Named limits.
  public var limits: [Change<NamedLimit>]
  /// In the planned order, then those that are live only.
  public var chains: [ChainDifference]
  /// Maps before sets; each in the planned order, then those that are live only.
  public var sets: [SetDifference]
  /// Objects that Cordon never writes, as their JSON text.
  public var unknown: [Change<String>]

  /// Whether live and planned mean the same.
  public var isEmpty: Bool { table == nil && limits.isEmpty && chains.isEmpty && sets.isEmpty && unknown.isEmpty }
}
