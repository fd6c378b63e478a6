import Diagnostics
import PacketSpace
import PolicyLanguage
import TestSupport
import Testing

/// What must not crash, hang or grow, however large or strange the policy is.
@Suite struct ScaleTests {
  /// Policies made of random bytes, and of pieces of a valid one.
  @Test func nothingCrashes() {
    var random = SeededGenerator(seed: 20_26)
    let valid = Array(ValidPolicyTests.example.utf8)
    let words = [
      "::/0", "10.0.0.0/33", "all", "any", "[", "]", "{", "}", "- ", ": ", "\n", "  ", "#", "web", "web-1", "tcp/", "-1/-1",
      "icmp/3/4",
      "\"", "'", "protocol/", "999999999999999999999", "10.0.0.1-", "/", "-", "\u{E9}", "\u{0}", "&a", "*a", "!t", "|",
      "external: true",
      "type: advanced", "network: n", "networks: {n: 10.0.0.0/8}", "from: [web, office]", "source-ports: 1-65535",
      "to: 172.16.1.10",
    ].map { Array($0.utf8) }
    for _ in 0..<4_000 {
      var bytes: [UInt8]
      if random.next() % 8 == 0 {
        bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      } else {
        bytes = valid
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let at = Int.random(in: 0...bytes.count, using: &random)
          let end = min(bytes.count, at + Int.random(in: 0...12, using: &random))
          bytes.replaceSubrange(at..<end, with: random.next() % 4 == 0 ? [] : words.randomElement(using: &random)!)
        }
      }
      let files = random.next() % 4 == 0 ? [bytes, valid] : [bytes]
      let (policy, diagnostics) = PolicyFrontend.load(sources(files))
      let hasErrors = diagnostics.contains { $0.severity == .error }
      #expect((policy == nil) == hasErrors, "\(random): \(String(decoding: bytes, as: UTF8.self))")
      for diagnostic in diagnostics {
        guard let range = diagnostic.range else { continue }
        #expect(range.start <= range.end && Int(range.end) <= files[Int(range.file)].count, "\(random)")
      }
      _ = HumanRenderer().render(diagnostics, in: sources(files))
    }
  }

  @Test func manyDuplicatesAreFoundQuickly() {
    var text = "groups:\n  web: {}\ninstances:\n"
    for index in 0..<100_000 { text += "  i-\(index): {addresses: 10.0.0.0/8, groups: web}\n" }
    var result: [Diagnostic] = []
    let time = ContinuousClock().measure { result = load(text).diagnostics }
    #expect(result.count(where: { $0.code == "address-in-two-instances" }) == 99_999)
    #expect(time < .seconds(60))
  }

  @Test func manyUnknownNamesAreFoundQuickly() {
    var text = "groups:\n"
    for index in 0..<20_000 { text += "  g-\(index): {members: 10.0.0.1, ingress: [{allow: s-\(index), from: u-\(index)}]}\n" }
    var result: [Diagnostic] = []
    let time = ContinuousClock().measure { result = load(text).diagnostics }
    #expect(result.count(where: { $0.code == "unknown-peer" }) == 20_000)
    #expect(result.count(where: { $0.code == "unknown-service" }) == 20_000)
    #expect(time < .seconds(60))
  }

  @Test func aLongChainOfServicesIsResolved() throws {
    var text = "services:\n  s-0: tcp/1\n"
    for index in (1..<50_000).reversed() { text += "  s-\(index): s-\(index - 1)\n" }
    text += "groups: {web: {members: 10.0.0.1, ingress: [{allow: s-49999, from: any}]}}"
    let policy = try #require(load(text).policy)
    #expect(policy.groups[0].ingress[0].services == [.ports(.tcp, PortRange(1))])
  }

  @Test func servicesDoNotGrowWithoutEnd() {
    var text = "services:\n  s-0: [tcp/0]\n"
    for index in 1..<4_000 { text += "  s-\(index): [s-\(index - 1), tcp/\(index)]\n" }
    let (policy, diagnostics) = load(text)
    #expect(policy == nil && diagnostics.map(\.code) == ["too-many-services"])
  }

  @Test func ownEndsDoNotGrowWithoutEnd() {
    let prefixes = (0..<20_000).map { "10.\($0 >> 8).\($0 & 255).1" }.joined(separator: ", ")
    var text = "prefix-lists: {list: [\(prefixes)]}\ngroups:\n  web:\n    members: 10.0.0.0/8\n    ingress:\n"
    for _ in 0..<300 { text += "    - {allow: ssh, from: any, to: [list, 10.200.0.1]}\n" }
    let (policy, diagnostics) = load(text)
    #expect(policy == nil && diagnostics.map(\.code) == ["too-many-addresses"])
  }

  @Test func mixedTypesAreFoundAmongManyAddresses() {
    var text = "groups:\n  all: {members: 10.0.0.0/8}\n  strict: {type: advanced}\ninstances:\n"
    for index in 0..<2_000 { text += "  i-\(index): {addresses: 10.1.\(index >> 8).\(index & 255), groups: strict}\n" }
    #expect(load(text).diagnostics.count(where: { $0.code == "mixed-group-types" }) == 2_000)
  }
}
