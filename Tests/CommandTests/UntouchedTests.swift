import TestSupport
import Testing

/// What a change doesn't concern is left as it stands.
@Suite("untouched", .requireNamespaces) struct UntouchedTests {
  private static func policy(port: Int, members: Int) -> [UInt8] {
    var text = """
      groups:
        web: { ingress: [{ allow: tcp/\(port), from: any }] }
        db: { type: advanced, ingress: [{ allow: mysql, from: web }] }
      instances:
        db-1: { addresses: 10.0.1.1, groups: db }

      """
    for number in 1...members { text += "  web-\(number): { addresses: 10.0.0.\(number), groups: web }\n" }
    return Array(text.utf8)
  }

  @Test("rules, counters and handles of chains that a change doesn't touch survive it")
  func survives() throws {
    try StateTests.world { world in
      func apply(port: Int, members: Int) throws {
        try Files.write(UntouchedTests.policy(port: port, members: members), to: "\(world.folder)/p.yaml")
        try world.expect(0, "compile", "p.yaml", "--apply", "--observe")
      }
      func listed(_ chain: String) throws -> String { try nft("-a", "list", "chain", "inet", "cordon", chain) }
      try apply(port: 81, members: 2)
      // as if packets had come by
      let line = try #require(try listed("denied-ingress/db").split(separator: "\n").first { $0.contains("counter") })
      let handle = try #require(line.split(separator: " ").last.map { String($0) })
      try nft(
        "replace", "rule", "inet", "cordon", "denied-ingress/db", "handle", handle, "counter", "packets", "7", "bytes", "700",
        "accept")
      let names = ["ingress/db", "egress/db", "denied-ingress/db", "denied-egress/db", "forward"]
      let before = try names.map(listed)
      #expect(before[2].contains("counter packets 7 bytes 700"))
      // a rule of another group, and members that come and go
      for (port, members) in [(82, 2), (82, 3), (82, 1), (81, 2)] {
        try apply(port: port, members: members)
        #expect(try names.map(listed) == before, "\(port), \(members)")
      }
    }
  }
}
