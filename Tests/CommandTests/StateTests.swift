import Glibc
import TestSupport
import Testing

/// What is kept of each apply, and the way back. All in network namespaces and state directories of their own.
@Suite("state", .requireNamespaces) struct StateTests {
  /// A namespace, and a folder with three policies and the state directory.
  struct World {
    let folder: String
    var stateFolder: String { "\(folder)/state" }

    func cordon(_ arguments: String...) throws -> Shell.Output { try cordon(arguments) }

    func cordon(_ arguments: [String]) throws -> Shell.Output {
      try Cordon.run(arguments, environment: ["CORDON_STATE_DIR": stateFolder], directory: folder)
    }

    /// Runs it, expects the status and returns the standard output.
    @discardableResult
    func expect(_ status: Int32, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
      let done = try Cordon.run(arguments, environment: ["CORDON_STATE_DIR": stateFolder], directory: folder)
      expectStatus(done, status, arguments.joined(separator: " "), sourceLocation: sourceLocation)
      return done.stdout + done.stderr
    }

    /// The port that the live table names, which is the policy's.
    func livePort() throws -> String {
      let listed = try nft("list", "tables").isEmpty ? "" : nft("list", "table", "inet", "cordon")
      return ["81", "82", "83"].filter { listed.contains("dport \($0) ") }.joined(separator: " ")
    }

    /// The folder of the table's states.
    func kept() throws -> String {
      try Shell.run(["sh", "-c", "ls -d \(stateFolder)/*/cordon"]).stdout.split(separator: "\n").map { String($0) }.joined()
    }

    func shell(_ script: String, timeout: Duration = .seconds(60)) throws -> Shell.Output {
      try Shell.run(
        ["sh", "-c", script], environment: ["CORDON_STATE_DIR": stateFolder, "CORDON": Cordon.path], directory: folder,
        timeout: timeout)
    }

    /// The processes that keep watch over this world.
    func guards() throws -> [pid_t] {
      let listed = try Shell.run(["ps", "-e", "-o", "pid=,args="]).stdout
      return listed.split(separator: "\n").filter { $0.contains("guard --state-dir \(stateFolder) ") }.map {
        pid_t($0.split(separator: " ")[0])!
      }
    }
  }

  static func policy(port: String) -> String {
    """
    groups:
      web: { ingress: [{ allow: tcp/\(port), from: any }] }
    instances:
      web-1: { addresses: 172.16.1.10, groups: web }

    """
  }

  static func world(_ body: (World) throws -> Void) throws {
    try Files.withTemporaryFolder { folder in
      for (name, port) in [("a", "81"), ("b", "82"), ("c", "83")] {
        try Files.write(Array(policy(port: port).utf8), to: "\(folder)/\(name).yaml")
      }
      try inPrivateNamespace { try body(World(folder: folder)) }
    }
  }

  @Test("rollback goes back apply by apply, --to goes anywhere, and a new apply goes on from there")
  func rollback() throws {
    try StateTests.world { world in
      try world.expect(3, "rollback")
      for name in ["a", "b", "c"] { try world.expect(0, "compile", "\(name).yaml", "--apply") }
      for port in ["82", "81"] {
        try world.expect(0, "rollback")
        #expect(try world.livePort() == port)
        try world.expect(0, "status")
      }
      try world.expect(0, "rollback")
      #expect(try nft("list", "tables") == "")
      try world.expect(0, "status")
      #expect(try world.expect(3, "rollback").contains("no state before state 1"))
      try world.expect(0, "rollback", "--to", "4")
      #expect(try world.livePort() == "83")
      #expect(try world.expect(3, "rollback", "--to", "9").contains("no state 9"))
      try world.expect(0, "compile", "a.yaml", "--apply")
      try world.expect(0, "rollback")
      #expect(try world.livePort() == "83")
    }
  }

  @Test("what was there before Cordon, or was changed by hand, is gone back to")
  func found() throws {
    try StateTests.world { world in
      try nft("-f", "-", stdin: "table inet cordon { \n chain mine { \n tcp dport 4711 accept comment \"mine\"\n }\n }\n")
      try world.expect(3, "compile", "a.yaml", "--apply")
      try world.expect(0, "compile", "a.yaml", "--apply", "--adopt")
      try nft("add", "rule", "inet", "cordon", "forward", "tcp dport 4712 accept")
      #expect(try world.expect(2, "status").contains("- tcp dport 4712 accept"))
      try world.expect(0, "compile", "b.yaml", "--apply")
      try world.expect(0, "rollback")
      #expect(try nft("list", "table", "inet", "cordon").contains("tcp dport 4712 accept"))
      try world.expect(0, "status")
      try world.expect(0, "rollback")
      #expect(try nft("list", "table", "inet", "cordon").contains("4712") == false)
      try world.expect(0, "rollback")
      #expect(try nft("list", "table", "inet", "cordon").contains("comment \"mine\""))
    }
  }

  @Test("what isn't confirmed is undone, though everything but the guard is killed and the terminal is gone")
  func guardUndoes() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      // a terminal of its own, at whose prompt the command waits; then the terminal, the shell and the command are killed
      _ = try world.shell(
        """
        setsid script -qec "$CORDON compile b.yaml --apply --confirm 3" /dev/null </dev/null >out 2>&1 &
        until grep -q 'press Enter' out 2>/dev/null; do sleep 0.05; done
        child=$(pgrep -P $!)
        kill -9 $! $child $(pgrep -P $child)
        """)
      #expect(try world.livePort() == "82")
      #expect(try world.guards().count == 1)
      #expect(try world.expect(0, "status").contains("unless it is confirmed"))
      #expect(try world.expect(3, "compile", "c.yaml", "--apply").contains("waits to be confirmed"))
      usleep(3_500_000)
      #expect(try world.livePort() == "81")
      #expect(try world.guards() == [])
      #expect(try world.expect(0, "status").contains("wasn't confirmed in time"))
      #expect(try world.expect(3, "confirm").contains("wasn't confirmed in time"))
      #expect(try world.expect(0, "history").contains("not confirmed, undone"))
    }
  }

  @Test("what is confirmed stays, and its guard goes")
  func confirm() throws {
    try StateTests.world { world in
      try world.expect(0, "confirm")
      try world.expect(0, "compile", "a.yaml", "--apply", "--confirm", "2")
      #expect(try world.guards().count == 1)
      try world.expect(0, "confirm")
      usleep(2_500_000)
      #expect(try world.guards() == [])
      #expect(try world.livePort() == "81")
      // Enter at the prompt does it too
      let typed = try world.shell("(sleep 1; echo) | script -qec \"$CORDON compile b.yaml --apply --confirm 20\" /dev/null")
      #expect(typed.stdout.contains("confirmed"))
      try world.expect(0, "confirm")
      #expect(try world.livePort() == "82")
      #expect(try world.expect(0, "history").contains("* 3  \(world.folder)/b.yaml"))
    }
  }

  @Test("a rollback undoes at once what waits to be confirmed, and a first apply is undone too")
  func rollbackOfUnconfirmed() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply", "--confirm", "1")
      usleep(1_700_000)
      #expect(try nft("list", "tables") == "")
      try world.expect(0, "compile", "a.yaml", "--apply")
      try world.expect(0, "compile", "b.yaml", "--apply", "--confirm", "60")
      try world.expect(0, "rollback")
      #expect(try world.livePort() == "81")
      usleep(1_200_000)
      #expect(try world.guards() == [])
    }
  }

  @Test("a guard that is asked to end undoes at once")
  func guardEnds() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      try world.expect(0, "compile", "b.yaml", "--apply", "--confirm", "60")
      let watching = try #require(try world.guards().first)
      for signal in [SIGHUP, SIGINT, SIGQUIT] { kill(watching, signal) }
      usleep(300_000)
      #expect(try world.livePort() == "82")
      kill(watching, SIGTERM)
      usleep(500_000)
      #expect(try world.livePort() == "81")
    }
  }

  @Test("a guard that was killed is missed")
  func guardKilled() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      try world.expect(0, "compile", "b.yaml", "--apply", "--confirm", "1")
      kill(try #require(try world.guards().first), SIGKILL)
      #expect(try world.expect(0, "status").contains("unless it is confirmed"))
      usleep(1_200_000)
      #expect(try world.expect(0, "status").contains("if it isn't in a moment, run `cordon rollback`"))
      try world.expect(0, "rollback")
      #expect(try world.livePort() == "81")
    }
  }

  @Test("restore puts the last confirmed state into force")
  func restore() throws {
    try StateTests.world { world in
      try world.expect(0, "restore")
      #expect(try nft("list", "tables") == "")
      try world.expect(0, "compile", "a.yaml", "--apply")
      let whole = try nft("list", "table", "inet", "cordon")
      try world.expect(0, "compile", "b.yaml", "--apply", "--confirm", "60")
      // the machine starts anew
      for watching in try world.guards() { kill(watching, SIGKILL) }
      try nft("delete", "table", "inet", "cordon")
      #expect(try world.expect(2, "status").contains("isn't there"))
      try world.expect(0, "restore")
      #expect(try nft("list", "table", "inet", "cordon") == whole)
      try world.expect(0, "status")
      try world.expect(0, "restore")
    }
  }

  @Test("status for a program, and whose digest it is")
  func statusJSON() throws {
    try StateTests.world { world in
      #expect(try world.expect(2, "status", "--output-format", "json").contains("\"verdict\" : \"never-applied\""))
      try world.expect(0, "compile", "a.yaml", "--apply")
      let digest = try Shell.run(["sha256sum", "\(world.folder)/a.yaml"]).stdout.prefix { $0 != " " }
      let text = try world.expect(0, "status", "--output-format", "json")
      #expect(text.contains("\"verdict\" : \"as-applied\"") && text.contains("\"sha256\" : \"\(digest)\""))
      #expect(text.hasSuffix("\"difference\":null}\n"))
      try world.expect(0, "compile", "a.yaml", "--apply", "--observe")
      #expect(try world.expect(0, "status").contains("a.yaml, observed only, applied"))
      #expect(try world.expect(0, "status", "--output-format", "json").contains("\"observes\" : true"))
      try world.expect(0, "rollback")
      // what is changed back is as it was applied, though the generation is another
      try nft("add", "table", "inet", "other")
      try world.expect(0, "status")
      try nft("add", "table", "inet", "cordon", "{ flags dormant; }")
      #expect(try world.expect(2, "status", "--output-format", "json").contains("\"verdict\" : \"changed\""))
    }
  }

  @Test("long and odd texts have the digest that sha256sum gives")
  func digests() throws {
    try StateTests.world { world in
      for length in [0, 1, 54, 55, 56, 63, 64, 65, 1000] {
        let comment = "#" + String(repeating: "x", count: length) + "\n"
        try Files.write(Array((comment + StateTests.policy(port: "81")).utf8), to: "\(world.folder)/d.yaml")
        try world.expect(0, "compile", "d.yaml", "--apply")
        let digest = try Shell.run(["sha256sum", "\(world.folder)/d.yaml"]).stdout.prefix { $0 != " " }
        #expect(try world.expect(0, "status").contains("SHA-256 \(digest)"))
      }
      // the rulesets were the same each time: that is one state
      #expect(try world.expect(0, "history", "--output-format", "plain").split(separator: "\n").count == 2)
    }
  }

  @Test("the last ten states are kept, and the files of no other")
  func retention() throws {
    try StateTests.world { world in
      for index in 0..<7 {
        try world.expect(0, "compile", "a.yaml", "--apply")
        try world.expect(0, "compile", "b.yaml", "--apply")
        if index == 0 { try world.expect(0, "rollback", "--to", "2") }
      }
      #expect(try world.expect(0, "history", "--output-format", "plain").split(separator: "\n").count == 10)
      let files = try Shell.run(["ls", world.kept()]).stdout.split(separator: "\n")
      #expect(files.count { $0.hasSuffix(".nft") } == 10)
      #expect(Set(files.filter { !$0.hasSuffix(".nft") }) == ["index", "lock"])
      let modes = try world.shell("find state -printf '%m\\n' | sort -u").stdout
      #expect(modes == "600\n700\n")
    }
  }

  // MARK: - Faults

  /// Does something to a world where a.yaml is applied, and says what an apply of b.yaml says then: status 3, with what to do, and a
  /// is in force. `before` and the apply run in a mount namespace of their own, `before` in the folder of the table's states.
  private static func refused(
    _ before: String, _ words: String, help: String, sourceLocation: SourceLocation = #_sourceLocation
  )
    throws
  {
    try world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      let whole = try nft("list", "table", "inet", "cordon")
      let script = "(cd \(try world.kept()); \(before)) && exec \"$CORDON\" compile b.yaml --apply"
      let done = try Shell.run(
        ["unshare", "-m", "sh", "-c", script], environment: ["CORDON_STATE_DIR": world.stateFolder, "CORDON": Cordon.path],
        directory: world.folder)
      expectStatus(done, 3, before, sourceLocation: sourceLocation)
      #expect(
        done.stderr.contains(words) && done.stderr.contains("help: \(help)"), "\(done.stderr)", sourceLocation: sourceLocation)
      #expect(try nft("list", "table", "inet", "cordon") == whole, sourceLocation: sourceLocation)
    }
  }

  @Test(
    "where a state can't be kept nothing is applied",
    arguments: [
      // a full disk, a read-only one
      (
        "cd ..; cp -r cordon copy; mount -t tmpfs -o size=64k,mode=700 x cordon; cp copy/* cordon; cat /dev/zero >cordon/full; :",
        "No space left", "make room"
      ),
      ("mount --bind . . && mount -o remount,ro,bind . .", "Read-only file system", "make the file system writable"),
      // damage
      ("echo x >index", "index is damaged", "move it away"),
      ("head -c 300 index >i; mv i index; chmod 600 index", "index is damaged", "move it away"),
      ("sed -i 's/\"current\" : 2/\"current\" : 7/' index", "index is damaged", "move it away"),
      ("sed -i 's/\"format\" : 1/\"format\" : 2/' index", "of another version of cordon", "move it away"),
      // others than root
      ("chmod 770 .", "can be written by others", "look at what is in it"),
      ("chmod 777 ../..", "can be written by others", "look at what is in it"),
      ("chown 65534 index", "can be written by others", "look at what is in it"),
      ("mv index i; ln -s i index", "index", "name another folder"),
      // a pipe that nobody writes to, for an index
      ("rm index; mkdir index", "is no file", "name another folder"),
    ])
  func faults(before: String, words: String, help: String) throws {
    try StateTests.refused(before, words, help: help)
  }

  @Test("what isn't applied leaves no file behind")
  func nothingLeftBehind() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      // refused at the last moment: another apply waits to be confirmed
      try world.expect(0, "compile", "b.yaml", "--apply", "--confirm", "1000")
      let files = try Shell.run(["ls", "-A", world.kept()]).stdout
      try world.expect(3, "compile", "a.yaml", "--apply")
      #expect(try Shell.run(["ls", "-A", world.kept()]).stdout == files)
      #expect(!files.contains(".tmp"))
    }
  }

  /// Two instances' prefixes become one's: for packets nothing changes, and the kernel goes on with two elements where the text has one.
  @Test(
    "addresses that are cut otherwise than what is kept can leave",
    arguments: [
      ("192.0.0.0/3", "224.0.0.0/3", "192.0.0.0/2"), ("10.1.0.0/25", "10.1.0.128/25", "10.1.0.0/24"),
      ("fd00::/64", "fd00:0:0:1::/64", "fd00::/63"),
    ])
  func recut(first: String, second: String, both: String) throws {
    try StateTests.world { world in
      @discardableResult func apply(_ instances: String) throws -> String {
        let text = """
          groups:
            web: { ingress: [{ allow: ssh, from: any }] }
            db: { type: advanced, ingress: [{ allow: mysql, from: web }] }
          instances:
            db-1: { addresses: [172.16.1.0/24, 2001:db8::/64], groups: db }
            web-1: { addresses: [172.16.2.0/24, 2001:db8:1::/64], groups: web }

          """
        try Files.write(Array((text + instances).utf8), to: "\(world.folder)/p.yaml")
        return try world.expect(0, "p.yaml", "--apply")
      }
      try apply("  a: { addresses: '\(first)', groups: web }\n  b: { addresses: '\(second)', groups: web }\n")
      #expect(try apply("  a: { addresses: '\(both)', groups: web }\n").contains("no difference"))
      try apply("")
      #expect(try nft("list", "table", "inet", "cordon").contains(first) == false)
      try world.expect(0, "status")
      try apply("  b: { addresses: '\(second)', groups: web }\n")
      try apply("  a: { addresses: '\(both)', groups: web }\n")
      try world.expect(0, "diff", "p.yaml")
    }
  }

  @Test("a damaged ruleset is not loaded")
  func damagedText() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      try world.expect(0, "compile", "b.yaml", "--apply")
      try Files.write(Array("table inet evil\n".utf8), to: "\(world.kept())/2.nft")
      #expect(try world.expect(3, "rollback").contains("missing or damaged"))
      #expect(try world.livePort() == "82")
      try world.expect(0, "rollback", "--to", "1")
    }
  }

  @Test("one at a time: who is at work, --wait, and no lock of a dead process")
  func lock() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      let done = try world.shell(
        """
        flock -x \(try world.kept())/lock sleep 2 &
        sleep 0.3
        "$CORDON" compile b.yaml --apply; echo "status $?"
        "$CORDON" compile b.yaml --apply --wait 1; echo "status $?"
        "$CORDON" status >/dev/null; echo "status $?"
        "$CORDON" compile b.yaml --apply --wait 20 >/dev/null; echo "status $?"
        (exec 9>>\(try world.kept())/lock; flock 9; kill -9 $(exec sh -c 'echo $PPID'))
        "$CORDON" compile a.yaml --apply >/dev/null; echo "status $?"
        """)
      #expect(done.stdout == "status 3\nstatus 3\nstatus 0\nstatus 0\nstatus 0\n", "\(done.stderr)")
      #expect(done.stderr.contains("another cordon, process ") && done.stderr.contains("--wait SECONDS"))
    }
  }

  @Test("a file's name reaches no terminal as a control, and breaks no line or column")
  func hostileNames() throws {
    try StateTests.world { world in
      let name = "e\u{1B}[31m\t\n.yaml"
      try Files.write(Array(StateTests.policy(port: "81").utf8), to: "\(world.folder)/\(name)")
      try world.expect(0, "compile", name, "--apply")
      for command in [["history"], ["status"], ["rollback", "--to", "2"], ["history", "--output-format", "plain"]] {
        let done = try Cordon.run(command, environment: ["CORDON_STATE_DIR": world.stateFolder])
        #expect(!done.stdout.contains("\u{1B}"))
        if command.last == "plain" { #expect(done.stdout.split(separator: "\n").allSatisfy { $0.count { $0 == "\t" } == 5 }) }
      }
    }
  }
}
