import Glibc
import NftablesKernel
import TestSupport
import Testing

/// Whoever applies over a network connection isn't locked out. Each test in network namespaces and folders of its own.
@Suite("lockout", .requireNamespaces) struct LockoutTests {
  /// The machine is web-1; ssh is for the office, less one of its addresses.
  private static let policy = """
    groups:
      web:
        ingress:
          - { allow: [http, https], from: any }
          - { allow: ssh, from: 203.0.113.0/24 }
          - { deny: ssh, from: 203.0.113.66 }
          - { allow: ssh, from: "2001:db8:12::/48" }
        egress:
          - { deny: smtp, to: any }
    instances:
      web-1: { addresses: [172.16.1.10, "fd00:1::10"], groups: web }

    """
  private static let denied = "198.51.100.7 50022 172.16.1.10 22"
  private static let allowed = "203.0.113.7 50022 172.16.1.10 22"

  /// A folder with the policy, in a namespace where nothing is in force.
  private struct World {
    let folder: String

    func run(_ command: [String], ssh: String? = nil) throws -> Shell.Output {
      var environment = ["CORDON": Cordon.path, "CORDON_STATE_DIR": "\(folder)/state"]
      if let ssh { environment["SSH_CONNECTION"] = ssh }
      return try Shell.run(command, environment: environment, directory: folder, timeout: .seconds(60))
    }

    func apply(_ more: String..., ssh: String? = nil) throws -> Shell.Output {
      try run([Cordon.path, "compile", "policy.yaml", "--apply"] + more, ssh: ssh)
    }

    /// Expects that nothing was changed or kept.
    func expectUntouched(sourceLocation: SourceLocation = #_sourceLocation) throws {
      #expect(try nft("list", "tables") == "", sourceLocation: sourceLocation)
      #expect(access("\(folder)/state", F_OK) != 0, "a state was kept", sourceLocation: sourceLocation)
    }

    /// Expects a refusal that has the words in it, and that nothing was touched.
    func expectRefused(_ done: Shell.Output, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
      expectStatus(done, 3, sourceLocation: sourceLocation)
      for words in words { #expect(done.stderr.contains(words), "\(words)\n\(done.stderr)", sourceLocation: sourceLocation) }
      try expectUntouched(sourceLocation: sourceLocation)
    }

    /// A copy of a shell under another program's name.
    func program(_ name: String) throws -> String {
      let path = "\(folder)/bin/\(name)"
      _ = try Shell.run(["install", "-D", "-m", "755", "/bin/bash", path])
      return path
    }
  }

  private static func world(_ policy: String = policy, _ body: (World) throws -> Void) throws {
    try Sample.withFolder(policy) { folder in try inPrivateNamespace { try body(World(folder: folder)) } }
  }

  // MARK: - The environment

  @Test("a policy that doesn't let a new connection like this one in is refused, and the rule is shown")
  func refuses() throws {
    try LockoutTests.world { world in
      let byDefault = try world.apply("--host", "web-1", ssh: LockoutTests.denied)
      try world.expectRefused(
        byDefault, "error[lockout]", "`tcp 198.51.100.7:40000 -> 172.16.1.10:22`", "no rule matches", "policy.yaml:2:3",
        "you work over 198.51.100.7:50022 -> 172.16.1.10:22, by SSH_CONNECTION", "--force")
      #expect(byDefault.stdout == "")
      let byRule = try world.apply("--host", "web-1", "--output-format", "plain", ssh: "203.0.113.66 1 172.16.1.10 22")
      try world.expectRefused(
        byRule, "policy.yaml:6:9: note: ingress of 172.16.1.10 (web-1): denied, ingress rule 3 of `web`",
        "policy.yaml:5:9: note: matches too, and doesn't come to decide: rule 2 of `web` (allow, priority 1)")
      let json = try world.apply("--host", "web-1", "--output-format", "json", ssh: LockoutTests.denied)
      try world.expectRefused(json)
      #expect(try JSON(json.stderrBytes)["diagnostics"]?.list?.first?["code"]?.text == "lockout")
      // another port, and IPv6
      try world.expectRefused(try world.apply("--host", "web-1", ssh: "203.0.113.7 1 172.16.1.10 2222"), ":2222`")
      try world.expectRefused(try world.apply("--host", "web-1", ssh: "2001:db8::7 1 fd00:1::10 22"), "[fd00:1::10]:22`")
      // by an address of the machine that the policy doesn't know, the rules are the same
      try world.expectRefused(try world.apply("--host", "web-1", ssh: "198.51.100.7 1 192.168.7.1 22"), "192.168.7.1:22`")
      // a file is not written either
      _ = try world.apply("--host", "web-1", "-o", "out.nft", ssh: LockoutTests.denied)
      #expect(access("\(world.folder)/out.nft", F_OK) != 0)
    }
  }

  @Test("what is wrong with the policy is told before whom it locks out")
  func order() throws {
    try LockoutTests.world(LockoutTests.policy + "prefix-lists: { office: [203.0.113.7/24] }\n") { world in
      let done = try world.apply("--host", "web-1", ssh: LockoutTests.denied)
      try world.expectRefused(done, "warning[host-bits]", "error[lockout]")
      let parts = done.stderr.split(separator: "warning[host-bits]")
      #expect(parts.last?.contains("error[lockout]") == true, "\(done.stderr)")
    }
  }

  @Test("a rule about source ports doesn't let every new connection in")
  func sourcePorts() throws {
    let narrow = LockoutTests.policy.replacing(
      "from: 203.0.113.0/24 }", with: "from: 203.0.113.0/24, source-ports: 50000-65535 }")
    try LockoutTests.world(narrow) { world in
      try world.expectRefused(try world.apply("--host", "web-1", ssh: LockoutTests.allowed), "error[lockout]")
    }
  }

  @Test(
    "where the policy lets it in, nothing is said",
    arguments: [
      allowed, "2001:db8:12::7 50022 fd00:1::10 22", "::ffff:203.0.113.7 50022 ::ffff:172.16.1.10 22",
      "203.0.113.7 50022 192.168.7.1 22", "198.51.100.7 50022 172.16.1.10 443",
      // by loopback
      "127.0.0.1 50022 127.0.0.1 22", "::1 50022 ::1 22",
    ])
  func allows(connection: String) throws {
    try LockoutTests.world { world in
      let done = try world.apply("--host", "web-1", ssh: connection)
      expectStatus(done, 0)
      #expect(done.stderr == "")
      #expect(try nft("list", "tables") == "table inet cordon\n")
    }
  }

  @Test("what sudo takes out of the environment is found in that of the processes above")
  func strippedEnvironment() throws {
    try LockoutTests.world { world in
      let command = "env -i \"$CORDON\" compile policy.yaml --host web-1 --apply --state-dir state; exit $?"
      let done = try world.run(["bash", "-c", "bash -c '\(command)'; exit $?"], ssh: LockoutTests.denied)
      try world.expectRefused(done, "error[lockout]", "by SSH_CONNECTION of bash (process ")
    }
  }

  @Test("--force goes on, and says what it would lock out; a dry run tells; --observe drops nothing")
  func force() throws {
    try LockoutTests.world { world in
      let planned = try world.apply("--host", "web-1", "--dry-run", ssh: LockoutTests.denied)
      try world.expectRefused(planned, "error[lockout]")
      #expect(planned.stdout.contains("would newly be dropped:"))
      let forced = try world.apply("--host", "web-1", "--dry-run", "--force", ssh: LockoutTests.denied)
      expectStatus(forced, 0)
      #expect(forced.stderr.contains("warning[lockout]"))
      try world.expectUntouched()
      let observed = try world.apply("--host", "web-1", "--observe", ssh: LockoutTests.denied)
      expectStatus(observed, 0)
      #expect(observed.stderr == "")
      let before = try nft("list", "ruleset")
      expectStatus(try world.apply("--host", "web-1", ssh: LockoutTests.denied), 3)
      #expect(try nft("list", "ruleset") == before)
      let done = try world.apply("--host", "web-1", "--force", ssh: LockoutTests.denied)
      expectStatus(done, 0)
      #expect(done.stderr.contains("warning[lockout]") && done.stderr.contains("198.51.100.7"))
      #expect(try nft("list", "ruleset") != before)
    }
  }

  @Test("a gateway's own SSH is not at risk, and it says so")
  func gateway() throws {
    try LockoutTests.world { world in
      let done = try world.apply(ssh: LockoutTests.denied)
      expectStatus(done, 0)
      #expect(done.stderr.contains("note[connection]: your connection 198.51.100.7:50022 -> 172.16.1.10:22 isn't at risk"))
    }
  }

  @Test("SSH_CONNECTION without a connection in it is asked about")
  func unknownConnection() throws {
    try LockoutTests.world { world in
      let unknown = "UNKNOWN 65535 UNKNOWN 65535"
      try world.expectRefused(
        try world.apply("--host", "web-1", ssh: unknown), "error[unknown-connection]", "--keep 'CLIENT->:22'", "--force")
      try world.expectRefused(
        try world.apply("--host", "web-1", "--keep", "198.51.100.7->:22", ssh: unknown), "error[kept-flow]")
      expectStatus(try world.apply("--host", "web-1", "--dry-run", "--force", ssh: unknown), 0)
      let named = try world.apply("--host", "web-1", "--keep", "203.0.113.7->:22", ssh: unknown)
      expectStatus(named, 0)
      #expect(named.stderr == "")
    }
  }

  // MARK: - Processes and sockets

  /// A machine with a connection from afar: its file, which the processes that it starts inherit. Afar is a namespace at the
  /// other end of a link.
  private static func withConnection(from client: String, _ body: (World) throws -> Void) throws {
    try world { world in
      let far = try PrivateNamespace()
      let farPath = far.path
      func ip(_ words: String) throws {
        let done = try Shell.run(["ip"] + words.split(separator: " ").map { String($0) })
        guard done.status == 0 else { throw NftRefusal(description: "ip \(words): \(done.stderr)") }
      }
      try ip("link set lo up")
      try ip("link add near type veth peer name far netns \(farPath)")
      try ip("addr add 172.16.1.10 peer \(client) dev near")
      try ip("link set near up")
      try far.run {
        try ip("addr add \(client) peer 172.16.1.10 dev far")
        try ip("link set far up")
      }
      // the children inherit what is accepted, and not what listens
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      defer { close(listener) }
      let address = try #require(LockoutTests.address)
      try #require(with(address) { bind(listener, $0, $1) } == 0 && listen(listener, 1) == 0)
      let begun = try far.run {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try #require(with(address) { connect(file, $0, $1) } == 0)
        return file
      }
      defer { close(begun) }
      let accepted = accept(listener, nil, nil)
      try #require(accepted >= 0)
      defer { close(accepted) }
      try body(world)
    }
  }

  /// 172.16.1.10, port 22.
  private static let address: sockaddr_in? = {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(22).bigEndian
    return inet_pton(AF_INET, "172.16.1.10", &address.sin_addr) == 1 ? address : nil
  }()

  private static func with<T>(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    withUnsafeBytes(of: address) {
      body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }

  @Test("the socket of an sshd above tells, where every environment is empty", arguments: ["sshd", "sshd-session", "dropbear"])
  func socketOfSSHD(name: String) throws {
    try LockoutTests.withConnection(from: "198.51.100.7") { world in
      let server = try world.program(name)
      let command = "env -i \"$CORDON\" compile policy.yaml --host web-1 --apply --state-dir state; exit $?"
      let done = try world.run([server, "-c", command])
      try world.expectRefused(done, "`tcp 198.51.100.7:40000 -> 172.16.1.10:22`", "by a socket of \(name) (process ")
      // it is the environment's own, too
      let port = try #require(done.stderr.split(separator: "you work over 198.51.100.7:").last?.prefix { $0 != " " })
      let said = try world.run([server, "-c", "bash -c '\(command)'; exit $?"], ssh: "198.51.100.7 \(port) 172.16.1.10 22")
      try world.expectRefused(said, "by SSH_CONNECTION of bash (process ")
      // the same connection to another namespace than the one that is changed
      let elsewhere = try world.run([server, "-c", "unshare -n \(command)"], ssh: "198.51.100.7 \(port) 172.16.1.10 22")
      expectStatus(elsewhere, 0)
      #expect(elsewhere.stderr.contains("ends in another network namespace, so it isn't at risk here"))
    }
    try LockoutTests.withConnection(from: "203.0.113.7") { world in
      let server = try world.program(name)
      let done = try world.run([
        server, "-c", "env -i \"$CORDON\" compile policy.yaml --host web-1 --apply --state-dir state; exit $?",
      ])
      expectStatus(done, 0)
    }
  }

  @Test(
    "a session that looks as if it came over the network, by no connection that is seen, is asked about",
    arguments: ["sshd", "mosh-server"])
  func unseenConnection(name: String) throws {
    try LockoutTests.world { world in
      let server = try world.program(name)
      func run(_ more: String) throws -> Shell.Output {
        try world.run([server, "-c", "\"$CORDON\" compile policy.yaml --apply \(more); exit $?"])
      }
      try world.expectRefused(try run("--host web-1"), "error[unknown-connection]", "\(name) (process ", "--keep 'CLIENT->:22'")
      try world.expectRefused(try run("--host web-1 --keep '198.51.100.7->:udp/60001'"), "error[kept-flow]", "udp 198.51.100.7")
      expectStatus(try run("--host web-1 --dry-run --keep '203.0.113.7->:22'"), 0)
      expectStatus(try run("--host web-1 --dry-run --force"), 0)
      let gateway = try run("")
      expectStatus(gateway, 0)
      #expect(gateway.stderr.contains("note[connection]: your session isn't at risk"))
    }
  }

  @Test("the login record of the terminal tells that a session is from afar")
  func loginRecord() throws {
    try LockoutTests.world { world in
      // in a mount namespace whose /run holds a record for every terminal that there may be
      var records: [UInt8] = []
      for number in 0..<200 {
        var record = utmp()
        record.ut_type = Int16(USER_PROCESS)
        withUnsafeMutableBytes(of: &record.ut_line) { $0.copyBytes(from: "pts/\(number)".utf8) }
        withUnsafeMutableBytes(of: &record.ut_host) { $0.copyBytes(from: "198.51.100.7".utf8) }
        records += withUnsafeBytes(of: record) { Array($0) }
      }
      try Files.write(records, to: "\(world.folder)/utmp")
      let command = "$CORDON compile policy.yaml --host web-1 --apply </dev/null >out 2>&1; echo $? >>out"
      _ = try world.run([
        "unshare", "-m", "bash", "-c", "mount -t tmpfs none /run && cp utmp /run/utmp && script -qec '\(command)' /dev/null",
      ])
      let said = String(decoding: Files.read("\(world.folder)/out") ?? [], as: UTF8.self)
      #expect(said.contains("error[unknown-connection]") && said.contains("is from 198.51.100.7"), "\(said)")
      #expect(said.contains("--keep '198.51.100.7->:22'") && said.hasSuffix("\n3\n"), "\(said)")
      try world.expectUntouched()
    }
  }

  // MARK: - Flows that are named

  @Test("`keep` in the policy: every packet of it, of a host's own flows and of nobody else's")
  func keepInThePolicy() throws {
    func policy(_ flow: String) -> String { "options: { keep: [\(flow)] }\n" + LockoutTests.policy }
    let broken = [
      "{ from: 203.0.113.0/24, to: web-1, service: ssh }", "{ from: 203.0.113.7, to: web, service: [ssh, tcp/8080] }",
      "{ from: web-1, to: 10.0.0.25, service: smtp }", "{ from: any, to: any, service: https }",
    ]
    for (index, flow) in broken.enumerated() {
      try LockoutTests.world(policy(flow)) { world in
        if index < 3 { try world.expectRefused(try world.apply("--host", "web-1"), "error[kept-flow]", "policy.yaml:1:19") }
        let forced = try world.apply("--host", "web-1", "--force")
        expectStatus(forced, 0)
        #expect(forced.stderr.contains("warning[kept-flow]") == (index < 3))
      }
    }
    try LockoutTests.world(policy(broken[0])) { world in
      // a gateway judges from end to end what it forwards
      try world.expectRefused(
        try world.apply(), "error[kept-flow]", "203.0.113.66", "ingress rule 3 of `web`", "policy.yaml:7:9")
    }
    let held = [
      "{ from: 203.0.113.0-203.0.113.65, to: web-1, service: ssh }", "{ from: web-1, to: any, service: https }",
      "{ from: 10.0.0.1, to: 10.0.0.2, service: all }",
    ]
    for flow in held {
      try LockoutTests.world(policy(flow)) { world in
        for mode in [["--host", "web-1"], []] {
          let done = try world.run([Cordon.path, "compile", "policy.yaml", "--apply", "--dry-run"] + mode)
          expectStatus(done, 0, flow)
          #expect(done.stderr == "")
        }
      }
    }
  }

  @Test("--keep, as often as one likes")
  func keepOption() throws {
    try LockoutTests.world { world in
      try world.expectRefused(
        try world.apply("--host", "web-1", "--keep", "203.0.113.7->:22", "--keep", "203.0.113.0/24->172.16.1.10:tcp/22"),
        "error[kept-flow]: --keep '203.0.113.0/24->172.16.1.10:tcp/22'", "tcp 203.0.113.66:40000 -> 172.16.1.10:22")
      try world.expectRefused(
        try world.apply("--host", "web-1", "--keep", "172.16.1.10->10.0.0.25:25"), "egress rule 1 of `web`")
      try world.expectRefused(try world.apply("--host", "web-1", "--keep", "[2001:db8::7]->:22"), "-> [fd00:1::10]:22`")
      let elsewhere = try world.apply("--host", "web-1", "--keep", "10.0.0.1->10.0.0.2:22")
      expectStatus(elsewhere, 64)
      #expect(elsewhere.stderr.contains("neither end of --keep '10.0.0.1->10.0.0.2:22' is this machine, web-1 (172.16.1.10"))
      try world.expectUntouched()
      // forwarded, from end to end; and to the gateway itself
      try world.expectRefused(try world.apply("--keep", "198.51.100.7->172.16.1.10:22"), "error[kept-flow]")
      let own = try world.apply("--dry-run", "--keep", "198.51.100.7->:22", "--keep", "172.16.1.10->198.51.100.7:443")
      expectStatus(own, 0)
      #expect(own.stderr.contains("--keep '198.51.100.7->:22' isn't at risk: it ends at the gateway itself"))
      expectStatus(try world.apply("--host", "web-1", "--keep", "203.0.113.7->:22", "--keep", "[2001:db8:12::7]->:22"), 0)
    }
  }

  @Test("a flow that is spelled wrong is wrong use, and the error says what to write")
  func wrongSpellings() throws {
    try LockoutTests.world { world in
      for wrong in [
        "198.51.100.7", "198.51.100.7-", "->:22", "2001:db8::7->:22", "198.51.100.7->172.16.1.10", "198.51.100.7->:ssh", "",
      ] {
        let done = try world.apply("--host", "web-1", "--keep", wrong)
        expectStatus(done, 64, wrong)
        #expect(done.stderr.contains("write 'CLIENT->SERVER:PORT', or 'CLIENT->:PORT' for this machine"), "\(done.stderr)")
      }
      for words in [["--keep", "198.51.100.7->:22"], ["--force"], ["--force", "--check"]] {
        let done = try world.run([Cordon.path, "compile", "policy.yaml"] + words)
        expectStatus(done, 64)
        #expect(done.stderr.contains("--keep and --force go with --apply"))
      }
      try world.expectUntouched()
    }
  }
}
