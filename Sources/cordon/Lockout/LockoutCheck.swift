import ArgumentParser
import Diagnostics
import PacketSpace
import PolicyCompiler
import PolicyLanguage

/// What a policy would cut off of what must stay possible: the connection over which it is applied, and the flows that the
/// policy or the command line names. The policy's own meaning decides.
struct LockoutCheck {
  /// What was found: errors, or warnings where they are taken, and notes.
  private(set) var findings: [Diagnostic] = []

  private let policy: Policy
  private let enforcement: PolicyLanguage.Enforcement
  private let isForced: Bool
  private var prover: KeptFlowProver

  /// - Parameter own: the machine's own addresses.
  init(_ compilation: Compilation, isForced: Bool, own: AddressSet) {
    policy = compilation.policy
    enforcement = compilation.enforcement
    self.isForced = isForced
    prover = KeptFlowProver(compilation.policy, compilation.enforcement, links: own)
  }

  // MARK: - The session

  /// The connection of whoever applies the policy: a new one of its kind, from any port of the client, must be allowed.
  ///
  /// - Parameter isNamed: whether the command line names flows to keep, so that what isn't found needn't be asked for.
  mutating func judge(_ session: RemoteSession, isNamed: Bool) {
    switch enforcement {
    case .gateway:
      for connection in session.connections {
        tell(
          "your connection \(connection.ends) isn't at risk: it ends at the gateway itself, and the ruleset is about what is "
            + "forwarded (\(connection.source))")
      }
      if session.connections.isEmpty, session.doubt != nil {
        tell("your session isn't at risk: it ends at the gateway itself, and the ruleset is about what is forwarded")
      }
    case .host:
      for connection in session.elsewhere {
        tell(
          "your connection \(connection.ends) ends in another network namespace, so it isn't at risk here "
            + "(\(connection.source))"
        )
      }
      for connection in session.connections { judge(connection) }
      if let doubt = session.doubt, !isNamed { ask(doubt, session.origin) }
    }
  }

  private mutating func judge(_ connection: RemoteSession.Connection) {
    let (client, server) = (connection.ends.client.address, connection.ends.server)
    judge(
      [.ports(.tcp, PortRange(server.port))], from: AddressSet([AddressRange(client)]),
      to: AddressSet([AddressRange(server.address)])
    ) { packet in
      Finding(
        code: "lockout",
        message: "this policy would lock you out: a new connection like yours, `\(packet)`, would be denied",
        help:
          "let `\(ServiceTerm.ports(.tcp, PortRange(server.port)))` in from `\(client)`, or go on with `--force --confirm 60`, "
          + "which undoes it unless you confirm",
        notes: [.init("you work over \(connection.ends), by \(connection.source)")])
    }
  }

  /// A session that looks as if it came over the network, and nobody knows from where.
  private mutating func ask(_ doubt: String, _ origin: String?) {
    let client = origin.flatMap { IPAddress($0) }
    let example = client.map { $0.family == .ipv4 ? "\($0)" : "[\($0)]" } ?? "CLIENT"
    add(
      Finding(
        code: "unknown-connection",
        message: "you seem to work over the network, and by which connection can't be found: \(doubt)",
        help:
          "name what must stay allowed, as --keep '\(example)->:22' does for SSH and '\(example)->:udp/60001' for mosh, or go "
          + "on with --force"
      ))
  }

  // MARK: - Flows that are named

  /// An entry of `options: keep`.
  mutating func judge(_ flow: KeptFlow) {
    judge(flow.services, from: policy.addresses(flow.from), to: policy.addresses(flow.to)) { packet in
      Finding(
        code: "kept-flow", message: "`keep` says that this must stay allowed, and `\(packet)` would be denied",
        range: flow.range,
        help: "change the rule that decides it, or this entry, or go on with --force")
    }
  }

  /// What `--keep` names.
  ///
  /// - Throws: `ValidationError` where it speaks of nothing that this machine enforces.
  mutating func judge(_ flow: FlowArgument) throws {
    let isHere = judge(
      [flow.service], from: AddressSet([flow.client]), to: flow.server.map { AddressSet([$0]) } ?? prover.machine
    ) { packet in
      Finding(
        code: "kept-flow", message: "--keep '\(flow.text)' says that this must stay allowed, and `\(packet)` would be denied",
        help: "change the rule that decides it, or go on with --force")
    }
    if isHere { return }
    switch enforcement {
    case .gateway:
      tell("--keep '\(flow.text)' isn't at risk: it ends at the gateway itself, and the ruleset is about what is forwarded")
    case .host(let instance):
      let own = policy.instances[instance]
      let addresses = own.addresses.ranges.map(\.description).joined(separator: ", ")
      throw ValidationError(
        "neither end of --keep '\(flow.text)' is this machine, \(own.name) (\(addresses)); leave the server out to mean it"
      )
    }
  }

  // MARK: - Findings

  private struct Finding {
    var code: String
    var message: String
    var range: SourceRange?
    var help: String
    var notes: [Diagnostic.Note] = []
  }

  /// - Returns: whether the flow goes a way on which this machine enforces the policy.
  @discardableResult
  private mutating func judge(
    _ services: [ServiceTerm], from: AddressSet, to: AddressSet, _ finding: (Packet) -> Finding
  ) -> Bool {
    do {
      switch try prover.judge(services, from: from, to: to) {
      case .allowed: return true
      case .notEnforced: return false
      case .cut(let packet, let decision):
        var finding = finding(packet)
        finding.notes = way(of: packet, decision) + finding.notes
        add(finding)
      }
    } catch {
      add(
        Finding(
          code: "kept-flow-too-large",
          message: "what must stay allowed makes more than \(error.nodes) different cases to judge",
          help: "name fewer services or peers, or go on with --force"))
    }
    return true
  }

  /// Who decides, as `explain` says it; where no rule does, whose rules were asked.
  private func way(of packet: Packet, _ decision: Decision) -> [Diagnostic.Note] {
    let evaluator = PolicyEvaluator(policy, enforcement)
    var notes = policy.notes(packet, decision)
    guard let end = decision.ends.last else { return notes }
    notes += evaluator.overruled(packet, at: end)
    if case .default = end.step {
      for group in evaluator.groups(packet, at: end) {
        notes.append(
          .init(
            "`\(policy.groups[group].name)` has no \(end.direction.rawValue) rule that matches", at: policy.groups[group].range)
        )
      }
    }
    return notes
  }

  private mutating func add(_ finding: Finding) {
    findings.append(
      Diagnostic(
        isForced ? .warning : .error, finding.code, finding.message, at: finding.range, help: isForced ? nil : finding.help,
        notes: finding.notes))
  }

  private mutating func tell(_ words: String) { findings.append(Diagnostic(.note, "connection", words, at: nil)) }
}
