import Diagnostics
import PolicyLanguage
import Testing

/// What a rule or an expectation earns, by the text that is underlined; nothing more and nothing less.
@Suite struct RuleCheckTests {
  @Test(
    arguments: [
      // the families of entries: one that can take part in no match is an error, a name that can in part is not
      ("{allow: icmp, from: '::/0'}", ["error family-mismatch icmp"]),
      ("{allow: icmp, from: [v6, '::/0']}", ["error family-mismatch icmp"]),
      ("{allow: [icmp, ssh], from: ['::/0', 10.0.0.0/8]}", []),
      ("{allow: icmp, from: ['::/0', 10.0.0.0/8]}", ["error family-mismatch '::/0'"]),
      ("{allow: [ssh, icmpv6], from: 10.0.0.0/8}", ["error family-mismatch icmpv6"]),
      ("{allow: ping, from: 10.0.0.0/8}", []),
      ("{allow: both, from: v6}", []),
      ("{allow: [icmp, icmpv6], from: i-1}", []),
      ("{allow: icmpv6, from: i-2}", ["error family-mismatch icmpv6"]),
      ("{allow: icmpv6, from: db}", []),
      ("{allow: icmpv6, from: any}", []),
      ("{allow: icmpv6, from: any, to: 10.1.0.1}", ["error family-mismatch icmpv6"]),
      ("{allow: ssh, from: 10.0.0.0/8, to: 'fd00::1'}", ["error family-mismatch 'fd00::1'"]),
      ("{allow: ssh, from: any, to: ['fd00::1', 10.1.0.1]}", []),
      ("{allow: protocol/58, from: 10.0.0.0/8}", ["error family-mismatch protocol/58"]),
      // an unknown entry may be of any family
      (
        "{allow: icmp, from: ['::/0', nobody]}",
        ["error family-mismatch '::/0'", "error unknown-peer nobody"]
      ),
      ("{allow: nothing, from: '::/0'}", ["error unknown-service nothing"]),
      ("{allow: icmp, from: ''}", ["error unknown-peer ''"]),
      // warnings
      ("{allow: ssh, from: web}", ["warning self-reference web"]),
      ("{allow: ssh, from: any, to: 10.77.0.1}", ["warning own-end-outside-group 10.77.0.1"]),
      ("{allow: ssh, from: any, to: i-2}", ["warning own-end-outside-group i-2"]),
      ("{allow: ssh, from: any, to: 10.0.0.0/7}", []),
      ("{allow: icmp/0, from: any}", ["warning icmp-reply icmp/0"]),
      ("{allow: [icmp/timestamp-request, icmp/15, icmp/17, icmpv6/139], from: any}", []),
      ("{allow: ssh, from: 10.0.0.1/8}", ["warning host-bits 10.0.0.1/8"]),
      // shape
      ("{allow: ssh, from: any, source-ports: 0-65535}", []),
      ("{allow: [dns, protocol/17], from: any, source-ports: 53}", []),
      ("{allow: protocol/47, from: any, source-ports: 53}", ["error source-ports-without-ports protocol/47"]),
      ("{allow: ssh, from: any, form: x}", ["error unknown-key form"]),
      ("{allow: ssh}", ["error needed-key allow: ssh"]),
      ("{form: any, alow: ssh}", ["error unknown-key form", "error unknown-key alow"]),
      ("{}", ["error no-action {}", "error needed-key {}"]),
      ("{allow: no, from: 22:22}", ["error unknown-service no", "error invalid-address 22:22"]),
      ("{allow: 1e3, from: 1e3}", ["error unknown-service 1e3", "error unknown-peer 1e3"]),
      ("{allow: tcp/1e3, from: any}", ["error invalid-port tcp/1e3"]),
    ] as [(String, [String])])
  func rule(_ rule: String, _ marks: [String]) {
    let text = """
      prefix-lists: {v6: "2001:db8::/32"}
      services: {both: [icmp, icmpv6, tcp/1]}
      groups:
        web: {members: [10.1.0.0/24, "fd00::/64"], ingress: [\(rule)]}
        db: {members: 10.2.0.0/24}
      instances:
        i-1: {addresses: [10.3.0.1, "fd01::1"], groups: db}
        i-2: {addresses: 10.3.0.2, groups: db}
      """
    #expect(load(text).diagnostics.marks(in: text) == marks)
  }

  @Test(
    arguments: [
      ("{allow: https, from: any, to: web}", []),
      ("{allow: https, from: web, to: other}", []),
      ("{allow: icmp, from: any, to: web}", []),
      ("{allow: icmpv6, from: any, to: web}", ["error expectation-of-nothing allow: icmpv6"]),
      ("{allow: ping, from: any, to: web}", []),
      ("{deny: ssh, from: web, to: web}", []),
      ("{deny: ssh, from: one, to: one}", ["error expectation-of-nothing deny: ssh"]),
      ("{deny: ssh, from: any, except-from: any, to: web}", ["error expectation-of-nothing deny: ssh"]),
      ("{deny: ssh, from: any, except-from: 0.0.0.0/0, to: web}", ["error expectation-of-nothing deny: ssh"]),
      ("{deny: ssh, from: any, to: web, except-to: 10.1.0.0/25}", []),
      ("{deny: icmp/0, from: any, to: web}", ["error icmp-reply icmp/0"]),
      ("{deny: ssh, from: any, to: nobody}", ["error unknown-peer nobody"]),
      ("{deny: icmp, from: any, to: web, source-ports: 1}", ["error source-ports-without-ports icmp"]),
    ] as [(String, [String])])
  func expectation(_ expectation: String, _ marks: [String]) {
    let text = """
      networks: {n: 172.16.0.0/12}
      groups:
        web: {members: 10.1.0.0/24}
        one: {members: 10.2.0.1}
        other: {network: n, members: 172.16.0.0/24}
      expect:
        - \(expectation)
      """
    #expect(load(text).diagnostics.marks(in: text) == marks)
  }

  @Test(
    arguments: [
      ("g: {type: advanced, intra-group: isolate, members: 10.0.0.1}", []),
      ("g: {external: true, members: 10.0.0.1, ingress: , egress: []}", []),
      ("g: {external: 'true', members: [10.0.0.1, 10.0.0.1]}", []),
      ("g: {external: TRUE, members: 10.0.0.1}", ["error invalid-value TRUE"]),
      ("g: ", ["warning group-without-members g"]),
      ("1.5: {members: 10.0.0.1}", ["error invalid-name 1.5"]),
      ("1: {members: 10.0.0.1}", ["error invalid-name 1"]),
      ("1.5.0: {members: 10.0.0.1}", []),
      ("10.0.0.300: {members: 10.0.0.1}", ["error invalid-name 10.0.0.300"]),
      ("2024-01-31: {members: 10.0.0.1}", []),
      ("1e3: {members: 10.0.0.1}", []),
      ("no: {members: 10.0.0.1}", []),
      ("a/b: {members: 10.0.0.1}", []),
      ("tcp: {members: 10.0.0.1}", []),
      ("a/b/c: {members: 10.0.0.1}", ["error invalid-name a/b/c"]),
    ] as [(String, [String])])
  func group(_ group: String, _ marks: [String]) {
    let text = "groups:\n  \(group)\n"
    #expect(load(text).diagnostics.marks(in: text) == marks)
  }

  /// A file that can't be read in part makes nothing unknown in the others.
  @Test func whatTheParserRefusedIsNotUnknown() {
    let diagnostics = load("groups: {web: {ingress: [{allow: app, from: office}]}}", "services: &x {app: tcp/1}\n").diagnostics
    #expect(diagnostics.codes == ["anchor"])
  }

  @Test(arguments: [
    "", "\n", "# nothing\n", "---\n", "groups:\n", "groups: {}\ninstances: []\n", "version: 1\n", "{}", "\u{FEFF}",
  ])
  func aPolicyThatSaysNothingIsAnError(_ text: String) {
    #expect(load(text).diagnostics.codes == ["empty-policy"])
  }

  @Test func noFileAtAllIsAnError() {
    #expect(PolicyFrontend.load(SourceFiles()).diagnostics.map(\.code) == ["empty-policy"])
  }
}
