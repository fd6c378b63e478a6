import Diagnostics
import PacketSpace

/// Whether a group says what it is for, and is for one thing: `many-purposes`, `missing-description` and `unneeded-intra-group`.
enum Purposes {
  private static let kinds: [(name: String, ports: [KnownPort])] = [
    ("web", KnownPort.web), ("database", KnownPort.databases), ("mail", KnownPort.mail), ("name", KnownPort.names),
    ("file", KnownPort.files),
  ]

  static func find(_ facts: LintFacts, into report: inout LintReport) {
    let talking = facts.groupsThatTalk
    for (index, group) in facts.policy.groups.enumerated() {
      if group.description == nil {
        report.add(
          .note, .missingDescription, "the group `\(group.name)` has no description", at: group.range,
          help: "write `description:` with what it is for")
      }
      if group.isExternal { continue }
      judgePurposes(group, &report)
      if group.type == .basic, group.intraGroup == .allow, group.members.hasSeveral,
        !facts.words.groupsWithIntraGroup.contains(group.name), !talking.contains(index),
        group.ingress.contains(where: { $0.action == .allow })
      {
        report.add(
          .note, .unneededIntraGroup,
          "members of `\(group.name)` reach each other on every port, and nothing says that they need to",
          at: group.range, help: "write `intra-group: isolate`, or `intra-group: allow` to say that it is meant")
      }
    }
  }

  /// What a group's ingress serves. Wide ranges of ports say nothing of that, nor do logins.
  private static func judgePurposes(_ group: Group, _ report: inout LintReport) {
    var found: [(name: String, note: Diagnostic.Note)] = []
    for rule in group.ingress where rule.action == .allow {
      for term in rule.services {
        guard case .ports(_, let range) = term, range.upper - range.lower < 4 else { continue }
        for kind in kinds
        where !found.contains(where: { $0.name == kind.name }) && kind.ports.contains(where: { $0.isIn(term) }) {
          found.append((kind.name, Diagnostic.Note("this is a \(kind.name) service", at: rule.range)))
        }
      }
    }
    if found.count < 2 { return }
    report.add(
      .warning, .manyPurposes, "the group `\(group.name)` serves several purposes: \(LintText.list(found.map(\.name)))",
      at: group.range, help: "make a group for each, so that an instance opens no ports that it doesn't serve",
      notes: found.map(\.note))
  }
}

extension LintFacts {
  /// The groups of whose members something says that they talk to each other: a rule or an expectation that names the group, or its
  /// instances, at both ends.
  var groupsThatTalk: Set<Int> {
    var result: Set<Int> = []
    for (index, group) in policy.groups.enumerated() {
      let peers = (group.ingress + group.egress).filter { $0.action == .allow }.flatMap(\.peers)
      if peers.contains(where: { isOf(index, $0) }) { result.insert(index) }
    }
    for claim in policy.expectations where claim.action == .allow {
      for case .group(let index) in claim.from where claim.to.contains(where: { isOf(index, $0) }) { result.insert(index) }
      for case .group(let index) in claim.to where claim.from.contains(where: { isOf(index, $0) }) { result.insert(index) }
    }
    return result
  }

  private func isOf(_ group: Int, _ peer: Peer) -> Bool {
    switch peer {
    case .group(let index): index == group
    case .instance(let index): policy.instances[index].groups.contains(group)
    case .any, .addresses, .prefixList: false
    }
  }
}
