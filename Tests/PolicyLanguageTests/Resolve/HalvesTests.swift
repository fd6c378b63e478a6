import Diagnostics
import TestSupport
import Testing

@testable import PolicyLanguage

/// A policy that is parsed and resolved in halves gives the same policy and the same diagnostics as in one piece.
@Suite struct HalvesTests {
  @Test(arguments: ["diagnostics", "lint", "compile"]) func fixturesGiveTheSame(_ folder: String) {
    for name in Fixtures.names(in: folder) {
      let files = Fixtures.names(in: "\(folder)/\(name)").filter { $0.hasSuffix(".yaml") }
      expectTheSame(files.map { Fixtures.bytes("\(folder)/\(name)/\($0)") ?? [] }, "\(folder)/\(name)")
    }
  }

  @Test func randomPoliciesGiveTheSame() {
    var random = SeededGenerator(seed: 2_611)
    for _ in 0..<50 {
      let text = Array(RandomPolicy(using: &random).text.utf8)
      expectTheSame([text], "\(random)")
      for _ in 0..<10 { expectTheSame([damaged(text, &random)], "\(random)") }
    }
  }

  /// Where the first half ends, text can end or begin that is in order by itself.
  @Test(arguments: [
    "a:\n  - b\n...\nc:\n  - d\n", "a: [b,\nc: d]\ne: f\n", "{a: b}\nc: d\n", "  a: b\nc: d\n", "a: b\na: c\n",
    "a: 'b\nc: d'\n",
    "a: b\n---\nc: d\n", "a:\nb\nc: d\n", "\u{FEFF}a: b\nc: d\n", "# a\nb: c\n", "a: b\n\u{FEFF}c: d\n", "- a\nb: c\n",
    "a:\n- b\nc:\n- d\n",
    "'a': b\na: c\n", "a\nb: c\n", "a: b\n\tc: d\ne: f\n",
    "groups:\ninstances:\n", "groups: {}\ninstances: {}\n",
  ]) func cutsGiveTheSame(_ text: String) {
    for end in 0...text.utf8.count { expectTheSame([Array(text.utf8.prefix(end))], text) }
    expectTheSame([Array((text + "groups:\n  web: {}\n").utf8)], text)
    expectTheSame([Array(("groups:\n  web: {}\n" + text).utf8)], text)
  }

  @Test func limitsAreCountedOverBothHalves() {
    var text = "groups:\n"
    for index in 0..<60 {
      text += "  g-\(index): {members: 10.0.0.\(index)/24, ingress: [{allow: [ssh, tcp/\(index)], from: u-\(index)}]}\n"
    }
    text += "instances:\n"
    for index in 0..<60 { text += "  i-\(index): {addresses: 10.0.1.\(index)/24, groups: g-\(index + index / 50 * 100)}\n" }
    expectTheSame([Array(text.utf8)], "hints, and warnings of host bits")
  }

  private func expectTheSame(_ files: [[UInt8]], _ name: String) {
    let whole = PolicyFrontend.load(sources(files), HalvesLimits(bytes: .max, entries: .max))
    let halves = PolicyFrontend.load(sources(files), HalvesLimits(bytes: 2, entries: 2))
    #expect(whole.diagnostics == halves.diagnostics, "\(name)")
    #expect("\(whole.policy as Any)" == "\(halves.policy as Any)", "\(name)")
  }

  /// The text with some of it exchanged for some other of it.
  private func damaged(_ text: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var result = text
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let start = Int.random(in: 0..<result.count, using: &random)
      let piece = Int.random(in: 0..<text.count, using: &random)
      result.replaceSubrange(
        start..<min(result.count, start + Int.random(in: 0...9, using: &random)),
        with: text[piece..<min(text.count, piece + Int.random(in: 0...9, using: &random))])
    }
    return result
  }
}
