public import Diagnostics
public import PacketSpace

extension Policy {
  /// What stands behind an answer, in words, with the place in the policy where there is one.
  public func words(_ step: DecisionStep, _ direction: Direction?, isAllowed: Bool) -> Diagnostic.Note {
    switch step {
    case .notEnforced: .init("the policy says nothing about packets on this way")
    case .linkBinding: .init("the address and the link it came in by don't belong together")
    case .prologue: .init("a machine takes and sends this whatever its groups say")
    case .session: .init("it belongs or is related to a flow that was allowed")
    case .invalid: .init("connection tracking calls it invalid")
    case .exempt: .init("the peer is in `options: \(direction == .egress ? "exempt-to" : "exempt-from")`")
    case .intraGroup(let group):
      .init("members of basic group `\(groups[group].name)` reach each other", at: groups[group].range)
    case .rule(let group, let direction, let index):
      .init(
        "\(direction.rawValue) rule \(index + 1) of `\(groups[group].name)`", at: groups[group].rules(direction)[index].range)
    case .default(let type):
      .init(
        "no rule matches, and \(type.rawValue) groups \(isAllowed ? "allow" : "deny") \(direction?.rawValue ?? "it") by default"
      )
    case .unmanaged: .init("neither end has a group, and `options: unmanaged` is `\(options.unmanaged.rawValue)`")
    }
  }

  /// An address as the policy knows it: `10.0.0.1 (web-1)`.
  public func name(_ address: IPAddress) -> String {
    guard let instance = instances.first(where: { $0.addresses.contains(address) }) else { return "\(address)" }
    return "\(address) (\(instance.name))"
  }

  /// The way of a packet through its ends: a note for each that was asked, the deciding one last.
  public func notes(_ packet: Packet, _ decision: Decision) -> [Diagnostic.Note] {
    if decision.ends.isEmpty {
      let note = words(decision.step, nil, isAllowed: decision.isAllowed)
      return [.init("\(decision.isAllowed ? "allowed" : "denied"): \(note.message)", at: note.range)]
    }
    return decision.ends.map { end in
      let address = end.direction == .egress ? packet.source : packet.destination
      let note = words(end.step, end.direction, isAllowed: end.isAllowed)
      let answer = end.isAllowed ? "allowed" : "denied"
      return .init("\(end.direction.rawValue) of \(name(address)): \(answer), \(note.message)", at: note.range)
    }
  }

  /// A broken claim as a diagnostic: the packet, its way, and how much else is wrong.
  public func diagnostic(_ broken: BrokenExpectation) -> Diagnostic {
    let claim = expectations[broken.expectation]
    let (packet, decision) = (broken.refutation.packet, broken.refutation.decision)
    let answer = decision.isAllowed ? "allowed" : "denied"
    var notes = self.notes(packet, decision)
    if broken.refutation.ends > 1 {
      notes.append(
        .init("it is broken at \(broken.refutation.ends - 1) more ends, of addresses with other groups or on the other side"))
    }
    return Diagnostic(
      .error, "broken-expectation", "expected \(claim.action.rawValue), but `\(packet)` is \(answer)", at: claim.range,
      help: "change the rule that decides it, or the expectation", notes: notes)
  }
}
