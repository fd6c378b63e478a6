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
    let places = lines.indices.filter { lines[$0].hasPrefix("      - {") || lines[$0].hasPrefix("  instance-") }
    guard let place = places.randomElement(using: &generator) else { return }
    let line = lines[place]
    if line.hasPrefix("  instance-"), Bool.random(using: &generator), let groups = line.range(of: "groups: [") {
      // into another group, or out of one
      let names = line[groups.upperBound...].prefix { $0 != "]" }.split(separator: ",").map { $0.drop { $0 == " " } }
      let rest = line[groups.upperBound...].drop { $0 != "]" }
      let all = lines.filter { $0.hasPrefix("  group-") }.map { $0.dropFirst(2).dropLast() }
      var set = names
      if let other = all.randomElement(using: &generator) {
        if let at = set.firstIndex(of: other) { set.remove(at: at) } else { set.append(other) }
      }
      if set.isEmpty { return }
      lines[place] = line[..<groups.upperBound] + set.joined(separator: ", ") + rest
      return
    }
    spare.append((line, lines[place - 1]))
    lines.remove(at: place)
  }
}

extension Substring {
  fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
