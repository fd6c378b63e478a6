import TestSupport
import Testing

/// `--check`, `--apply` and `cordon diff`, each in a network namespace of its own.
@Suite(.requireNamespaces)
struct KernelCommandTests {
  /// In a namespace where the sample policy is in force, and in a folder that holds it.
  private func withAppliedSample(_ body: (String) throws -> Void) throws {
    try Sample.withFolder { folder in
      try inPrivateNamespace {
        expectStatus(try Cordon.run("compile", "policy.yaml", "--apply", directory: folder), 0)
        try body(folder)
      }
    }
  }

  @Test func checkChangesNothing() throws {
    try Sample.withFolder { folder in
      try inPrivateNamespace {
        let done = try Cordon.run("compile", "policy.yaml", "--check", directory: folder)
        expectStatus(done, 0)
        #expect(done.stdout.hasPrefix("table inet cordon isn't there: nothing is enforced\n"))
        #expect(done.stdout.contains("would newly be dropped:"))
        #expect(try nft("list", "tables") == "")
      }
    }
  }

  @Test func applyTwice() throws {
    try withAppliedSample { folder in
      let before = try nft("-a", "list", "ruleset")
      let again = try Cordon.run("compile", "policy.yaml", "--apply", directory: folder)
      expectStatus(again, 0)
      #expect(again.stdout == "table inet cordon: no difference\n")
      #expect(again.stderr == "")
      #expect(try nft("-a", "list", "ruleset") == before, "nothing to do is nothing done")
      expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
    }
  }

  @Test func applyShowsTheChangeAndMakesIt() throws {
    try withAppliedSample { folder in
      try Files.write(Array(Sample.changed.utf8), to: "\(folder)/policy.yaml")
      let check = try Cordon.run("compile", "policy.yaml", "--check", directory: folder)
      expectStatus(check, 0)
      #expect(check.stdout.contains("would newly pass:\n  + udp/123 from office to web-1"))
      let diff = try Cordon.run("diff", "policy.yaml", directory: folder)
      expectStatus(diff, 2)
      #expect(diff.stdout == check.stdout)
      #expect(diff.stderr == "")
      expectStatus(try Cordon.run("compile", "policy.yaml", "--apply", "-o", "out.nft", directory: folder), 0)
      expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
      expectStatus(try Cordon.run("diff", "policy.yaml", "--against", "out.nft", directory: folder), 0)
    }
  }

  @Test func theFileLoadsTwiceAndLeavesOneTable() throws {
    try Sample.withFolder { folder in
      try inPrivateNamespace {
        expectStatus(try Cordon.run("compile", "policy.yaml", "-o", "out.nft", directory: folder), 0)
        try nft("-f", "\(folder)/out.nft")
        try nft("-f", "\(folder)/out.nft")
        #expect(try nft("list", "tables") == "table inet cordon\n")
        let diff = try Cordon.run("diff", "policy.yaml", directory: folder)
        expectStatus(diff, 0)
        #expect(diff.stdout == "table inet cordon: no difference\n")
      }
    }
  }

  @Test func aTableOfAnotherNameAndHost() throws {
    try withAppliedSample { folder in
      expectStatus(
        try Cordon.run("policy.yaml", "--apply", "--host", "db-1", "--table", "mine", directory: folder), 0)
      #expect(try nft("list", "tables") == "table inet cordon\ntable inet mine\n")
      expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
      expectStatus(try Cordon.run("diff", "policy.yaml", "--host", "db-1", "--table", "mine", directory: folder), 0)
      expectStatus(try Cordon.run("diff", "policy.yaml", "--table", "mine", directory: folder), 2)
    }
  }

  @Test func otherTablesAreNotTouched() throws {
    let others = """
      table ip cordon { chain c { type filter hook input priority 0; policy accept; counter accept; }; }
      table inet other { set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }; chain cordon-owned { accept; }; }
      table inet cordon2 { counter c { packets 5 bytes 6 }; }

      """
    try Sample.withFolder { folder in
      try inPrivateNamespace {
        try nft("-f", "-", stdin: others)
        let before = try nft("-a", "list", "ruleset")
        for arguments in [["--check"], ["--apply"], ["--apply"]] {
          expectStatus(try Cordon.run(["policy.yaml"] + arguments, directory: folder), 0)
        }
        try nft("delete", "table", "inet", "cordon")
        #expect(try nft("-a", "list", "ruleset") == before)
      }
    }
  }

  @Test func aForeignTableIsRefused() throws {
    try Sample.withFolder { folder in
      try inPrivateNamespace {
        try nft("-f", "-", stdin: "table inet cordon { chain theirs { type filter hook input priority 0; drop; }; }\n")
        let before = try nft("-a", "list", "ruleset")
        for flag in ["--check", "--apply"] {
          let done = try Cordon.run("policy.yaml", flag, directory: folder)
          expectStatus(done, 3)
          #expect(
            done.stderr == """
              error: cannot take over table inet cordon: it has content that Cordon didn't make
              help: give another name with --table, or --adopt to replace it

              """)
          #expect(done.stdout == "")
        }
        // to look at it is no harm
        expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 2)
        expectStatus(try Cordon.run("policy.yaml", "--check", "--adopt", directory: folder), 0)
        #expect(try nft("-a", "list", "ruleset") == before)
        let adopted = try Cordon.run("policy.yaml", "--apply", "--adopt", directory: folder)
        expectStatus(adopted, 0)
        #expect(adopted.stdout.contains("- chain theirs"))
        expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
      }
    }
  }

  @Test func aBrokenExpectationChangesNothing() throws {
    try withAppliedSample { folder in
      let before = try nft("-a", "list", "ruleset")
      try Files.write(Array(Sample.broken.utf8), to: "\(folder)/policy.yaml")
      for flags in [["--apply"], ["--check"], ["-o", "out.nft"], ["--apply", "-o", "out.nft"]] {
        let done = try Cordon.run(["policy.yaml"] + flags, directory: folder)
        expectStatus(done, 1, "\(flags)")
        #expect(done.stdout == "")
        #expect(done.stderr == (try Cordon.run("test", "policy.yaml", directory: folder).stderr))
      }
      #expect(try nft("-a", "list", "ruleset") == before)
      #expect(try Shell.run(["ls", "-A"], directory: folder).stdout == "policy.yaml\n")
      expectStatus(try Cordon.run("policy.yaml", "--apply", "--no-test", directory: folder), 0)
      expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
    }
  }

  // MARK: - By hand

  /// What somebody does with nft, and what `diff` must say of it.
  static let edits: [(command: String, shown: [String])] = [
    (
      "insert rule inet cordon ingress/web tcp dport 22 accept",
      [
        "would newly be dropped:\n  - tcp/22 from ", "for example tcp 192.0.2.1:40000 -> 172.16.1.10:22",
        "  - tcp dport 22 accept",
      ]
    ),
    ("add rule inet cordon ingress/web tcp dport 22 accept", ["no packet is treated otherwise", "  - tcp dport 22 accept"]),
    (
      "insert rule inet cordon forward ct mark 7 accept",
      ["would pass or be dropped by rules that cordon doesn't understand:\n  ? all from any to any", "mark"]
    ),
    ("insert rule inet cordon ingress/web ip daddr 172.16.1.10 tcp flags syn limit rate 5/second accept", ["  ? ", "flags"]),
    ("add rule inet cordon cordon-owned counter", ["chain cordon-owned\n  - counter"]),
    ("flush chain inet cordon ingress/database", ["would newly be dropped:", "chain ingress/database\n  + "]),
    ("add element inet cordon group-ipv4/web { 10.9.9.9 }", ["from 10.9.9.9 to db-1", "set group-ipv4/web\n  - 10.9.9.9"]),
    ("delete element inet cordon group-ipv4/web { 172.16.1.10 }", ["would newly pass:", "  + 172.16.1.10"]),
    (
      "delete element inet cordon ingress-ipv4 { 172.16.2.10 }",
      ["would newly be dropped:", "map ingress-ipv4\n  + 172.16.2.10 : jump ingress/database"]
    ),
    ("flush map inet cordon ingress-ipv4", ["would newly be dropped:", "map ingress-ipv4\n"]),
    ("add chain inet cordon mine", ["no packet is treated otherwise", "- chain mine\n"]),
    (
      "add chain inet cordon mine { type filter hook input priority 0; policy drop; }",
      ["would newly pass:\n  + input: all from any to any", "- chain mine\n  - type filter hook input"]
    ),
    ("add chain inet cordon forward { policy drop; }", ["would newly pass:", "policy drop;\n  + type filter hook forward"]),
    ("delete chain inet cordon cordon-owned", ["+ chain cordon-owned"]),
    (
      "add table inet cordon { flags dormant; }",
      ["table inet cordon has flags, as a dormant one has: nothing in it is enforced"]
    ),
    ("delete table inet cordon", ["table inet cordon isn't there: nothing is enforced", "would newly be dropped:"]),
    ("add set inet cordon mine { type ipv4_addr; }", ["- set mine"]),
    ("add map inet cordon mine { type ipv4_addr : verdict; }", ["- map mine"]),
    ("add counter inet cordon mine", ["mine"]),
    ("add quota inet cordon mine { over 1 mbytes }", ["mine"]),
    ("add limit inet cordon mine { rate 10/second; }", ["limit mine\n  - rate 10/second"]),
    ("rename chain inet cordon egress/web egress/wbe", ["egress/wbe"]),
  ]

  @Test(arguments: edits.map(\.command))
  func anyChangeByHandIsADifference(command: String) throws {
    let shown = KernelCommandTests.edits.first { $0.command == command }!.shown
    try withAppliedSample { folder in
      try nft(command)
      let done = try Cordon.run("diff", "policy.yaml", directory: folder)
      expectStatus(done, 2)
      for words in shown { #expect(done.stdout.contains(words), "\(words)\n\(done.stdout)") }
      let json = try Cordon.run("diff", "policy.yaml", "--output-format", "json", directory: folder)
      expectStatus(json, 2)
      let report = try JSON(json.stdoutBytes)
      #expect(report["traffic"] != nil && report["ruleset"] != nil)
      #expect(json.stderr == "")
      // and is mended
      let adopts = command.contains("delete chain") ? ["--adopt"] : []
      expectStatus(try Cordon.run(["policy.yaml", "--apply"] + adopts, directory: folder), 0)
      expectStatus(try Cordon.run("diff", "policy.yaml", directory: folder), 0)
    }
  }

  /// libnftables 1.0.6 ends the process that lists these as JSON.
  @Test(arguments: [
    "add rule inet cordon ingress/web iifname \"a\u{1}\" drop",
    "add set inet cordon mine { type ct_state; flags interval; elements = { new, established }; }",
  ])
  func aTableThatCannotBeListed(command: String) throws {
    try withAppliedSample { folder in
      // a byte that is no UTF-8 is more than a Swift text can hold
      let bytes = Array("\(command)\n".utf8).map { $0 == 1 ? 0xFF : $0 }
      #expect(try Shell.run(["nft", "-f", "-"], stdin: bytes).status == 0)
      let listing = try Shell.run(["nft", "-j", "list", "table", "inet", "cordon"])
      if listing.status < 128 { return }
      for arguments in [["diff", "policy.yaml"], ["policy.yaml", "--apply"], ["policy.yaml", "--check"]] {
        let done = try Cordon.run(arguments, directory: folder)
        expectStatus(done, 3)
        #expect(done.stderr.hasPrefix("error: cannot list table inet cordon: libnftables ends the process ("))
        #expect(done.stderr.split(separator: "\n").count == 2)
      }
    }
  }

  // MARK: - Against

  @Test func againstAFileOrAPolicy() throws {
    try Sample.withFolder { folder in
      try Files.write(Array(Sample.changed.utf8), to: "\(folder)/new.yaml")
      try Files.write(Array(Sample.broken.utf8), to: "\(folder)/broken.yaml")
      try Files.write(Array("groups: { a: { typ: b } }\n".utf8), to: "\(folder)/bad.yaml")
      try Files.write(Array("table inet other { chain c { }; }\n".utf8), to: "\(folder)/other.nft")
      try Files.write(Array("nonsense\n".utf8), to: "\(folder)/bad.nft")
      try inPrivateNamespace {
        for (policy, name) in [("policy.yaml", "old.nft"), ("new.yaml", "new.nft")] {
          expectStatus(try Cordon.run(policy, "-o", name, directory: folder), 0)
        }
        for (other, status) in [
          ("old.nft", 0), ("policy.yaml", 0), ("./policy.yaml", 0), ("new.nft", 2), ("new.yaml", 2), ("other.nft", 2),
          // expectations are no part of a comparison
          ("broken.yaml", 2), ("bad.yaml", 1), ("missing.yaml", 1), ("missing.nft", 3), ("bad.nft", 3),
        ] {
          let done = try Cordon.run("diff", "policy.yaml", "--against", other, directory: folder)
          expectStatus(done, Int32(status), other)
          if other.hasPrefix("new.") {
            #expect(done.stdout.hasPrefix("would newly be dropped:\n  - udp/123 from office to web-1"), "\(done.stdout)")
          }
          if status == 1 || status == 3 { #expect(done.stdout == "" && done.stderr.contains(other), "\(done.stderr)") }
        }
        #expect(try nft("list", "tables") == "", "a file is loaded where nobody is")
      }
    }
  }

  // MARK: - Without the right

  @Test func withoutRootTheKernelRefuses() throws {
    try Sample.withFolder { folder in
      expectStatus(try Cordon.run("policy.yaml", "-o", "out.nft", directory: folder), 0)
      for path in [folder, "\(folder)/out.nft"] { _ = try Shell.run(["chmod", "a+rX", path]) }
      try inPrivateNamespace {
        for arguments in [
          ["diff", "policy.yaml"], ["policy.yaml", "--check"], ["policy.yaml", "--apply"],
          ["diff", "policy.yaml", "--against", "out.nft"],
        ] {
          let done = try asNobody(arguments, directory: folder)
          expectStatus(done, 3, "\(arguments)")
          #expect(done.stdout == "")
          #expect(done.stderr.hasPrefix("error: cannot "))
          #expect(done.stderr.contains("\nhelp: run it as root"))
        }
        // what needs no kernel needs no right
        for arguments in [
          ["policy.yaml"], ["test", "policy.yaml"], ["lint", "policy.yaml"], ["format", "--check", "policy.yaml"],
          ["effective", "web-1", "policy.yaml"], ["explain", "policy.yaml", "--from", "any", "--to", "web"],
          ["diff", "policy.yaml", "--against", "policy.yaml"],
        ] {
          let done = try asNobody(arguments, directory: folder)
          #expect(done.status <= 1 && done.status >= 0, "\(arguments) \(done.stderr)")
        }
      }
    }
  }
}
