public import PacketSpace

/// What a rule does with a packet that its matches let through.
public enum Verdict: Hashable, Sendable {
  /// Ends this base chain.
  case accept
  /// Ends everything.
  case drop
  /// Back to behind the last `jump`; in a base chain, its policy.
  case `return`
  /// On with the next rule.
  case `continue`
  case jump(String)
  case goto(String)
}

/// The left side of a match: one field or a concatenation of several.
public enum Key: Hashable, Sendable {
  case field(Field)
  /// At least two.
  case concatenation([Field])

  public var fields: [Field] {
    switch self {
    case .field(let field): [field]
    case .concatenation(let fields): fields
    }
  }
}

/// Elements of a set: for each, one interval a field of the key, laid end to end.
public struct Elements: Hashable, Sendable {
  /// Intervals an element, at least 1.
  public let stride: Int
  /// `count * stride` intervals.
  public private(set) var intervals: [Interval]

  public init(stride: Int = 1, _ intervals: [Interval] = []) {
    precondition(stride >= 1 && intervals.count % stride == 0, "elements must be whole")
    self.stride = stride
    self.intervals = intervals
  }

  public var count: Int { intervals.count / stride }
  public var isEmpty: Bool { intervals.isEmpty }
  public subscript(index: Int) -> ArraySlice<Interval> { intervals[index * stride..<(index + 1) * stride] }

  public mutating func append(_ element: Interval...) {
    precondition(element.count == stride, "an element has one interval a field")
    intervals.append(contentsOf: element)
  }

  public mutating func append(contentsOf element: some Collection<Interval>) {
    precondition(element.count == stride, "an element has one interval a field")
    intervals.append(contentsOf: element)
  }

  public mutating func reserveCapacity(_ count: Int) { intervals.reserveCapacity(count * stride) }

  /// Whether any element is more than a single value: the set then needs `flags interval`.
  public var hasIntervals: Bool { intervals.contains { !$0.isSingle } }
}

/// The elements of a verdict map, in step with their verdicts.
public struct VerdictElements: Hashable, Sendable {
  public private(set) var keys: Elements
  public private(set) var verdicts: [Verdict]

  public init(stride: Int = 1) {
    keys = Elements(stride: stride)
    verdicts = []
  }

  public var count: Int { verdicts.count }
  public var isEmpty: Bool { verdicts.isEmpty }

  public mutating func append(_ key: Interval..., verdict: Verdict) {
    keys.append(contentsOf: key)
    verdicts.append(verdict)
  }

  public mutating func append(contentsOf key: some Collection<Interval>, verdict: Verdict) {
    keys.append(contentsOf: key)
    verdicts.append(verdict)
  }

  public mutating func reserveCapacity(_ count: Int) {
    keys.reserveCapacity(count)
    verdicts.reserveCapacity(count)
  }
}

/// The right side of a match.
public enum Operand: Hashable, Sendable {
  /// One value or range, of a key of one field: `tcp dport 22`, `ip saddr 10.0.0.0/8`.
  case value(Interval)
  /// An anonymous set: `{ 22, 80-90 }`.
  case anonymous(Elements)
  /// A named set: `@name`.
  case named(String)
}

/// A match: `key == operand`, or `!=`. Where a field can't be loaded from a packet the rule ends, also where `isNegated`.
public struct Match: Hashable, Sendable {
  public var key: Key
  public var isNegated: Bool
  public var operand: Operand

  public init(_ key: Key, _ operand: Operand, isNegated: Bool = false) {
    self.key = key
    self.operand = operand
    self.isNegated = isNegated
  }

  public init(_ field: Field, _ value: Interval) {
    self.init(.field(field), .value(value))
  }
}

/// `key vmap { … }` or `key vmap @name`.
public struct VerdictLookup: Hashable, Sendable {
  public enum Source: Hashable, Sendable {
    case anonymous(VerdictElements)
    case named(String)
  }
  public var key: Key
  public var source: Source

  public init(_ key: Key, _ source: Source) {
    self.key = key
    self.source = source
  }
}

/// One step of a rule; the steps are taken from left to right until one fails.
public enum Expression: Hashable, Sendable {
  case match(Match)
  case lookup(VerdictLookup)
  case verdict(Verdict)
  /// `limit name "…"`: goes on while the named limit allows.
  case namedLimit(String)
  /// `limit rate N/second`.
  case limit(packetsPerSecond: UInt64)
  /// `log prefix "…"`, to the nflog group where one is given.
  case log(prefix: String, group: UInt16?)
  case counter
  /// Something that Cordon never writes, as its JSON text: it can be compared and shown, and what it does is unknown.
  case unknown(String)
}
