/// Policies as they follow one upon another in a life: mostly a line more or less, at times something else altogether.
public struct PolicyChanges: Sendable {
  public private(set) var policy: RandomPolicy
  public private(set) var compiled: CompiledPolicy
  private let features: RandomPolicy.Features
  private let host: Bool
  /// The policy's lines, and those that were taken out.
  private var lines: [Substring]
  private var spare: [(line: Substring, before: Substring)] = []

  /// - Parameter host: whether to compile for the policy's first instance.
  public init(
    using generator: inout some RandomNumberGenerator, features: RandomPolicy.Features = .init(), host: Bool = false
  ) throws {
    self.features = features
    self.host = host
    policy = RandomPolicy(using: &generator, features: features)
    while host && policy.instances.isEmpty { policy = RandomPolicy(using: &generator, features: features) }
    lines = policy.text.split(separator: "\n", omittingEmptySubsequences: false)
    compiled = try CompiledPolicy(policy.text, host: host ? policy.instances[0] : nil)
  }

  /// The next policy.
  public mutating func change(using generator: inout some RandomNumberGenerator) throws {
    if Int.random(in: 0..<8, using: &generator) == 0 {
      var other = try PolicyChanges(using: &generator, features: features, host: host)
      swap(&self, &other)
      return
    }
    while true {
      var next = self
      for _ in 0..<[1, 1, 1, 2, 5].randomElement(using: &generator)! { next.edit(using: &generator) }
      let text = next.lines.joined(separator: "\n")
      // some edits make an error, such as a list without rules
      guard let compiled = try? CompiledPolicy(text, host: host ? policy.instances[0] : nil) else { continue }
      next.compiled = compiled
      self = next
      return
    }
  }

  private mutating func edit(using generator: inout some RandomNumberGenerator) {
    if !spare.isEmpty, Bool.random(using: &generator) {
      let (line, before) = spare.remove(at: spare.indices.randomElement(using: &generator)!)
      if let place = lines.firstIndex(of: before) { lines.insert(line, at: place + 1) }
      return
    }
    let prefix = Bool.random(using: &generator) ? "  instance-" : "      - {"
    guard let place = lines.indices.filter({ lines[$0].hasPrefix(prefix) }).randomElement(using: &generator) else { return }
    let line = lines[place]
    switch prefix == "  instance-" ? Int.random(in: 0..<4, using: &generator) : 0 {
    case 1, 2:
      // into another group, or out of one
      lines[place] = edited(line, list: "groups: [") { groups in
        let all = lines.filter { $0.hasPrefix("  group-") }.map { $0.dropFirst(2).dropLast() }
        guard let other = all.randomElement(using: &generator) else { return }
        if let at = groups.firstIndex(of: other) { groups.remove(at: at) } else { groups.append(other) }
      }
      return
    case 3:
      // an address more, or the last one less
      lines[place] = edited(line, list: "addresses: [") { addresses in
        if Bool.random(using: &generator) { addresses.append("10.0.0.\(20 + place)") } else { addresses.removeLast() }
      }
      return
    default: break
    }
    spare.append((line, lines[place - 1]))
    lines.remove(at: place)
  }

  /// A line with another list behind `key`; none is left empty.
  private func edited(_ line: Substring, list key: String, _ body: (inout [Substring]) -> Void) -> Substring {
    guard let start = line.firstRange(of: key)?.upperBound else { return line }
    var items = line[start...].prefix { $0 != "]" }.split(separator: ",").map { $0.drop { $0 == " " } }
    body(&items)
    if items.isEmpty { return line }
    return line[..<start] + items.joined(separator: ", ") + line[start...].drop { $0 != "]" }
  }
}
