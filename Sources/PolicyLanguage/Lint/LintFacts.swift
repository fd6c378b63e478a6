import Diagnostics
import PacketSpace

/// What several of the linter's rules ask about a policy, found out once.
struct LintFacts: Sendable {
  let policy: Policy
  let words: PolicyWords
  /// The addresses with groups, put together where these are the same; the unprotected aside.
  let classes: [AddressClasses.Class]
  /// Of each group the indices of the classes that have it.
  let classesOfGroup: [[Int]]
  /// Of each group what its rules, its intra-group step and the exemptions decide, the strongest first.
  private let ingress: [[RuleLayer]]
  private let egress: [[RuleLayer]]
  /// Which class and which instance has an address.
  private let places: AddressIndex
  private let instances: AddressIndex

  init(_ policy: Policy, _ words: PolicyWords) {
    self.policy = policy
    self.words = words
    classes = Array(AddressClasses(policy).classes.dropFirst())
    var classesOfGroup = [[Int]](repeating: [], count: policy.groups.count)
    for (index, entry) in classes.enumerated() {
      for group in entry.groups { classesOfGroup[group].append(index) }
    }
    self.classesOfGroup = classesOfGroup
    places = AddressIndex(classes.map(\.addresses))
    instances = AddressIndex(policy.instances.map(\.addresses))
    let diagrams = PolicyDiagrams(policy)
    ingress = policy.groups.indices.map { LintFacts.layers(of: $0, .ingress, diagrams) }
    egress = policy.groups.indices.map { LintFacts.layers(of: $0, .egress, diagrams) }
  }

  private static func layers(of group: Int, _ direction: Direction, _ diagrams: PolicyDiagrams) -> [RuleLayer] {
    let policy = diagrams.policy
    let options = policy.options
    let peer: PacketAxis = direction == .ingress ? .source : .destination
    var result: [RuleLayer] = []
    let exempt = PolicyDiagrams.boxes(direction == .ingress ? options.exemptFrom : options.exemptTo, peer)
    if !exempt.isEmpty { result.append(RuleLayer(origin: .exempt, action: .allow, rank: -2, boxes: exempt)) }
    let own = policy.groups[group]
    if own.type == .basic, own.intraGroup == .allow, direction == .ingress || options.intraGroupEgress == .allow {
      let boxes = PolicyDiagrams.boxes(own.members, peer)
      if !boxes.isEmpty { result.append(RuleLayer(origin: .intraGroup(group), action: .allow, rank: -1, boxes: boxes)) }
    }
    let rules = own.rules(direction).enumerated().map { index, rule in
      let place = RulePlace(group: group, direction: direction, index: index)
      let rank = Int(rule.priority) * 2 + (rule.action == .deny ? 0 : 1)
      return RuleLayer(origin: .rule(place), action: rule.action, rank: rank, boxes: diagrams.boxes(rule, direction))
    }
    return result + sorted(rules)
  }

  /// The layers of one end whose address has these groups, the strongest first; equals as written.
  func layers(_ groups: [Int], _ direction: Direction) -> [RuleLayer] {
    let all = direction == .ingress ? ingress : egress
    if groups.count == 1 { return all[groups[0]] }
    var result: [RuleLayer] = []
    for group in groups {
      // all have the same exemptions
      result += result.isEmpty ? all[group][...] : all[group].drop { $0.origin == .exempt }
    }
    return LintFacts.sorted(result)
  }

  private static func sorted(_ layers: [RuleLayer]) -> [RuleLayer] {
    layers.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element)
  }

  /// What is decided where no rule matches.
  func defaultAction(_ group: Int, _ direction: Direction) -> Action {
    direction == .egress && policy.groups[group].type == .basic ? .allow : .deny
  }

  func rule(_ place: RulePlace) -> Rule { policy.groups[place.group].rules(place.direction)[place.index] }

  /// The addresses of some peers.
  func addresses(_ peers: [Peer]) -> AddressSet {
    if peers.contains(.any) { return .all }
    return peers.dropFirst().reduce(peers.first.map(policy.addresses(of:)) ?? AddressSet()) {
      $0.union(policy.addresses(of: $1))
    }
  }

  /// The instance that has all of a range, if there is one.
  func instance(of range: AddressRange) -> Int? {
    instances.first(range).flatMap { $0.interval.upper >= range.upper ? $0.label : nil }
  }

  /// The classes that an instance's addresses are in.
  func classes(ofInstance index: Int) -> [Int] {
    Set(policy.instances[index].addresses.ranges.flatMap { places.all($0) }).sorted()
  }

  /// The groups whose rules are enforced, by index.
  var enforcedGroups: [Int] { policy.groups.indices.filter { !policy.groups[$0].isExternal } }

  /// All rules, as written.
  func places(of group: Int) -> [RulePlace] {
    Direction.allCases.flatMap { direction in
      policy.groups[group].rules(direction).indices.map { RulePlace(group: group, direction: direction, index: $0) }
    }
  }
}

/// Sets that share no address, asked which one has some.
struct AddressIndex: Sendable {
  private var intervals: [IPFamily: [(interval: Interval, label: Int)]] = [:]

  init(_ sets: [AddressSet]) {
    for family in IPFamily.allCases {
      intervals[family] = sets.enumerated().flatMap { label, set in set[family].intervals.map { ($0, label) } }
        .sorted { $0.interval < $1.interval }
    }
  }

  /// The interval that has the first address of a range, with the index of its set.
  func first(_ range: AddressRange) -> (interval: Interval, label: Int)? {
    let all = intervals[range.family]!
    let index = start(range)
    return index < all.count && all[index].interval.lower <= range.lower ? all[index] : nil
  }

  /// The indices of the sets that have an address of a range.
  func all(_ range: AddressRange) -> [Int] {
    intervals[range.family]![start(range)...].prefix { $0.interval.lower <= range.upper }.map(\.label)
  }

  /// The place of the first interval that ends in the range or behind it.
  private func start(_ range: AddressRange) -> Int {
    let all = intervals[range.family]!
    var low = 0
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle].interval.upper < range.lower { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Diagnostics on their way out of a rule of the linter.
struct LintReport {
  private(set) var diagnostics: [Diagnostic] = []

  mutating func add(
    _ severity: Severity, _ code: LintCode, _ message: String, at range: SourceRange?, help: String? = nil,
    notes: [Diagnostic.Note] = []
  ) {
    diagnostics.append(Diagnostic(severity, code.rawValue, message, at: range, help: help, notes: notes))
  }

  /// Judges one group. Where the diagrams become too large that is said of the group instead.
  mutating func judge(
    _ group: Group, _ body: (inout LintReport) throws(DiagramBudgetExceeded) -> Void
  ) {
    do {
      try body(&self)
    } catch {
      let finding = Diagnostic(
        .warning, LintCode.tooComplex.rawValue, "the rules of `\(group.name)` are too entangled to be judged",
        at: group.range, help: "split the group, or the addresses and services that overlap in its rules",
        notes: [Diagnostic.Note("some of what lint looks for was not looked for here")])
      if !diagnostics.contains(finding) { diagnostics.append(finding) }
    }
  }
}

/// Words of messages.
enum LintText {
  /// Places of which a finding shows the first few, and counts the rest.
  static func notes(_ notes: [Diagnostic.Note], atMost limit: Int = 4) -> [Diagnostic.Note] {
    notes.count <= limit
      ? notes : notes.prefix(limit - 1) + [Diagnostic.Note("and \(notes.count - limit + 1) more")]
  }

  /// `a`, `a and b`, `a, b and c`.
  static func list(_ words: [String]) -> String {
    words.count < 2 ? words.first ?? "" : "\(words.dropLast().joined(separator: ", ")) and \(words.last!)"
  }
}
