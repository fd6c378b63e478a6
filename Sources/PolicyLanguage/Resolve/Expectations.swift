import Diagnostics
import PacketSpace

/// `expect`: what the policy claims of itself.
extension Resolver {
  mutating func resolveExpectations() {
    for (index, node) in declarations.expectations {
      if let expectation = resolve(expectation: node, in: trees[index]) { policy.expectations.append(expectation) }
    }
  }

  private mutating func resolve(expectation node: SyntaxNode, in tree: SyntaxTree) -> Expectation? {
    let what = "an expectation"
    var nodes = FlowNodes()
    var description: String?
    for (key, value) in entries(node, in: tree, of: what, example: "{allow: https, from: any, to: web}") {
      guard let word = self.key(key, in: tree, of: what, as: ExpectKey.self) else {
        nodes.isDoubtful = true
        continue
      }
      switch word {
      case .allow: nodes.allow = (key, value)
      case .deny: nodes.deny = (key, value)
      case .from: nodes.from = (key, value)
      case .to: nodes.to = (key, value)
      case .exceptFrom: nodes.exceptFrom = (key, value)
      case .exceptTo: nodes.exceptTo = (key, value)
      case .sourcePorts: nodes.sourcePorts = (key, value)
      case .description: description = text(value, in: tree, of: "description")
      }
    }
    if tree.kind(node) == .scalar || tree.kind(node) == .sequence { return nil }
    nodes.isDoubtful = nodes.isDoubtful || tree.isBroken(node)

    let errors = diagnostics.count
    let action = action(nodes, node, in: tree, of: what)
    var services = EntryList()
    let terms = action.map { self.services($0.entry, key: $0.action.rawValue, in: tree, &services) } ?? []
    reportReplies(services, in: tree)
    var ends = EntryList()
    let from = peers(nodes.from, key: "from", node, in: tree, nodes.isDoubtful, of: what, &ends)
    let to = peers(nodes.to, key: "to", node, in: tree, nodes.isDoubtful, of: what, &ends)
    let exceptFrom = nodes.exceptFrom.map { peers($0.value, in: tree, at: .otherEnd("except-from")) } ?? []
    let exceptTo = nodes.exceptTo.map { peers($0.value, in: tree, at: .otherEnd("except-to")) } ?? []
    let sourcePorts = nodes.sourcePorts.flatMap { self.sourcePorts($0, in: tree) }
    if nodes.sourcePorts != nil { checkSourcePorts(services, in: tree) }
    guard let action else { return nil }
    let expectation = Expectation(
      action: action.action, services: terms, from: from, exceptFrom: exceptFrom, to: to, exceptTo: exceptTo,
      sourcePorts: sourcePorts, description: description, range: tree.range(node))
    if errors == diagnostics.count, !nodes.isDoubtful, !isIncomplete {
      checkSubject(of: expectation, FamilySet(terms), at: firstLine(node, in: tree))
    }
    return expectation
  }

  /// What passes only as related to a flow is no flow's first packet.
  private mutating func reportReplies(_ services: EntryList, in tree: SyntaxTree) {
    for node in services.entries.map(\.node) {
      guard let reading = service(node, in: tree, of: "expect"), let reply = firstReply(in: terms(of: reading)) else {
        continue
      }
      let text = tree.text(node)
      let part = if case .own = reading { ", since it holds `\(reply)`" } else { "" }
      report(
        .error, .icmpReply, "\(quoted(text)) can't begin a flow\(part), and an expectation is about first packets",
        at: tree.range(node),
        help: "write a service that begins a flow, such as `ping`")
    }
  }

  /// An expectation that speaks of no packet is a mistake, not a success.
  private mutating func checkSubject(
    of expectation: Expectation, _ services: FamilySet, at range: SourceRange
  ) {
    let from = addresses(of: expectation.from, except: expectation.exceptFrom)
    let to = addresses(of: expectation.to, except: expectation.exceptTo)
    let message: String
    if from.isEmpty {
      message = "there is no address in `from`" + (expectation.exceptFrom.isEmpty ? "" : " that `except-from` leaves")
    } else if to.isEmpty {
      message = "there is no address in `to`" + (expectation.exceptTo.isEmpty ? "" : " that `except-to` leaves")
    } else {
      let (f, t) = (FamilySet(from), FamilySet(to))
      if !f.intersection(t).isDisjoint(with: services) {
        guard isOneAddress(from, to, f.intersection(t).intersection(services)) else { return }
        message = "`from` and `to` are the same single address, and flows from an address to itself are left aside"
      } else if f.isDisjoint(with: t) {
        message = "`from` is \(f.words) and `to` is \(t.words)"
      } else {
        message = "the services are \(services.words), and `from` and `to` meet in \(f.intersection(t).words)"
      }
    }
    report(
      .error, .expectationOfNothing, "this expectation speaks of no packet: \(message)", at: range,
      help: "an expectation that nothing can break proves nothing; correct it, or remove it")
  }

  private func addresses(of peers: [Peer], except excluded: [Peer]) -> AddressSet {
    let all = union(peers)
    return excluded.isEmpty ? all : all.subtracting(union(excluded))
  }

  private func union(_ peers: [Peer]) -> AddressSet {
    peers.count == 1 ? policy.addresses(of: peers[0]) : AddressSet(peers.flatMap { policy.addresses(of: $0).ranges })
  }

  /// Whether in each of the families both ends are one and the same address.
  private func isOneAddress(_ from: AddressSet, _ to: AddressSet, _ families: FamilySet) -> Bool {
    IPFamily.allCases.allSatisfy { family in
      guard families.contains(FamilySet(family)) else { return true }
      return from[family] == to[family] && from[family].intervals.count == 1 && from[family].intervals[0].isSingle
    }
  }
}
