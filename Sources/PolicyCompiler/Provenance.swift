public import Nftables
public import PolicyLanguage

/// The way back from a lowered rule to the policy's.
///
/// Every rule of the policy has a number: group by group, ingress before egress. A lowered rule that stands for one of them
/// has that number as its origin; one that stands for several has a number behind them all, which names their list.
public struct Provenance: Sendable {
  /// A rule of the policy.
  public struct RuleReference: Hashable, Sendable {
    public var group: Int
    public var direction: Direction
    /// Index into `Group.rules(direction)`.
    public var index: Int
  }

  /// The number of the first rule of each group's ingress and egress, in turn, and the count of all at the end.
  private var starts: [UInt32]
  private var merged: [[UInt32]] = []

  init(_ policy: Policy) {
    starts = [0]
    starts.reserveCapacity(policy.groups.count * 2 + 1)
    for group in policy.groups {
      starts.append(starts.last! + UInt32(group.ingress.count))
      starts.append(starts.last! + UInt32(group.egress.count))
    }
  }

  /// How many rules the policy has.
  var ruleCount: Int { Int(starts.last!) }

  func number(_ group: Int, _ direction: Direction, _ index: Int) -> UInt32 {
    starts[group * 2 + (direction == .ingress ? 0 : 1)] + UInt32(index)
  }

  /// The origin of a lowered rule that stands for the rules of these numbers; nil for none.
  mutating func origin(_ numbers: [UInt32]) -> Origin? {
    if numbers.isEmpty { return nil }
    if numbers.count == 1 { return Origin(rawValue: numbers[0]) }
    merged.append(numbers)
    return Origin(rawValue: starts.last! + UInt32(merged.count - 1))
  }

  /// The policy's rules that a lowered rule stands for, the strongest first.
  public func rules(_ origin: Origin) -> [RuleReference] {
    if origin.rawValue < starts.last! { return [rule(origin.rawValue)] }
    return merged[Int(origin.rawValue - starts.last!)].map(rule)
  }

  private func rule(_ number: UInt32) -> RuleReference {
    // the last start that is not beyond the number
    var low = 0
    var high = starts.count - 1
    while low + 1 < high {
      let middle = (low + high) / 2
      if starts[middle] <= number { low = middle } else { high = middle }
    }
    return RuleReference(group: low / 2, direction: low % 2 == 0 ? .ingress : .egress, index: Int(number - starts[low]))
  }

  /// The comment that the kernel keeps with a rule: `web ingress 2`, by group, direction and the rule's place there. It names
  /// neither file nor line, so it stays the same while the policy changes around the rule.
  func comment(_ rule: LoweredRule, _ policy: Policy) -> String {
    if rule.origins.isEmpty { return Provenance.shortened(rule.note) }
    var result = ""
    var previous: RuleReference?
    for number in rule.origins {
      let reference = self.rule(number)
      if let previous, previous.group == reference.group, previous.direction == reference.direction {
        result += " \(reference.index + 1)"
      } else {
        if previous != nil { result += ", " }
        let name = policy.groups[reference.group].name
        result += "\(name) \(reference.direction.rawValue) \(reference.index + 1)"
      }
      previous = reference
      if result.utf8.count > Provenance.longestComment { break }
    }
    return Provenance.shortened(result)
  }

  /// The rules of these numbers by name, a text for each group and direction: `web ingress 2 5-7`.
  ///
  /// - Parameter numbers: ascending.
  func names(_ numbers: [UInt32], _ policy: Policy) -> [String] {
    var runs: [(first: RuleReference, count: Int)] = []
    for number in numbers {
      let reference = rule(number)
      if let (first, count) = runs.last, first.group == reference.group, first.direction == reference.direction,
        first.index + count == reference.index
      {
        runs[runs.count - 1].count += 1
      } else {
        runs.append((reference, 1))
      }
    }
    var result: [String] = []
    for (place, (first, count)) in runs.enumerated() {
      let words = count == 1 ? " \(first.index + 1)" : " \(first.index + 1)-\(first.index + count)"
      if place > 0, runs[place - 1].first.group == first.group, runs[place - 1].first.direction == first.direction {
        result[result.count - 1] += words
      } else {
        result.append("\(policy.groups[first.group].name) \(first.direction.rawValue)\(words)")
      }
    }
    return result
  }

  /// The kernel takes 128 bytes, its own zero among them.
  private static let longestComment = 127

  private static func shortened(_ text: String) -> String {
    text.utf8.count > longestComment ? text.prefix(longestComment - 3) + "..." : text
  }
}
