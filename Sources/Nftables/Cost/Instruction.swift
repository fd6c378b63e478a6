import PacketSpace

/// One of the expressions that nft makes of a rule.
///
///     ip saddr 10.0.0.0/24 tcp dport 22 drop     meta load nfproto, cmp, payload load 3 bytes, cmp,
///                                                meta load l4proto, cmp, payload load 2 bytes, cmp, immediate
///
/// The kernel takes them one after the other until one fails.
/// - Source: `nft --debug=netlink` of 1.0.6; src/netlink_linearize.c, and src/payload.c for what it puts in front.
struct Instruction {
  enum Kind: Hashable {
    case meta, linkName, connectionState
    case payload(bytes: Int)
    case equal, order, range
    case mask(bytes: Int)
    case byteOrder
    case lookup
    case verdict
    case counter, limit, limitObject, log, unknown
  }

  /// Whether a packet can fail here, and what says so.
  enum Test {
    case none
    /// Only the packet's family, or its protocol, decides.
    case family(Interval, isNegated: Bool)
    case transport(Interval, isNegated: Bool)
    case open
  }

  var kind: Kind
  var test = Test.none
  /// At worst and as a mean over what it may find.
  var worst: PacketCost
  var usual: PacketCost

  init(_ kind: Kind, _ test: Test = .none) {
    self.kind = kind
    self.test = test
    var cost = PacketCost()
    cost.expressions = 1
    cost.nanoseconds = kind.nanoseconds
    worst = cost
    usual = cost
  }

  /// A lookup; it fails where nothing is found, unless `test` says that it can't.
  init(_ lookup: LookupCost) {
    self.init(.lookup, .open)
    worst = lookup.worst
    usual = lookup.usual
  }

  /// What `nft --debug=netlink` begins its line with.
  var word: String {
    switch kind {
    case .meta, .linkName: "meta"
    case .connectionState: "ct"
    case .payload: "payload"
    case .equal, .order: "cmp"
    case .range: "range"
    case .mask: "bitwise"
    case .byteOrder: "byteorder"
    case .lookup: "lookup"
    case .verdict: "immediate"
    case .counter: "counter"
    case .limit: "limit"
    case .limitObject: "objref"
    case .log: "log"
    case .unknown: "unknown"
    }
  }
}

extension Instruction.Kind {
  fileprivate var nanoseconds: Double {
    switch self {
    case .meta, .equal: CostModel.inline
    case .linkName: CostModel.linkName
    case .connectionState: CostModel.connectionState
    case .payload(let bytes): bytes == 1 || bytes == 2 || bytes == 4 ? CostModel.inline : CostModel.bytes
    case .order: CostModel.order
    case .range: CostModel.range
    case .mask(let bytes): bytes <= 4 ? CostModel.inline : CostModel.wideMask
    case .byteOrder: CostModel.byteOrder
    case .lookup: 0
    case .verdict: CostModel.verdict
    case .counter: CostModel.counter
    case .limit, .limitObject: CostModel.limit
    case .log: CostModel.log
    case .unknown: CostModel.inline
    }
  }
}

/// What a lookup in some set or map costs.
struct LookupCost {
  var worst = PacketCost()
  var usual = PacketCost()
  let kind: SetKind

  init(_ elements: Elements, isInterval: Bool) {
    kind = SetKind(stride: elements.stride, isInterval: isInterval)
    worst.expressions = 1
    switch kind {
    case .exact:
      worst.hashLookups = 1
      worst.nanoseconds = CostModel.hash
      usual = worst
    case .intervals:
      worst.treeLookups = 1
      worst.nanoseconds = CostModel.tree(elements.count)
      usual = worst
    case .concatenated:
      worst.concatenatedLookups = 1
      let crowds = elements.firstFieldCrowds
      usual = worst
      worst.nanoseconds = CostModel.concatenated(elements.count, crowd: Double(crowds.most))
      usual.nanoseconds = CostModel.concatenated(elements.count, crowd: crowds.mean)
    }
  }
}

/// How the kernel keeps a set or map.
enum SetKind {
  /// A hash.
  case exact
  /// A tree of one field's intervals.
  case intervals
  /// Intervals of several fields.
  case concatenated

  init(stride: Int, isInterval: Bool) {
    self = !isInterval ? .exact : stride == 1 ? .intervals : .concatenated
  }
}

extension Elements {
  /// How many elements hold a value of the first field that some element begins with: at most, and as a mean over the elements.
  var firstFieldCrowds: (most: Int, mean: Double) {
    var lowers: [UInt128] = []
    var uppers: [UInt128] = []
    for index in 0..<count {
      let first = self[index].first!
      lowers.append(first.lower)
      uppers.append(first.upper)
    }
    lowers.sort()
    uppers.sort()
    var (most, sum, ended, at) = (0, 0.0, 0, 0)
    while at < lowers.count {
      let value = lowers[at]
      let start = at
      while at < lowers.count, lowers[at] == value { at += 1 }
      while ended < uppers.count, uppers[ended] < value { ended += 1 }
      most = Swift.max(most, at - ended)
      sum += Double(at - start) * Double(at - ended)
    }
    return (most, lowers.isEmpty ? 0 : sum / Double(lowers.count))
  }
}
