import Glibc
import TestSupport
import Testing

/// Input that nobody means well: no crash, no hang, no eaten memory, nothing written.
struct HostileInputTests {
  /// Runs a compile of `input`, in less than a minute and 1.5 GB of address space beyond what the program itself takes.
  private func expectRefusal(_ input: [UInt8], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    try Files.withTemporaryFolder { folder in
      try Files.write(input, to: "\(folder)/policy.yaml")
      let done = try Shell.run(
        ["prlimit", "--rss=1000000000", "--data=1500000000", Cordon.path, "policy.yaml", "-o", "out.nft"], directory: folder,
        timeout: .seconds(60))
      expectStatus(done, 1, what, sourceLocation: sourceLocation)
      #expect(
        done.stdout == "" && done.stderrBytes.count < 100_000, "\(what): \(done.stderrBytes.count)",
        sourceLocation: sourceLocation)
      #expect(!HostileInputTests.hasControls(done.stderrBytes), "\(what)", sourceLocation: sourceLocation)
      #expect(try Shell.run(["ls", "-A"], directory: folder).stdout == "policy.yaml\n", sourceLocation: sourceLocation)
    }
  }

  /// Whether anything but line feeds could move a terminal's cursor.
  static func hasControls(_ bytes: [UInt8]) -> Bool { bytes.contains { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F } }

  @Test func deepNesting() throws {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("[{a: ", "}]"), ("- ", "")] {
      let deep = String(repeating: open, count: 100_000)
      try expectRefusal(Array("groups: \(deep)".utf8), "\(open) unclosed")
      try expectRefusal(Array("groups: \(deep)\(String(repeating: close, count: 100_000))\n".utf8), open)
    }
    var steps = ""
    for depth in 0..<2_000 { steps += String(repeating: " ", count: depth) + "a:\n" }
    try expectRefusal(Array(steps.utf8), "indentation")
  }

  @Test func aLineOf100MB() throws {
    let long = [UInt8](repeating: UInt8(ascii: "a"), count: 100_000_000)
    try expectRefusal(Array("groups: { web: { description: \"".utf8) + long, "a quoted text")
    // the rest is the same at a tenth of the length, which an unoptimized build takes a second for
    try expectRefusal(Array(long.prefix(10_000_000)), "one word")
    try expectRefusal(Array("# ".utf8) + long.prefix(10_000_000), "a comment")
    try expectRefusal([UInt8](repeating: 0, count: 10_000_000), "zero bytes")
  }

  @Test func randomBytes() throws {
    var generator = SeededGenerator(seed: 11)
    let signs = Array("[]{}:,-#&*!|>'\"%@` \n\tabc0129./~\\\u{0}\u{7F}".utf8)
    for round in 0..<40 {
      let count = Int.random(in: 1...3_000, using: &generator)
      let bytes = (0..<count).map { _ in
        round % 2 == 0 ? UInt8.random(in: 0...255, using: &generator) : signs.randomElement(using: &generator)!
      }
      try expectRefusal(bytes, "round \(round) of \(generator)")
    }
  }

  @Test func hugeNumbers() throws {
    let digits = String(repeating: "9", count: 100_000)
    for rule in [
      "{ allow: ssh, from: any, priority: \(digits) }", "{ allow: tcp/\(digits), from: any }",
      "{ allow: protocol/\(digits), from: any }", "{ allow: icmp/\(digits)/\(digits), from: any }",
      "{ allow: ssh, from: 10.0.0.0/\(digits) }", "{ allow: ssh, from: \(digits).0.0.1 }",
      "{ allow: ssh, from: any, source-ports: 1-\(digits) }", "{ allow: ssh, from: \(digits) }",
    ] {
      let policy = "groups:\n  web:\n    ingress:\n      - \(rule)\ninstances:\n  i: { addresses: 10.0.0.1, groups: web }\n"
      try expectRefusal(Array(policy.utf8), String(rule.prefix(30)))
    }
    try expectRefusal(Array("version: \(digits)\noptions: { log-group: \(digits) }\n".utf8), "version")
  }

  @Test func whatIsNoFileOfAPolicy() throws {
    try Sample.withFolder { folder in
      mkdir("\(folder)/empty", 0o755)
      mkdir("\(folder)/odd", 0o755)
      mkfifo("\(folder)/odd/pipe.yaml", 0o600)
      symlink("nowhere", "\(folder)/broken.yaml")
      symlink("loop.yaml", "\(folder)/loop.yaml")
      for (path, words) in [
        ("missing.yaml", "no such file"), ("empty", "holds no policy"), ("odd", "not a regular file"),
        ("broken.yaml", "no such file"), ("loop.yaml", "symbolic links"), ("/proc/self/mem", "error"), ("", "no such file"),
        (".", "broken.yaml"), ("policy.yaml/x", "not a directory"), (String(repeating: "x", count: 5_000), "too long"),
      ] {
        let done = try Cordon.run([path, "-o", "out.nft"], directory: folder)
        expectStatus(done, 1, path)
        #expect(done.stderr.hasPrefix("error[") && done.stderr.contains(words), "\(done.stderr)")
      }
      #expect(access("\(folder)/out.nft", F_OK) != 0)
      // a pipe that is named as the policy is one
      mkfifo("\(folder)/pipe", 0o600)
      let script = "cat policy.yaml > pipe & \(Cordon.path) pipe"
      expectStatus(try Shell.run(["bash", "-c", script], directory: folder), 0)
      expectStatus(try Shell.run(["bash", "-c", "\(Cordon.path) - <&-"], directory: folder), 1)
      expectStatus(try Shell.run(["bash", "-c", "\(Cordon.path) <(cat policy.yaml)"], directory: folder), 0)
    }
  }

  @Test(.requireRoot) func unreadable() throws {
    try Sample.withFolder { folder in
      chmod(folder, 0o755)
      chmod("\(folder)/policy.yaml", 0o600)
      for command in [["compile"], ["test"], ["lint"], ["format"], ["format", "--check"], ["diff"], ["effective", "web-1"]] {
        let done = try asNobody(command + ["policy.yaml"], directory: folder)
        expectStatus(done, 1, "\(command)")
        #expect(done.stderr == "error[cannot-read]: can't read `policy.yaml`: permission denied\n\n1 error\n")
      }
    }
  }

  // MARK: - Injection

  static let nasty = [
    "x\"; flush ruleset; #", "a\nflush ruleset", "$(reboot)", "`reboot`", "a;b", "}\n}\nflush ruleset\ntable inet x {",
    "@include x",
    "\u{1B}[31mred\u{1B}]0;title\u{7}", "\u{202E}desrever", "*/?", "'quoted'", "back\\slash", "\r\nflush ruleset",
    "é\u{301}\u{200B}",
  ]

  /// In descriptions and file names anything may stand, and nothing of it comes to be more than a comment.
  @Test(.requireNamespaces, arguments: nasty)
  func descriptionsAndFileNames(text: String) throws {
    let name = text.replacing("/", with: "_").replacing("\u{0}", with: "") + ".yaml"
    let quoted = "\"" + text.unicodeScalars.map { "\\U" + hex($0.value) }.joined() + "\""
    let policy = """
      groups:
        web:
          description: \(quoted)
          ingress:
            - { allow: ssh, from: any, description: \(quoted) }
      instances:
        web-1: { addresses: 10.0.0.1, groups: web, description: \(quoted) }
      expect:
        - { allow: ssh, from: any, to: web, description: \(quoted) }

      """
    try Files.withTemporaryFolder { folder in
      try Files.write(Array(policy.utf8), to: "\(folder)/\(name)")
      try inPrivateNamespace {
        try nft("add table inet other")
        let done = try Cordon.run([name], directory: folder)
        expectStatus(done, 0)
        #expect(!HostileInputTests.hasControls(done.stdoutBytes))
        for _ in 0..<2 { try nft("-f", "-", stdin: done.stdout) }
        #expect(try nft("list", "tables") == "table inet other\ntable inet cordon\n")
        for arguments in [
          ["diff", name], ["lint", name], ["explain", name, "--from", "any", "--to", "web"], ["effective", "web", name],
          ["test", name], ["compile", "--apply", name], ["compile", "--format", "json", name],
        ] {
          let done = try Cordon.run(arguments, directory: folder)
          expectStatus(done, 0, "\(arguments)")
          #expect(!HostileInputTests.hasControls(done.stdoutBytes + done.stderrBytes), "\(arguments) \(done.stdout)")
        }
      }
      for arguments in [
        [text], ["diff", name, "--against", "\(text).nft"], [name, "-o", "missing/\(text)"], [name, "--host", text],
      ] {
        let done = try Cordon.run(arguments, directory: folder)
        #expect([1, 3].contains(done.status), "\(arguments)")
        #expect(done.stdout == "" && !HostileInputTests.hasControls(done.stderrBytes), "\(arguments) \(done.stderr)")
      }
    }
  }

  /// Names of things are refused.
  @Test(arguments: nasty)
  func names(text: String) throws {
    let quoted = "\"" + text.unicodeScalars.map { "\\U" + hex($0.value) }.joined() + "\""
    for policy in [
      "groups: { \(quoted): {} }\n", "prefix-lists: { \(quoted): 10.0.0.1 }\n", "services: { \(quoted): tcp/1 }\n",
      "networks: { \(quoted): 10.0.0.0/8 }\n",
      "groups: { g: {} }\ninstances: { \(quoted): { addresses: 10.0.0.1, groups: g } }\n",
      "groups: { g: {} }\ninstances: { i: { addresses: 10.0.0.1, groups: g, interface: \(quoted) } }\n",
      "groups: { g: { ingress: [{ allow: ssh, from: \(quoted) }] } }\n", "groups: { g: { type: \(quoted) } }\n",
      "groups: { g: { ingress: [{ allow: \(quoted), from: any }] } }\n", "\(quoted): { }\n",
    ] {
      for format in ["human", "json"] {
        let done = try Cordon.run("-", "--output-format", format, stdin: policy)
        expectStatus(done, 1, policy)
        #expect(done.stdout == "" && !HostileInputTests.hasControls(done.stderrBytes), "\(policy) \(done.stderr)")
      }
    }
  }

  /// Eight digits, as `\U` takes them.
  private func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
