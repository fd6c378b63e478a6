import Diagnostics
import PacketSpace

/// What a service as written stands for.
enum ServiceReading {
  case terms([ServiceTerm])
  /// A service of the policy's own.
  case own(Int)
}

extension Resolver {
  /// One entry of a list of services; nil after a report.
  mutating func service(_ node: SyntaxNode, in tree: SyntaxTree, of key: String) -> ServiceReading? {
    guard isScalar(node, in: tree, of: key) else { return nil }
    return tree.withUTF8(node) { bytes in
      if let known = knownServices[bytes] { return known }
      let reading: ServiceReading
      switch ServiceScalar.read(bytes) {
      case .term(let term): reading = .terms([term])
      case .problem(let problem):
        report(problem, at: node, in: tree)
        return nil
      case .other:
        if let own = serviceNames[bytes] {
          reading = .own(own.index)
        } else if let builtIn = builtInServices[bytes] {
          reading = .terms(builtIn)
        } else {
          reportUnknownService(bytes, node, in: tree)
          return nil
        }
      }
      _ = knownServices.insert(bytes, reading)
      return reading
    }
  }

  private mutating func reportUnknownService(_ name: ScalarBytes, _ node: SyntaxNode, in tree: SyntaxTree) {
    if let problem = ServiceScalar.misspelling(name) { return report(problem, at: node, in: tree) }
    if isIncomplete { return }
    let names = Array(serviceNames.names) + BuiltInServices.all.map(\.name) + IPProtocol.policyNames.map(\.name) + ["all"]
    report(
      .error, .unknownService, "there is no service \(quoted(name))", at: tree.range(node),
      help: suggestion(for: name.string, among: names) ?? "define it under `services`, or write it out, as in `tcp/8080`")
  }

  /// The terms of a reading; those of the policy's own services must be resolved.
  func terms(of reading: consuming ServiceReading) -> [ServiceTerm] {
    switch reading {
    case .terms(let terms): terms
    case .own(let index): policy.services[index].terms
    }
  }

  /// Appends terms that are not there yet, as long as there is room for so many in a policy.
  mutating func append(_ added: [ServiceTerm], to terms: inout [ServiceTerm], at node: SyntaxNode, in tree: SyntaxTree) {
    if terms.isEmpty {
      terms = added
      return
    }
    guard serviceTermsLeft > 0 else { return }
    serviceTermsLeft -= terms.count + added.count
    if serviceTermsLeft <= 0 {
      report(
        .error, .tooManyServices, "the services of this policy have too many parts, named again and again",
        at: tree.range(node),
        help: "name large services in fewer places, or write ranges of ports")
      return
    }
    if terms.count + added.count <= 16 {
      for term in added where !terms.contains(term) { terms.append(term) }
    } else {
      var present = Set(terms)
      for term in added where present.insert(term).inserted { terms.append(term) }
    }
  }

  // MARK: - The policy's own services

  /// Resolves every service after those it names, without recursion: chains of names may be long.
  mutating func resolveServices() {
    var bodies: [[(node: SyntaxNode, reading: ServiceReading)]] = []
    for entry in declarations.services {
      let tree = trees[entry.tree]
      var body: [(node: SyntaxNode, reading: ServiceReading)] = []
      if isFilled(entry.value, in: tree, key: entry.key, help: "write at least one service, or remove this one") {
        for item in items(entry.value, in: tree, of: "services") {
          guard let reading = service(item, in: tree, of: "services") else { continue }
          if case .terms(let terms) = reading { warnOfReplies(terms, item, in: tree) }
          body.append((item, reading))
        }
      }
      bodies.append(body)
      policy.services.append(Service(name: tree.text(entry.key), terms: [], range: tree.range(entry.key)))
    }
    var states = [ServiceState](repeating: .untouched, count: bodies.count)
    for start in bodies.indices where states[start] == .untouched {
      resolve(service: start, bodies, &states)
    }
  }

  private enum ServiceState { case untouched, open, done }

  private mutating func resolve(
    service start: Int, _ bodies: [[(node: SyntaxNode, reading: ServiceReading)]], _ states: inout [ServiceState]
  ) {
    // services that wait for those behind them, each with the place in its body where it goes on
    var waiting: [(service: Int, position: Int)] = [(start, 0)]
    states[start] = .open
    while let (service, position) = waiting.last {
      let tree = trees[declarations.services[service].tree]
      guard position < bodies[service].count else {
        states[service] = .done
        waiting.removeLast()
        continue
      }
      let (node, reading) = bodies[service][position]
      if case .own(let named) = reading {
        switch states[named] {
        case .untouched:
          states[named] = .open
          waiting.append((named, 0))
          continue
        case .open:
          let circle = waiting.drop { $0.service != named }.map(\.service)
          reportCircle(circle, node, in: tree)
          waiting[waiting.count - 1].position += 1
          continue
        case .done: break
        }
      }
      var terms = policy.services[service].terms
      policy.services[service].terms = []
      append(self.terms(of: reading), to: &terms, at: node, in: tree)
      policy.services[service].terms = terms
      waiting[waiting.count - 1].position += 1
    }
  }

  private mutating func reportCircle(_ circle: [Int], _ node: SyntaxNode, in tree: SyntaxTree) {
    let names = circle.map { policy.services[$0].name }
    let isBuiltIn = circle.count == 1 && BuiltInServices.all.contains { $0.name == names[0] }
    let help =
      isBuiltIn
      ? "inside the policy's own \(quoted(names[0])) the built-in one can't be named: write its port"
      : "take one of the names out of the circle"
    let shown = (names.prefix(8) + (names.count > 8 ? ["…"] : []) + [names[0]]).joined(separator: " → ")
    report(
      .error, .circularService,
      circle.count == 1 ? "the service \(quoted(names[0])) names itself" : "the services name each other in a circle: \(shown)",
      at: tree.range(node), help: help,
      notes: circle.dropFirst().prefix(8).map {
        Diagnostic.Note("\(quoted(policy.services[$0].name)) is defined here", at: policy.services[$0].range)
      })
  }

  // MARK: - ICMP

  /// The first term that no flow begins with.
  func firstReply(in terms: [ServiceTerm]) -> ServiceTerm? {
    terms.first {
      if case .icmp(let value, let type, _) = $0 { !ICMPTypes.canBeginFlow(type, of: value) } else { false }
    }
  }

  /// Warns of a service written out that passes only as related to some other flow.
  mutating func warnOfReplies(_ terms: [ServiceTerm], _ node: SyntaxNode, in tree: SyntaxTree) {
    guard firstReply(in: terms) != nil else { return }
    report(
      .warning, .icmpReply,
      "\(quoted(tree.text(node))) can't begin a flow: whatever a rule says, such packets pass only as part of one",
      at: tree.range(node), help: "remove it: replies and errors of allowed flows pass without a rule")
  }
}
