import Nftables
import PolicyLanguage

/// The rules of a profile of a large table, as far as they aren't written one by one.
extension ProfileChains {
  /// Allows of an egress that denies by default which can have the last word on their services: indices, ascending.
  mutating func lastWords(_ ordered: [OrderedRule]) -> [Int] {
    let policy = self.policy
    var result: [Int] = []
    // ports first: a whole protocol meets many of them
    let isNarrow = ordered.map { $0.rule.services.allSatisfy { if case .ports = $0 { true } else { false } } }
    for index in ordered.indices.filter({ isNarrow[$0] }) + ordered.indices.filter({ !isNarrow[$0] }) {
      let rule = ordered[index].rule
      guard rule.action == .allow, rule.own == nil, rule.sourcePorts == nil, rule.peers.count == 1,
        rule.services.allSatisfy({ $0.ipProtocol != nil && $0.family == nil }),
        let count = sets.ruleCount(rule.peers[0]), count > 1
      else { continue }
      let shape = shapes.of(ordered[index], policy)
      let isAlone = result.allSatisfy { !shapes.of(ordered[$0], policy).meetsServices(shape) }
      let passes = ordered[(index + 1)...].allSatisfy { $0.rule.action == .allow || !shapes.of($0, policy).meets(shape) }
      if isAlone, passes, called.chain(to: rule.peers[0]) != nil { result.append(index) }
    }
    return result.sorted()
  }

  /// Rules, some of which have the last word on their services.
  ///
  ///     ip daddr @group-ipv4/web tcp dport 22 return      tcp dport 22 goto only-to/web
  ///     ip6 daddr @group-ipv6/web tcp dport 22 return
  ///     drop                                              drop
  ///
  ///     chain only-to/web { ip daddr @group-ipv4/web return; ip6 daddr @group-ipv6/web return; drop }
  ///
  /// Such a rule goes behind all others: allows may change places with each other, and no deny that it passes meets it. A packet
  /// of its service that comes there, and isn't to its peer, finds the default's drop in the chain that it goes to, as it would
  /// have found it behind: what stands there speaks of other services.
  mutating func lower(
    _ ordered: [OrderedRule], last: [Int], _ direction: Direction, allow: Verdict, deny: Verdict,
    _ step: inout IntraGroupStep?
  ) -> [LoweredRule] {
    var first = ordered
    for index in last.reversed() { first.remove(at: index) }
    var result = lowerShared(first, direction, allow: allow, deny: deny, &step)
    for item in last.map({ ordered[$0] }) {
      guard let name = called.chain(to: item.rule.peers[0]) else { preconditionFailure("it was there before") }
      result += ServiceMatches.of(item.rule.services, sourcePorts: nil, setFrom: sets.setFrom).map {
        LoweredRule($0.expressions, .goto(name), origin: item.number)
      }
    }
    return result
  }

  /// Rules, with a call in the place of those that are written once for many profiles.
  mutating func lowerShared(
    _ ordered: [OrderedRule], _ direction: Direction, allow: Verdict, deny: Verdict, _ step: inout IntraGroupStep?
  ) -> [LoweredRule] {
    var result: [LoweredRule] = []
    var rest = ordered[...]
    while let first = rest.first {
      let key = first.key(direction)
      guard shared.contains(key) else {
        result += lower([rest.removeFirst()], direction, allow: allow, deny: deny, &step)
        continue
      }
      let count = rest.firstIndex { $0.key(direction) != key } ?? rest.endIndex
      let own = Array(rest[..<count])
      rest = rest[count...]
      if key.action == .deny, let before = step {
        result += before.rules
        step = nil
      }
      if !shared.isWritten(key) {
        // the chain of many profiles knows the members of none
        var none: IntraGroupStep?
        let content = lower(own, direction, allow: allow, deny: deny, &none)
        let title =
          "\(direction.rawValue) of group \(policy.groups[key.group].name), \(key.action.rawValue) of priority \(key.priority)"
        shared.write(key, chain(shared.name(key), content, [title]))
      }
      result.append(LoweredRule([], .verdict(.jump(shared.name(key))), origins: own.map(\.number), note: ""))
    }
    return result
  }
}
