/// Where a part of the ruleset comes from: a number that only the part's maker can read. It reaches neither the kernel
/// nor any comparison.
public struct Origin: Sendable, RawRepresentable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A rule: its expressions, and the comment that the kernel keeps with it.
public struct Rule: Sendable {
  public var expressions: [Expression]
  /// At most 128 bytes, no `"` and no control characters; nil for none.
  public var comment: String?
  public var origin: Origin?

  public init(_ expressions: [Expression], comment: String? = nil, origin: Origin? = nil) {
    self.expressions = expressions
    self.comment = comment
    self.origin = origin
  }
}

/// The place of a base chain in the kernel's way of packets. These are netfilter's hooks, not directions of a policy.
public enum Hook: String, Hashable, Sendable, CaseIterable {
  case prerouting, input, forward, output, postrouting
}

/// What makes a chain a base chain.
public struct BaseChain: Hashable, Sendable {
  /// nft's chain type: `filter`.
  public var type: String
  public var hook: Hook
  /// 0 is nft's `filter`.
  public var priority: Int32
  /// `accept` or `drop`.
  public var policy: Verdict

  public init(type: String = "filter", hook: Hook, priority: Int32 = 0, policy: Verdict) {
    self.type = type
    self.hook = hook
    self.priority = priority
    self.policy = policy
  }
}

public struct Chain: Sendable {
  public var name: String
  public var base: BaseChain?
  public var rules: [Rule]
  /// Lines for a reader of the text; they don't reach the kernel.
  public var annotations: [String]

  public init(_ name: String, base: BaseChain? = nil, rules: [Rule] = [], annotations: [String] = []) {
    self.name = name
    self.base = base
    self.rules = rules
    self.annotations = annotations
  }
}

/// A named set.
public struct NamedSet: Sendable {
  public var name: String
  /// One a field of the key.
  public var types: [DataType]
  /// `flags interval`: needed where an element is more than one value.
  public var isInterval: Bool
  /// `size`: how many elements it has room for; nil for any number. The kernel finds the elements of an exact set of known size
  /// in a hash that it never resizes, at less cost.
  public var size: Int?
  /// Disjoint.
  public var elements: Elements
  public var annotations: [String]
  /// Flags and properties that Cordon never writes (`timeout`, `dynamic`, …), as nft words them.
  public var unknown: [String]

  public init(
    _ name: String, types: [DataType], isInterval: Bool, size: Int? = nil, elements: Elements, annotations: [String] = [],
    unknown: [String] = []
  ) {
    self.name = name
    self.types = types
    self.isInterval = isInterval
    self.size = size
    self.elements = elements
    self.annotations = annotations
    self.unknown = unknown
  }
}

/// A named verdict map.
public struct VerdictMap: Sendable {
  public var name: String
  public var types: [DataType]
  public var isInterval: Bool
  /// As a set's.
  public var size: Int?
  public var elements: VerdictElements
  public var annotations: [String]
  public var unknown: [String]

  public init(
    _ name: String, types: [DataType], isInterval: Bool, size: Int? = nil, elements: VerdictElements,
    annotations: [String] = [], unknown: [String] = []
  ) {
    self.name = name
    self.types = types
    self.isInterval = isInterval
    self.size = size
    self.elements = elements
    self.annotations = annotations
    self.unknown = unknown
  }
}

/// A named limit object: `limit NAME { rate N/second }`.
public struct NamedLimit: Hashable, Sendable {
  public var name: String
  public var packetsPerSecond: UInt64

  public init(_ name: String, packetsPerSecond: UInt64) {
    self.name = name
    self.packetsPerSecond = packetsPerSecond
  }
}

/// One table of family `inet`, whole.
public struct Ruleset: Sendable {
  public var tableName: String
  /// Whether `flags dormant` (or any other table flag) is set, under which nothing is enforced. Cordon never writes one.
  public var hasTableFlags: Bool
  /// Whether a listing broke off behind the table's flags, so that nothing more is known of the table than that it has some.
  public var isCutOff: Bool
  public var limits: [NamedLimit]
  public var sets: [NamedSet]
  public var maps: [VerdictMap]
  public var chains: [Chain]
  /// Objects that Cordon never writes (counters, quotas, flowtables, …), as their JSON text.
  public var unknown: [String]
  /// Lines at the head of the text.
  public var annotations: [String]

  public init(
    tableName: String, limits: [NamedLimit] = [], sets: [NamedSet] = [], maps: [VerdictMap] = [], chains: [Chain] = [],
    annotations: [String] = []
  ) {
    self.tableName = tableName
    self.hasTableFlags = false
    self.isCutOff = false
    self.limits = limits
    self.sets = sets
    self.maps = maps
    self.chains = chains
    self.unknown = []
    self.annotations = annotations
  }
}
