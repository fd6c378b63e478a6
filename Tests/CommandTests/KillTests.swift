import Glibc
import TestSupport
import Testing

/// Applies that are killed, of policies between which nothing can be changed in one transaction.
@Suite("killed", .requireNamespaces, .serialized) struct KillTests {
  /// Sets with intervals, and rules and members besides: such a change is staged, in six transactions.
  static func policy(_ isOther: Bool) -> String {
    """
    prefix-lists:
      office: [\(isOther ? "203.0.113.0/25, 198.51.100.0/24" : "203.0.113.0/24, 198.51.100.0/25"), 2001:db8:12::/48]
    groups:
      web:
        ingress:
          - { allow: [http, https, tcp/8000-\(isOther ? 8200 : 8100)], from: any }
          - { allow: \(isOther ? "[ssh, ntp]" : "ssh"), from: office }
      db:
        type: advanced
        ingress:
          - { allow: mysql, from: web }
          - { allow: tcp/9000-9100, from: [office, web] }
          - { deny: all, from: any, priority: 100 }
    instances:
      web-1: { addresses: [172.16.1.10, fd00:1::10], groups: web }
      web-\(isOther ? 3 : 2): { addresses: 172.16.1.\(isOther ? 12 : 11), groups: web }
      db-1: { addresses: 172.16.2.10, groups: db }

    """
  }

  private static func world(_ body: (StateTests.World) throws -> Void) throws {
    try StateTests.world { world in
      for (name, isOther) in [("old", false), ("new", true)] {
        try Files.write(Array(policy(isOther).utf8), to: "\(world.folder)/\(name).yaml")
      }
      try body(world)
    }
  }

  /// Says which of the two policies a listing judges all packets by; both where there is nothing to tell them apart.
  private struct Judge {
    let world: StateTests.World
    private var known: [[String]: Set<String>] = [:]
    /// How many listings were of an apply in the middle.
    var count: Int { known.keys.count { $0.contains { $0.contains("staged-") } } }

    init(_ world: StateTests.World) { self.world = world }

    mutating func policies(of listing: String) throws -> Set<String> {
      // the elements of a set are listed in any order
      let key = listing.split { $0 == "\n" || $0 == "," }.map { $0.filter { !$0.isWhitespace } }.sorted()
      if let found = known[key] { return found }
      let file = "\(world.folder)/live.nft"
      try Files.write(Array(listing.utf8), to: file)
      var result: Set<String> = []
      for name in ["old", "new"] {
        let done = try world.cordon("diff", "\(name).yaml", "--against", file, "--output-format", "json")
        let traffic = try #require(try JSON(done.stdoutBytes)["traffic"])
        if traffic["changes"]?.list?.isEmpty == true { result.insert(name) }
      }
      known[key] = result
      return result
    }
  }

  @Test("at any of 200 moments: the old policy is in force or the new one, whole, and the next apply clears up")
  func whole() throws {
    var random = SeededGenerator(seed: 6)
    try KillTests.world { world in
      let environment = ["CORDON_STATE_DIR": world.stateFolder]
      func start(_ name: String) throws -> RunningCommand {
        try RunningCommand(
          [Cordon.path, "compile", "\(name).yaml", "--apply"], environment: environment, directory: world.folder)
      }
      try world.expect(0, "compile", "old.yaml", "--apply")
      // how long an apply takes, and how much of that is behind its plan
      var lengths: (whole: Int, commit: Int) = (0, 0)
      for name in ["new", "old", "new", "old"] {
        let clock = ContinuousClock.now
        let apply = try start(name)
        #expect(apply.hasWritten())
        let planned = ContinuousClock.now
        #expect(try apply.finish().output.status == 0)
        lengths.whole = max(lengths.whole, Int((ContinuousClock.now - clock) / .microseconds(1)))
        lengths.commit = max(lengths.commit, Int((ContinuousClock.now - planned) / .microseconds(1)))
      }
      var judge = Judge(world)
      var before: Set<String> = ["old"]
      var unfinished = 0
      for round in 0..<200 {
        let name = Bool.random(using: &random) ? "new" : "old"
        let apply = try start(name)
        // most of what matters is behind the plan
        if round % 4 == 0 {
          usleep(UInt32.random(in: 0..<UInt32(lengths.whole), using: &random))
        } else {
          #expect(apply.hasWritten())
          usleep(UInt32.random(in: 0..<UInt32(lengths.commit), using: &random))
        }
        apply.kill9()
        let listing = try nft("list", "table", "inet", "cordon")
        let now = try judge.policies(of: listing)
        #expect(
          now.count == 1 && (now == before || now == [name]), "\(random) round \(round): from \(before) to \(name)\n\(listing)")
        before = now
        if round % 20 == 19 {
          if try world.cordon("status").stdout.contains("broke off") { unfinished += 1 }
          try world.expect(0, "compile", "\(name).yaml", "--apply")
          try world.expect(0, "diff", "\(name).yaml")
          try world.expect(0, "status")
          #expect(try !nft("list", "table", "inet", "cordon").contains("staged-"))
          before = [name]
        }
      }
      print("killed: microseconds", lengths, "distinct tables in the middle:", judge.count, "unfinished:", unfinished)
      #expect(judge.count >= 3 && unfinished > 0)
    }
  }

  @Test("with --confirm, what was in force before comes back in any case")
  func guarded() throws {
    var random = SeededGenerator(seed: 7)
    try KillTests.world { world in
      let tables = (0..<12).map { "t\($0)" }
      for table in tables { try world.expect(0, "compile", "old.yaml", "--apply", "--table", table) }
      for (number, table) in tables.enumerated() {
        let apply = try RunningCommand(
          [Cordon.path, "compile", "new.yaml", "--apply", "--confirm", "1", "--table", table],
          environment: ["CORDON_STATE_DIR": world.stateFolder], directory: world.folder)
        // the last one is not killed
        if number < 11 {
          #expect(apply.hasWritten())
          usleep(UInt32(number) * 12_000 + UInt32.random(in: 0..<12_000, using: &random))
          apply.kill9()
        } else {
          #expect(try apply.finish().output.status == 0)
        }
      }
      let deadline = ContinuousClock.now + .seconds(20)
      while try !world.guards().isEmpty, ContinuousClock.now < deadline { usleep(100_000) }
      #expect(try world.guards() == [])
      for table in tables {
        try world.expect(0, "diff", "old.yaml", "--table", table)
        try world.expect(0, "compile", "new.yaml", "--apply", "--table", table)
        try world.expect(0, "status", "--table", table)
      }
    }
  }
}
