import TestSupport
import Testing

/// A hundred tables of others beside Cordon's.
@Suite("neighbours", .requireNamespaces, .serialized) struct NeighbourTests {
  /// A thousand intervals in each: libnftables takes half a second of processor time to read them all.
  private static func neighbours() -> String {
    (0..<100).map { table in
      let elements = (0..<1000).map { "10.\(table).\($0 / 64).\($0 % 64 * 4)/31" }.joined(separator: ", ")
      return """
        table inet other\(table) {
          set prefixes { type ipv4_addr; flags interval; elements = { \(elements) }; }
          map verdicts { type ipv4_addr : verdict; elements = { 192.0.2.1 : jump target }; }
          chain target { counter packets 5 bytes 6; }
          chain forward { type filter hook forward priority 5; ip saddr @prefixes accept; ip daddr vmap @verdicts; }
        }

        """
    }.joined()
  }

  /// A change in phases, members and prefixes of a list that come and go, and nothing; each with the transactions that it takes.
  private static let steps = [
    ("old", "made in one transaction"), ("new", "6 transactions: add, switch, delete, add, switch, delete"),
    ("old", "6 transactions"), ("few", "transactions"), ("many", ": elements"), ("few", ": elements"), ("few", "no difference"),
  ]

  /// Goes through all steps; returns the processor time of each, in seconds.
  private static func times(_ world: StateTests.World) throws -> [Double] {
    func policy(_ count: Int) -> String {
      """
      prefix-lists:
        office: [\((1...count + 3).map { "203.0.113.\($0 * 4)/31" }.joined(separator: ", "))]
      groups:
        web: { ingress: [{ allow: http, from: any }, { allow: ssh, from: office }] }
        db: { type: advanced, ingress: [{ allow: mysql, from: web }] }
      instances:
        db-1: { addresses: 172.16.2.1, groups: db }

      """ + (1...count).map { "  web-\($0): { addresses: 172.16.1.\($0), groups: web }\n" }.joined()
    }
    for (name, text) in [
      ("old", KillTests.policy(false)), ("new", KillTests.policy(true)), ("few", policy(2)), ("many", policy(5)),
    ] {
      try Files.write(Array(text.utf8), to: "\(world.folder)/\(name).yaml")
    }
    return try steps.map { name, words in
      let apply = try RunningCommand(
        [Cordon.path, "compile", "\(name).yaml", "--apply"], environment: ["CORDON_STATE_DIR": world.stateFolder],
        directory: world.folder)
      let done = try apply.finish()
      expectStatus(done.output, 0)
      #expect(done.output.stdout.contains(words), "\(done.output.stdout)")
      return done.seconds
    }
  }

  @Test("an apply neither touches nor reads what is in them")
  func untouched() throws {
    var alone: [Double] = []
    try StateTests.world { alone = try NeighbourTests.times($0) }
    try StateTests.world { world in
      try nft("-f", "-", stdin: NeighbourTests.neighbours())
      let before = try nft("-a", "list", "ruleset")
      let beside = try NeighbourTests.times(world)
      print("processor time alone:", alone, "beside others:", beside)
      for (number, (a, b)) in zip(alone, beside).enumerated() {
        #expect(b < a + 0.2, "\(NeighbourTests.steps[number]) takes \(b) seconds, and \(a) alone")
      }
      try world.expect(0, "rollback")
      try world.expect(0, "status")
      try nft("delete", "table", "inet", "cordon")
      #expect(try nft("-a", "list", "ruleset") == before)
    }
  }
}
