import Diagnostics
import PacketSpace

/// Joins syntax trees to one policy, and finds all that is wrong with it.
///
/// What is wrong is reported where it stands and then treated as something harmless, so that one mistake is one diagnostic.
struct Resolver {
  let trees: [SyntaxTree]
  /// Whether text is missing that may define what seems unknown.
  let isIncomplete: Bool
  /// Fewer entries than this are resolved on one thread.
  let leastForHalves: Int

  var policy = Policy()
  var diagnostics: [Diagnostic] = []

  // names, and what bears them
  var peerNames = NameTable<Definition>()
  var serviceNames = NameTable<Definition>()
  var networkNames = NameTable<Definition>()
  var declarations = Declarations()
  var builtInServices = NameTable<[ServiceTerm]>()
  /// Services as they have been read, by their texts: rules that name the same have one list of terms in common.
  var knownServices = NameTable<ServiceReading>()

  /// Lists of one group, by group, or empty until one is asked for: most rules and instances name one group, and share them.
  private var singlePeers: [[Peer]] = []
  private var singleGroups: [[Int]] = []

  // what the policy does not say itself
  var groupNetworks: [NetworkReference] = []
  var instanceNetworks: [NetworkReference] = []
  var groupRules: [GroupRules] = []
  /// The addresses of all instances, with the instance as owner, and where each stands.
  var instanceAddresses: [OwnedAddresses] = []
  /// The entries of all `members`, with the group as owner.
  var memberAddresses: [OwnedAddresses] = []

  // limits
  var hostBitWarnings = HostBitWarnings()
  var suggestionsLeft = 20
  /// Services may name services, and so grow beyond all text; this many parts of them are copied in all.
  var serviceTermsLeft = 1 << 22
  /// The same of own ends that join prefix lists: this many ranges.
  var ownRangesLeft = 1 << 22

  init(trees: [SyntaxTree], isIncomplete: Bool, halvesFrom leastForHalves: Int) {
    self.leastForHalves = leastForHalves
    self.trees = trees
    self.isIncomplete = isIncomplete
    for (name, terms) in BuiltInServices.all {
      _ = Array(name.utf8).withUnsafeBufferPointer { builtInServices.insert($0, terms) }
    }
  }

  mutating func resolve() {
    declareAll()
    resolveNetworks()
    resolvePrefixLists()
    resolveServices()
    resolveGroups()
    resolveInstances()
    joinMembers()
    resolveRules()
    resolveOptions()
    resolveExpectations()
    checkOverlaps()
    checkNetworks()
    checkGroupTypes()
    checkMembers()
    hostBitWarnings.finish(into: &diagnostics)
  }

  // MARK: - Halves

  /// Does some work in two halves at once, where it is much.
  ///
  /// Each half goes on from the same state. What the second one leaves is as if it had gone on from the first's, as long as it has
  /// nothing to report and they stay within the limits together; where it isn't so, it is done once more, behind the first.
  /// - Parameters:
  ///   - work: Gives the results for some of `count` things, and changes nothing of the resolver but reports and limits.
  ///   - take: Takes over the results, in order.
  mutating func inHalves<Part: Sendable>(
    _ count: Int, _ work: @escaping @Sendable (inout Resolver, Range<Int>) -> Part,
    taking take: (inout Resolver, consuming Part) -> Void
  ) {
    guard count >= leastForHalves else { return take(&self, work(&self, 0..<count)) }
    let state = self
    let middle = count / 2
    @Sendable func half(_ range: Range<Int>) -> (resolver: Resolver, part: Part) {
      var resolver = state
      let part = work(&resolver, range)
      return (resolver, part)
    }
    let (first, second) = concurrently({ half(0..<middle) }, { half(middle..<count) })
    self = first.resolver
    let isTaken = spend(second.resolver, from: state)
    take(&self, first.part)
    take(&self, isTaken ? second.part : work(&self, middle..<count))
  }

  /// Takes over what another resolver has spent since it had a state; false, without a change, if that is more than there is, or
  /// if it has anything to say.
  private mutating func spend(_ other: Resolver, from state: Resolver) -> Bool {
    let services = serviceTermsLeft - (state.serviceTermsLeft - other.serviceTermsLeft)
    let ranges = ownRangesLeft - (state.ownRangesLeft - other.ownRangesLeft)
    guard other.diagnostics.count == state.diagnostics.count, other.hostBitWarnings == state.hostBitWarnings,
      services > 0, ranges > 0
    else { return false }
    serviceTermsLeft = services
    ownRangesLeft = ranges
    return true
  }

  // MARK: - Lists of one

  /// A list of one peer.
  mutating func alone(_ peer: Peer) -> [Peer] {
    guard case .group(let group) = peer else { return [peer] }
    if singlePeers.isEmpty { singlePeers = [[Peer]](repeating: [], count: declarations.groups.count) }
    if singlePeers[group].isEmpty { singlePeers[group] = [peer] }
    return singlePeers[group]
  }

  /// A list of one group.
  mutating func alone(_ group: Int) -> [Int] {
    if singleGroups.isEmpty { singleGroups = [[Int]](repeating: [], count: declarations.groups.count) }
    if singleGroups[group].isEmpty { singleGroups[group] = [group] }
    return singleGroups[group]
  }

  // MARK: - Reports

  mutating func report(
    _ severity: Severity, _ code: DiagnosticCode, _ message: String, at range: SourceRange?, help: String? = nil,
    notes: [Diagnostic.Note] = []
  ) {
    diagnostics.append(Diagnostic(severity, code.rawValue, message, at: range, help: help, notes: notes))
  }

  mutating func report(_ problem: ScalarProblem, at node: SyntaxNode, in tree: SyntaxTree) {
    report(.error, problem.code, problem.message, at: tree.range(node), help: problem.help)
  }

  /// The name nearest to a wrong one; nil also after many, since each search goes through all names.
  mutating func suggestion(for name: String, among names: some Sequence<String>) -> String? {
    guard suggestionsLeft > 0 else { return nil }
    suggestionsLeft -= 1
    return Suggestion.nearest(name, among: names).map { "did you mean `\($0)`?" }
  }
}

/// What a name stands for, and where it is defined.
struct Definition {
  enum Kind: String {
    case network
    case prefixList = "prefix list"
    case service, group, instance

    /// With its article.
    var words: String { self == .instance ? "an \(rawValue)" : "a \(rawValue)" }
  }

  let kind: Kind
  private let number: Int32
  let range: SourceRange

  init(kind: Kind, index: Int, range: SourceRange) {
    self.kind = kind
    number = Int32(index)
    self.range = range
  }

  /// Index into the policy's array and the declarations of the kind.
  var index: Int { Int(number) }
}

/// The network that a group or an instance is in.
enum NetworkReference: Hashable {
  case unnamed
  case named(Int)
  /// Its name is wrong, which has been reported.
  case unknown
}

/// Where a group's rules stand.
struct GroupRules {
  var tree: Int
  var ingress: SyntaxNode?
  var egress: SyntaxNode?
}

/// Warnings of bits beyond a prefix's length: twenty are shown, the rest is counted.
struct HostBitWarnings: Equatable {
  static let shown = 20
  private var count = 0
  private var firstHidden: SourceRange?

  /// Whether the next one is to be shown.
  mutating func add(at range: SourceRange) -> Bool {
    count += 1
    if count == HostBitWarnings.shown + 1 { firstHidden = range }
    return count <= HostBitWarnings.shown
  }

  func finish(into diagnostics: inout [Diagnostic]) {
    guard let firstHidden else { return }
    let rest = count - HostBitWarnings.shown
    diagnostics.append(
      Diagnostic(
        .warning, DiagnosticCode.hostBits.rawValue,
        rest == 1
          ? "one more prefix has bits beyond its length"
          : "\(rest) more prefixes have bits beyond their length, this one first",
        at: firstHidden, help: "the bits are ignored"))
  }
}
