import Diagnostics
import PacketSpace

/// `options`.
extension Resolver {
  mutating func resolveOptions() {
    for entry in declarations.options {
      let tree = trees[entry.tree]
      for (key, value) in entries(entry.value, in: tree, of: "`options`", example: "options: {unmanaged: drop}") {
        guard let word = self.key(key, in: tree, of: "`options`", as: OptionKey.self) else { continue }
        resolve(option: word, value, in: tree)
      }
    }
  }

  private mutating func resolve(option: OptionKey, _ value: SyntaxNode, in tree: SyntaxTree) {
    switch option {
    case .unmanaged: policy.options.unmanaged = word(value, in: tree, of: option.rawValue) ?? .accept
    case .intraGroupEgress: policy.options.intraGroupEgress = word(value, in: tree, of: option.rawValue) ?? .filter
    case .exemptTo: policy.options.exemptTo = addresses(value, in: tree, at: .exempt(option.rawValue))
    case .exemptFrom: policy.options.exemptFrom = addresses(value, in: tree, at: .exempt(option.rawValue))
    case .log: policy.options.log = word(value, in: tree, of: option.rawValue) ?? .none
    case .logGroup:
      policy.options.logGroup = number(
        value, in: tree, of: option.rawValue, within: 0...65535, code: .invalidValue, help: "nflog groups go from 0 to 65535"
      ).map { UInt16($0) }
    case .keep:
      for node in elements(value, in: tree, of: "`keep`", example: "- {from: 10.0.0.1, to: any, service: ssh}") {
        if let flow = resolve(kept: node, in: tree) { policy.options.keep.append(flow) }
      }
    }
  }

  private mutating func resolve(kept node: SyntaxNode, in tree: SyntaxTree) -> KeptFlow? {
    let what = "an entry of `keep`"
    var nodes = FlowNodes()
    var service: FlowNodes.Entry?
    for (key, value) in entries(node, in: tree, of: what, example: "{from: 10.0.0.1, to: any, service: ssh}") {
      switch self.key(key, in: tree, of: what, as: KeepKey.self) {
      case .from: nodes.from = (key, value)
      case .to: nodes.to = (key, value)
      case .service: service = (key, value)
      case nil: nodes.isDoubtful = true
      }
    }
    if tree.kind(node) == .scalar || tree.kind(node) == .sequence { return nil }
    nodes.isDoubtful = nodes.isDoubtful || tree.isBroken(node)
    var list = EntryList()
    let from = peers(nodes.from, key: "from", node, in: tree, nodes.isDoubtful, of: what, &list)
    let to = peers(nodes.to, key: "to", node, in: tree, nodes.isDoubtful, of: what, &list)
    guard let service else {
      if !nodes.isDoubtful {
        report(
          .error, .neededKey, "\(what) needs `service`", at: firstLine(node, in: tree),
          help: "write `service: all` for every service")
      }
      return nil
    }
    return KeptFlow(from: from, to: to, services: services(service, key: "service", in: tree, &list), range: tree.range(node))
  }
}
