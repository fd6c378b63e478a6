import Glibc
import TestSupport
import Testing

/// Somebody else changes the table while Cordon does.
@Suite("meddling", .requireNamespaces) struct MeddlingTests {
  // MARK: - Between plan and commit

  /// What somebody does to a table with the group web in it, as lines for `nft -f`.
  static let meddlings = [
    "flush table inet cordon",
    "delete table inet cordon",
    "add rule inet cordon forward accept",
    "add element inet cordon ingress-ipv4 { 172.16.9.9 : jump ingress/web }",
    "flush map inet cordon ingress-ipv4\ndelete chain inet cordon ingress/web",
    "add table inet cordon { flags dormant; }",
  ]

  /// Starts an apply, calls `body` while it stands still behind its plan, since the pipe that it writes that to is full, and
  /// returns what became of it.
  private static func betweenPlanAndCommit(
    _ world: StateTests.World, _ arguments: String..., body: () throws -> Void
  ) throws -> Shell.Output {
    // some lines of the plan are of each group: it is longer than the smallest pipe
    try Files.write(Array(Sample.large(groups: 40).utf8), to: "\(world.folder)/long.yaml")
    let apply = try RunningCommand(
      [Cordon.path, "compile", "long.yaml", "--apply"] + arguments, environment: ["CORDON_STATE_DIR": world.stateFolder],
      directory: world.folder, pipeSize: 4096)
    #expect(apply.hasWritten())
    try body()
    let done = try apply.finish().output
    #expect(done.stdoutBytes.count > 2 * 4096)
    return done
  }

  @Test("a table that was changed between plan and commit is left as it is", arguments: meddlings)
  func changed(commands: String) throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      var meddled = ""
      let done = try MeddlingTests.betweenPlanAndCommit(world) {
        try nft("-f", "-", stdin: commands + "\n")
        meddled = try nft("list", "ruleset")
      }
      expectStatus(done, 3)
      #expect(
        done.stderr == """
          error: table inet cordon was changed by somebody else meanwhile, and nothing is applied
          help: look at what is there with `cordon status` and `cordon diff`, and apply again

          """)
      #expect(try nft("list", "ruleset") == meddled)
      try world.expect(2, "status")
      try world.expect(0, "compile", "long.yaml", "--apply")
      try world.expect(0, "status")
    }
  }

  @Test("a table that somebody made where none was is left as it is")
  func made() throws {
    try StateTests.world { world in
      // of a table that isn't there only JSON shows more than a page
      let done = try MeddlingTests.betweenPlanAndCommit(world, "--output-format", "json") {
        try nft("add", "table", "inet", "cordon")
      }
      expectStatus(done, 3)
      #expect(try nft("list", "ruleset") == "table inet cordon {\n}\n")
    }
  }

  @Test("others may change their tables meanwhile")
  func others() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      let done = try MeddlingTests.betweenPlanAndCommit(world) { try nft("add", "table", "inet", "other") }
      expectStatus(done, 0)
      try world.expect(0, "status")
    }
  }
}
