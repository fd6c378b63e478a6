public import PacketSpace

/// What changes for packets between two rulesets: what would newly pass, and what would newly be dropped.
public struct TrafficDifference: Sendable {
  public enum Kind: Int, Sendable, CaseIterable {
    /// Dropped before, passes now.
    case opens = 1
    /// Passed before, is dropped now.
    case closes = 2
    /// One of the two has rules on the way whose effect isn't known.
    case unknown = 3
  }

  /// Packets of one kind, and one of them.
  public struct Change: Sendable {
    public var hook: Hook
    public var kind: Kind
    public var packets: PacketBox
    public var witness: Packet
  }

  /// The packets that change, as boxes that don't overlap within one hook.
  public var changes: [Change] = []
  /// False where there was more to say than the limit allowed: what is there is right, and there is more.
  public var isComplete = true

  /// Nothing changes.
  public init() {}

  /// Whether no packet is treated otherwise.
  public var isEmpty: Bool { changes.isEmpty && isComplete }
}
