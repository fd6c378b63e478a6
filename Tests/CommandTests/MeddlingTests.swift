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
    #expect(done.stdoutBytes.count > 4096)
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

  // MARK: - Between commit and read-back

  /// Runs an apply and has nft run `commands` while all its processes stand still just behind its first commit.
  private static func atCommit(
    _ world: StateTests.World, _ policy: String, _ arguments: String..., commands: [UInt8]
  ) throws -> Shell.Output {
    let monitor = try RunningCommand(["nft", "monitor"])
    while !monitor.hasWritten(within: 50) { try nft("-f", "-", stdin: "add table ip listening\ndelete table ip listening\n") }
    while monitor.hasWritten(within: 200) { _ = monitor.read() }
    let apply = try RunningCommand(
      [Cordon.path, "compile", policy, "--apply"] + arguments, environment: ["CORDON_STATE_DIR": world.stateFolder],
      directory: world.folder)
    #expect(monitor.hasWritten())
    apply.signal(SIGSTOP)
    usleep(2_000)
    // too late, the object may be gone
    _ = try Shell.run(["nft", "-f", "-"], stdin: commands)
    apply.signal(SIGCONT)
    return try apply.finish().output
  }

  /// Calls `body` in worlds until it was in time: to be at the right moment can't be forced, on a machine that is busy.
  private static func inTime(_ body: (StateTests.World) throws -> Bool) throws {
    for _ in 0..<10 {
      var wasInTime = false
      try StateTests.world { wasInTime = try body($0) }
      if wasInTime { return }
    }
    Issue.record("never in time")
  }

  static let rule = Array("add rule inet cordon forward tcp dport 4711 accept\n".utf8)
  /// A link's name that is no text: libnftables 1.0.6 can't list it as JSON.
  static let unlistable = Array("add rule inet cordon forward iifname \"a".utf8) + [0xFF] + Array("\" accept\n".utf8)

  @Test("a table that isn't what was meant, or can't be listed, is put back as it was", arguments: [rule, unlistable])
  func putBack(commands: [UInt8]) throws {
    try MeddlingTests.inTime { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      let whole = try nft("list", "table", "inet", "cordon")
      let done = try MeddlingTests.atCommit(world, "b.yaml", "--confirm", "60", commands: commands)
      if done.status == 0 { return false }
      expectStatus(done, 3)
      #expect(done.stderr.contains("; table inet cordon is as it was before\n"), "\(done.stderr)")
      #expect(try nft("list", "table", "inet", "cordon") == whole)
      #expect(try world.expect(0, "status").contains("state 2: "))
      usleep(1_200_000)
      #expect(try world.guards() == [])
      return true
    }
  }

  /// The change is in six transactions; whatever is done behind the first one either lets another one fail or is seen at the end.
  @Test(
    "a table that is changed in the middle of an apply in phases is put back as it was",
    arguments: ["delete table inet cordon", "flush table inet cordon", "add chain inet cordon mine"])
  func betweenPhases(command: String) throws {
    try MeddlingTests.inTime { world in
      for (name, isOther) in [("old", false), ("new", true)] {
        try Files.write(Array(KillTests.policy(isOther).utf8), to: "\(world.folder)/\(name).yaml")
      }
      try world.expect(0, "compile", "old.yaml", "--apply")
      let done = try MeddlingTests.atCommit(world, "new.yaml", commands: Array("\(command)\n".utf8))
      if done.status == 0 { return false }
      expectStatus(done, 3)
      #expect(done.stderr.contains("; table inet cordon is as it was before\n"), "\(done.stderr)")
      #expect(done.stdout.contains("6 transactions"))
      try world.expect(0, "diff", "old.yaml")
      #expect(try world.expect(0, "status").contains("state 2: "))
      return true
    }
  }

  @Test("a first table that isn't what was meant stays, is told of, and can be gone back from or put right")
  func first() throws {
    for command in [["rollback"], ["compile", "b.yaml", "--apply"]] {
      try MeddlingTests.inTime { world in
        let done = try MeddlingTests.atCommit(world, "a.yaml", commands: MeddlingTests.rule)
        if done.status == 0 { return false }
        expectStatus(done, 3)
        #expect(
          done.stderr.hasSuffix(
            "is not what was meant: the difference is above; it is left as the kernel took it\n"
              + "help: `cordon status` tells of it, and `cordon rollback` undoes it\n"), "\(done.stderr)")
        #expect(try world.livePort() == "81")
        let status = try world.expect(2, "status")
        #expect(
          status.hasPrefix(
            """
            a change of table inet cordon is under way, or broke off: if nobody is at it, apply again or run `cordon rollback`
            it was to be state 2: \(world.folder)/a.yaml, applied 
            """), "\(status)")
        #expect(try world.cordon(command).status == 0)
        #expect(try world.livePort() == (command == ["rollback"] ? "" : "82"))
        try world.expect(0, "status")
        return true
      }
    }
  }

  @Test("a first table that isn't what was meant is undone where it was to be confirmed")
  func firstToConfirm() throws {
    for isUndoneByHand in [false, true] {
      try MeddlingTests.inTime { world in
        let seconds = isUndoneByHand ? "60" : "3"
        let done = try MeddlingTests.atCommit(world, "a.yaml", "--confirm", seconds, commands: MeddlingTests.rule)
        if done.status == 0 { return false }
        expectStatus(done, 3)
        #expect(done.stderr.contains("; it is left as the kernel took it; state 2 is undone at 20"), "\(done.stderr)")
        #expect(try world.livePort() == "81")
        #expect(try world.expect(2, "status").contains("\nstate 2 is undone at 20"))
        for arguments in [["confirm"], ["compile", "b.yaml", "--apply"]] {
          let refused = try world.cordon(arguments)
          expectStatus(refused, 3)
          #expect(
            refused.stderr.hasPrefix("error: the apply of state 2 to table inet cordon broke off, and is undone at 20")
              && refused.stderr.contains("\nhelp: run `cordon rollback` to undo it now, and then try again"),
            "\(refused.stderr)")
        }
        if isUndoneByHand { try world.expect(0, "rollback") } else { usleep(3_500_000) }
        #expect(try nft("list", "tables") == "")
        try world.expect(0, "status")
        usleep(1_200_000)
        #expect(try world.guards() == [])
        try world.expect(0, "compile", "b.yaml", "--apply")
        return true
      }
    }
  }
}
