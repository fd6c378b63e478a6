import Glibc
import TestSupport
import Testing

/// What `cordon compile` writes, and where.
struct OutputTests {
  @Test func productGoesToStdoutAndEverythingElseToStderr() throws {
    try Sample.withFolder(Sample.policy.replacing("203.0.113.0/24", with: "203.0.113.1/24")) { folder in
      let done = try Cordon.run("compile", "policy.yaml", directory: folder)
      expectStatus(done, 0)
      #expect(done.stdout.hasPrefix("# cordon: "))
      #expect(!done.stdout.contains("host-bits"))
      #expect(done.stderr.contains("warning[host-bits]"))
      // the same by any other way to name it
      for other in [
        ["policy.yaml"], ["compile", "."], ["./policy.yaml", "policy.yaml"], ["compile", "policy.yaml", "-o", "/dev/stdout"],
      ] {
        let again = try Cordon.run(other, directory: folder)
        expectStatus(again, 0, "\(other)")
        #expect(again.stdout.dropFirst(60).contains("table inet cordon {"), "\(other)")
        #expect(again.stderr.replacing("./policy.yaml", with: "policy.yaml") == done.stderr)
      }
    }
  }

  /// What a ruleset costs stands in its place, or beside it.
  @Test func costIsTheProduct() throws {
    try Sample.withFolder { folder in
      let ruleset = try Cordon.run("compile", "policy.yaml", directory: folder).stdout
      let alone = try Cordon.run("compile", "policy.yaml", "--cost", directory: folder)
      expectStatus(alone, 0)
      #expect(alone.stdout.contains("forward") && !alone.stdout.contains("chain forward {"))
      #expect(alone.stderr == "")
      let both = try Cordon.run("compile", "policy.yaml", "--cost", "-o", "out.nft", directory: folder)
      #expect(both.stdout == alone.stdout)
      #expect(Files.read("\(folder)/out.nft").map { String(decoding: $0, as: UTF8.self) } == ruleset)
      expectStatus(try Cordon.run("compile", "policy.yaml", "--cost", "--check", directory: folder), 64)
    }
    // many chains: people see the dearest, machines all
    let large = Sample.large(groups: 40)
    let human = try Cordon.run("compile", "-", "--cost", stdin: large).stdout
    #expect(human.contains("and 60 chains that cost no more"))
    let plain = try Cordon.run("compile", "-", "--cost", "--output-format", "plain", stdin: large).stdout
    #expect(plain.split(separator: "\n").filter { $0.contains(" worst: ") }.count == 81)
  }

  @Test func readsStandardInput() throws {
    let done = try Cordon.run("-", stdin: Sample.policy)
    expectStatus(done, 0)
    #expect(done.stdout.contains("chain ingress/web {"))
    let bad = try Cordon.run("compile", "-", stdin: "groups: { web: { typ: basic } }\n")
    expectStatus(bad, 1)
    #expect(bad.stderr.contains("<stdin>:1:18"))
    #expect(bad.stdout == "")
  }

  @Test func readsSeveralFilesAndFolders() throws {
    let cut = try #require(Sample.policy.firstRange(of: "instances:")).lowerBound
    try Sample.withFolder(String(Sample.policy[..<cut])) { folder in
      try Files.write(Array(Sample.policy[cut...].utf8), to: "\(folder)/more/z.yaml")
      try Files.write(Array("no: policy".utf8), to: "\(folder)/more/.hidden.yaml")
      try Files.write(Array("no: policy".utf8), to: "\(folder)/more/notes.txt")
      try Files.write(Array("no: policy".utf8), to: "\(folder)/more/deeper/no.yaml")
      expectStatus(try Cordon.run("policy.yaml", "more", directory: folder), 0)
      expectStatus(try Cordon.run("more/z.yaml", "policy.yaml", "./more/", directory: folder), 0)
      expectStatus(try Cordon.run("more", directory: folder), 1, "names without their other file")
      expectStatus(try Cordon.run("policy.yaml", "missing.yaml", "more", directory: folder), 1)
    }
  }

  @Test func sameInputSameBytes() throws {
    let first = try Cordon.run("-", stdin: Sample.policy)
    for _ in 0..<5 { #expect(try Cordon.run("-", stdin: Sample.policy).stdoutBytes == first.stdoutBytes) }
  }

  @Test func writesAFileWholeKeepingItsModeAndLinks() throws {
    try Sample.withFolder { folder in
      let expected = try Cordon.run("policy.yaml", directory: folder).stdout
      expectStatus(try Cordon.run("policy.yaml", "-o", "new.nft", directory: folder), 0)
      #expect(Files.read("\(folder)/new.nft").map { String(decoding: $0, as: UTF8.self) } == expected)

      try Files.write(Array("old".utf8), to: "\(folder)/target.nft")
      chmod("\(folder)/target.nft", 0o640)
      symlink("target.nft", "\(folder)/link.nft")
      symlink("later.nft", "\(folder)/dangling.nft")
      for name in ["link.nft", "dangling.nft"] {
        expectStatus(try Cordon.run("policy.yaml", "-o", name, directory: folder), 0)
      }
      #expect(try Shell.run(["readlink", "link.nft", "dangling.nft"], directory: folder).stdout == "target.nft\nlater.nft\n")
      #expect(try Shell.run(["stat", "-c", "%a", "target.nft"], directory: folder).stdout == "640\n")
      for name in ["target.nft", "later.nft"] {
        #expect(Files.read("\(folder)/\(name)").map { String(decoding: $0, as: UTF8.self) } == expected, "\(name)")
      }
      #expect(
        try Shell.run(["ls", "-A"], directory: folder).stdout
          == "dangling.nft\nlater.nft\nlink.nft\nnew.nft\npolicy.yaml\ntarget.nft\n")
    }
  }

  @Test func writesToWhatIsNoRegularFileAsItIs() throws {
    try Sample.withFolder { folder in
      expectStatus(try Cordon.run("policy.yaml", "-o", "/dev/null", directory: folder), 0)
      #expect(try Shell.run(["test", "-c", "/dev/null"]).status == 0)
      mkfifo("\(folder)/pipe", 0o600)
      let script = "cat pipe > read & \(Cordon.path) policy.yaml -o pipe; status=$?; wait; exit $status"
      expectStatus(try Shell.run(["bash", "-c", script], directory: folder), 0)
      let expected = try Cordon.run("policy.yaml", directory: folder).stdoutBytes
      #expect(Files.read("\(folder)/read") == expected)
      #expect(try Shell.run(["test", "-p", "\(folder)/pipe"]).status == 0)
    }
  }

  @Test func refusalsOfTheSystemAreStatus3AndLeaveNothing() throws {
    try Sample.withFolder { folder in
      for path in ["/dev/full", "missing/out.nft", ".", "policy.yaml/out.nft"] {
        let done = try Cordon.run("policy.yaml", "-o", path, directory: folder)
        expectStatus(done, 3, path)
        #expect(done.stderr.hasPrefix("error: cannot write \(path): "))
        #expect(done.stdout == "")
      }
      let full = try Shell.run(["bash", "-c", "\(Cordon.path) policy.yaml > /dev/full"], directory: folder)
      expectStatus(full, 3, "standard output")
      let closed = try Shell.run(
        ["bash", "-c", "\(Cordon.path) policy.yaml >&- -o out.nft && \(Cordon.path) policy.yaml >&-"], directory: folder)
      expectStatus(closed, 3, "closed standard output")
      #expect(try Shell.run(["ls", "-A"], directory: folder).stdout == "out.nft\npolicy.yaml\n")
    }
  }

  /// A folder that may not be written to, as somebody who isn't root.
  @Test(.requireRoot) func readOnlyFolder() throws {
    try Sample.withFolder { folder in
      chmod(folder, 0o755)
      try Files.write(Array("old".utf8), to: "\(folder)/out.nft")
      let done = try asNobody(["policy.yaml", "-o", "out.nft"], directory: folder)
      expectStatus(done, 3)
      #expect(done.stderr == "error: cannot write out.nft: Permission denied\n")
      #expect(Files.read("\(folder)/out.nft") == Array("old".utf8))
      #expect(try Shell.run(["ls", "-A"], directory: folder).stdout == "out.nft\npolicy.yaml\n")
    }
  }

  @Test(.requireNamespaces) func fullDiskLeavesTheOldFile() throws {
    try Sample.withFolder(Sample.large(groups: 200)) { folder in
      let script = """
        mkdir disk && mount -t tmpfs -o size=16k none disk && echo old > disk/out.nft || exit 99
        \(Cordon.path) policy.yaml -o disk/out.nft; status=$?
        cat disk/out.nft; ls -A disk; exit $status
        """
      let done = try Shell.run(["unshare", "-m", "bash", "-c", script], directory: folder)
      expectStatus(done, 3)
      #expect(done.stdout == "old\nout.nft\n")
      #expect(done.stderr == "error: cannot write disk/out.nft: No space left on device\n")
    }
  }

  /// Whenever the process is killed, the file is the old one or the new one.
  @Test func killedWhileWriting() throws {
    try Sample.withFolder(Sample.large(groups: 300)) { folder in
      var generator = SeededGenerator(seed: 5)
      let started = ContinuousClock.now
      expectStatus(try Cordon.run("policy.yaml", "-o", "new.nft", directory: folder), 0)
      let whole = ContinuousClock.now - started
      let new = try #require(Files.read("\(folder)/new.nft"))
      for _ in 0..<12 {
        try Files.write(Array("old".utf8), to: "\(folder)/out.nft")
        let seconds = Double.random(in: 0.6...1.05, using: &generator) * Double(whole.components.attoseconds) / 1e18
        _ = try Shell.run(
          ["timeout", "-s", "KILL", "\(seconds)", Cordon.path, "policy.yaml", "-o", "out.nft"], directory: folder)
        let found = try #require(Files.read("\(folder)/out.nft"))
        #expect(found == Array("old".utf8) || found == new, "\(found.count) bytes, \(generator)")
      }
    }
  }

  @Test func aReaderThatLeavesEndsItQuietly() throws {
    try Sample.withFolder(Sample.large(groups: 300)) { folder in
      let done = try Shell.run(
        ["bash", "-c", "\(Cordon.path) policy.yaml | head -1; exit ${PIPESTATUS[0]}"], directory: folder)
      #expect(done.status == 128 + SIGPIPE)
      #expect(done.stderr == "")
      #expect(done.stdout.hasPrefix("# cordon: "))
    }
  }

  @Test func tableAndHost() throws {
    let host = try Cordon.run("-", "--host", "db-1", "--table", "mine/2", stdin: Sample.policy)
    expectStatus(host, 0)
    #expect(host.stdout.contains("table inet mine/2 {"))
    #expect(!host.stdout.contains("table inet cordon"))
    #expect(host.stdout.contains("type filter hook input"))
    #expect(!host.stdout.contains("hook forward"))
    let unknown = try Cordon.run("-", "--host", "db-2", stdin: Sample.policy)
    expectStatus(unknown, 1)
    #expect(unknown.stderr.contains("did you mean `db-1`?"))
    #expect(unknown.stdout == "")
  }

  @Test(arguments: [
    [], ["compile"], ["compile", "-", "--adopt"], ["compile", "-", "--format", "xml"], ["compile", "-", "--table", "a b"],
    ["diff", "-", "--table", "1"], ["compile", "-", "--table", "x; flush ruleset"], ["compile", "-", "-o"],
    ["compile", "-", "-o", ""], ["compile", "-", "--no-such-option"], ["explain", "-", "--from", "any"],
    ["effective", "web-1"], ["lint"], ["format"], ["test", "-", "--output-format", "xml"], ["diff", "-", "--table", ""],
  ])
  func usage(arguments: [String]) throws {
    let done = try Cordon.run(arguments, stdin: Array(Sample.policy.utf8))
    expectStatus(done, 64, "\(arguments)")
    #expect(done.stdout == "")
    #expect(done.stderr.hasPrefix("Error: "))
  }

  @Test(arguments: [[], ["compile"], ["diff"], ["test"], ["explain"], ["effective"], ["lint"], ["format"]])
  func help(command: [String]) throws {
    let done = try Cordon.run(command + ["--help"])
    expectStatus(done, 0)
    #expect(done.stderr == "")
    #expect(done.stdout.contains("USAGE: cordon"))
    #expect(!done.stdout.contains("list-table"))
    if !command.isEmpty { #expect(done.stdout.contains("--output-format")) }
  }

  @Test(.requireNamespaces) func jsonLoadsTwiceAndIsTheSameTable() throws {
    try Sample.withFolder { folder in
      try inPrivateNamespace {
        let json = try Cordon.run("policy.yaml", "--format", "json", directory: folder)
        expectStatus(json, 0)
        _ = try JSON(json.stdoutBytes)
        for _ in 0..<2 { try nft("-j", "-f", "-", stdin: json.stdout) }
        expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
      }
    }
  }
}
