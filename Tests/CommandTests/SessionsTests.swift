import PacketSpace
import TestSupport
import Testing

/// `--sessions`: what becomes of open connections that a new policy denies. All in network namespaces with real packets.
@Suite("sessions", .requireNamespaces, .requireNft) struct SessionsTests {
  private static func policy(_ services: String, more: String = "") -> String {
    """
    groups:
      web:
        ingress:
          - { allow: [\(services)], from: any }
    \(more)instances:
      web-1: { addresses: [10.0.0.1, fd00::1], groups: web }
    """
  }

  /// In a folder with policies, beside a probe that stands for the gateway.
  private struct World: ~Copyable {
    let folder: String
    var probe: PacketProbe

    borrowing func cordon(_ arguments: [String], preloading library: String? = nil) throws -> Shell.Output {
      let folder = folder
      return try probe.inside {
        var environment = ["CORDON_STATE_DIR": "\(folder)/state"]
        environment["LD_PRELOAD"] = library
        return try Cordon.run(arguments, environment: environment, directory: folder)
      }
    }

    /// Runs it, expects the status and returns both outputs.
    @discardableResult
    borrowing func expect(
      _ status: Int32, _ arguments: String..., preloading library: String? = nil,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Shell.Output {
      let done = try cordon(arguments, preloading: library)
      expectStatus(done, status, arguments.joined(separator: " "), sourceLocation: sourceLocation)
      return done
    }

    /// Those of `flows` that the kernel lets through now; what it holds open goes on.
    mutating func passing(_ flows: String) throws -> [String] {
      let flows = try ProbeFlow.parse(flows)
      return zip(flows, try probe.verdicts(of: flows)).filter { $0.1 == .pass }.map { "\($0.0)" }
    }
  }

  private static func world(addresses: [String] = [], _ body: (inout World) throws -> Void) throws {
    try Files.withTemporaryFolder { folder in
      let deny = "    egress:\n      - { deny: all, to: any }\n"
      for (name, text) in [
        ("open", policy("ssh, http, dns")), ("tight", policy("http")), ("closed", policy("http", more: deny)),
      ] {
        try Files.write(Array(text.utf8), to: "\(folder)/\(name).yaml")
      }
      var world = World(folder: folder, probe: try PacketProbe.start(addresses: addresses.map { .init($0)! }))
      try body(&world)
    }
  }

  /// Behind the difference and the plan of the transactions, which are others' affair.
  private static func said(_ output: Shell.Output) -> String {
    let text = output.stdout
    guard let at = text.firstRange(of: "transaction: switch\n\n") ?? text.firstRange(of: "no difference\n\n") else { return "" }
    return String(text[at.upperBound...])
  }

  /// Flows that are answered: until they are, connection tracking calls their packets new.
  private static let answered = """
    tcp 198.51.100.1 10.0.0.1 22 reply
    tcp 2001:db8::7 fd00::1 22 reply
    udp 198.51.100.1 10.0.0.1 53 reply
    tcp 198.51.100.1 10.0.0.1 80 reply
    tcp 10.0.0.1 198.51.100.9 443 reply on right back left
    """
  /// The same, where what goes on can be told from what begins anew: a handshake's second packet begins nothing.
  private static let flows = answered.replacing("53 reply", with: "53")
  private static let denied = """
      tcp 198.51.100.1:40000 -> 10.0.0.1:22  no rule matches, and basic groups deny ingress by default
      tcp [2001:db8::7]:40000 -> [fd00::1]:22  no rule matches, and basic groups deny ingress by default
      udp 198.51.100.1:40000 -> 10.0.0.1:53  no rule matches, and basic groups deny ingress by default

    """

  @Test("what the new policy denies is listed and goes on, until it is revoked") func keepAndRevoke() throws {
    try SessionsTests.world { world in
      try world.expect(0, "open.yaml", "--apply")
      #expect(try world.passing(SessionsTests.answered).count == 5)
      let kept = "3 open connections are denied by the new policy, and go on: --sessions revoke cuts them\n"
      for arguments in [["--dry-run"], ["--dry-run", "--sessions", "keep"], [], ["--sessions", "keep"]] {
        let done = try world.cordon(["tight.yaml", "--apply"] + arguments)
        expectStatus(done, 0, "\(arguments)")
        #expect(SessionsTests.said(done) == kept + SessionsTests.denied, "\(arguments)")
        #expect(done.stderr == "")
        #expect(try world.passing(SessionsTests.flows).count == 5, "\(arguments)")
      }
      let revoked =
        "3 open connections are denied by the new policy, and are to be cut\n"
        + "3 of them come back once their other end sends something: the policy lets that end begin connections\n"
      let dry = try world.expect(0, "tight.yaml", "--apply", "--dry-run", "--sessions", "revoke")
      #expect(SessionsTests.said(dry) == revoked + SessionsTests.denied)
      #expect(dry.stderr == "")
      #expect(try world.passing(SessionsTests.flows).count == 5)

      let done = try world.expect(0, "tight.yaml", "--apply", "--sessions", "revoke")
      #expect(SessionsTests.said(done) == revoked + SessionsTests.denied)
      #expect(done.stderr == "3 open connections were cut\n")
      #expect(
        try world.passing(SessionsTests.flows) == [
          "tcp 198.51.100.1 10.0.0.1 40000 80 reply", "tcp 10.0.0.1 198.51.100.9 40000 443 reply on right back left",
        ])
      // there is nothing left to say
      #expect(try world.expect(0, "tight.yaml", "--apply").stdout == "table inet cordon: no difference\n")
      let again = try world.expect(0, "tight.yaml", "--apply", "--sessions", "revoke")
      #expect(again.stdout == "table inet cordon: no difference\n")
      #expect(again.stderr == "0 open connections were cut\n")
    }
  }

  @Test(
    "a connection whose server may begin some comes back when that sends; else it stays cut",
    arguments: [("tight.yaml", true), ("closed.yaml", false)])
  func comesBack(policy: String, comesBack: Bool) throws {
    let answer = "tcp 10.0.0.1 198.51.100.1 22 40000 ack on right back left"
    let question = "tcp 198.51.100.1 10.0.0.1 40000 22 ack"
    try SessionsTests.world { world in
      try world.expect(0, "open.yaml", "--apply")
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 22").count == 1)
      let words = "it comes back once its other end sends something: the policy lets that end begin connections\n"
      // where connection tracking takes up nothing from its midst, nothing comes back
      let loose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"
      try world.probe.inside { try Files.write(Array("0".utf8), to: loose) }
      #expect(try !world.expect(0, policy, "--apply", "--sessions", "revoke", "--dry-run").stdout.contains("comes back"))
      try world.probe.inside { try Files.write(Array("1".utf8), to: loose) }
      let done = try world.expect(0, policy, "--apply", "--sessions", "revoke")
      #expect(done.stdout.contains(words) == comesBack)
      #expect(done.stderr == "1 open connection was cut\n")
      #expect(try world.passing(question) == [])
      #expect(try world.passing(answer).count == (comesBack ? 1 : 0))
      #expect(try world.passing(question).count == (comesBack ? 1 : 0))
    }
  }

  @Test("translated, expected and local connections are told apart") func exactly() throws {
    try SessionsTests.world { world in
      // the gateway's own address is in the group, too
      for (name, services) in [("open", "ssh, http"), ("tight", "http")] {
        let policy = SessionsTests.policy(services) + "\n  gateway: { addresses: 198.18.255.1, groups: web }\n"
        try Files.write(Array(policy.utf8), to: "\(world.folder)/\(name).yaml")
      }
      try world.expect(0, "open.yaml", "--apply")
      try world.probe.load(
        Array(
          """
          table inet other {
            ct expectation data {
              protocol tcp
              dport 22
              timeout 1m
              size 12
              l3proto ip
            }
            chain pre {
              type nat hook prerouting priority dstnat
              ip daddr 203.0.113.1 tcp dport 2222 dnat ip to 10.0.0.1:22
              ip daddr 203.0.113.1 tcp dport 2280 dnat ip to 10.0.0.1:80
            }
            chain post {
              type nat hook postrouting priority srcnat
              ip saddr 198.51.100.77 snat ip to 10.0.0.254
            }
            chain c {
              type filter hook forward priority 10
              ip saddr 10.0.0.1 tcp dport 8888 ct expectation set "data"
            }
          }
          """.utf8))
      // what is translated doesn't arrive as it was sent, so that only connection tracking knows
      _ = try world.passing(
        """
        tcp 198.51.100.5 203.0.113.1 2222
        tcp 198.51.100.5 203.0.113.1 2280
        tcp 198.51.100.77 10.0.0.1 22
        tcp 198.51.100.8 198.51.100.9 22
        tcp 10.0.0.1 198.51.100.6 8888 on right back left
        tcp 198.51.100.6 10.0.0.1 22
        tcp 198.51.100.4 198.18.255.1 22
        """)
      let done = try world.expect(0, "tight.yaml", "--apply", "--sessions", "revoke", "--output-format", "json")
      let sessions = try #require(try JSON(done.stdoutBytes)["sessions"])
      #expect(
        sessions["flows"]?.list?.compactMap { $0["flow"]?.text } == [
          "tcp 198.51.100.5:40000 -> 10.0.0.1:22", "tcp 198.51.100.77:40000 -> 10.0.0.1:22",
        ])
      #expect(sessions["flows"]?.list?.allSatisfy { $0["hook"]?.text == "forward" && $0["reason"]?.text != nil } == true)
      guard case .number(2) = sessions["denied"], case .number(2) = sessions["answerable"],
        case .number(let tracked) = sessions["tracked"]
      else {
        Issue.record("\(done.stdout)")
        return
      }
      #expect(sessions["choice"]?.text == "revoke")
      let note = try #require(try JSON(done.stderrBytes)["diagnostics"]?.list?.first)
      #expect(note["code"]?.text == "sessions-cut" && note["message"]?.text == "2 open connections were cut")
      let rest = try JSON(world.expect(0, "tight.yaml", "--apply", "--output-format", "json").stdoutBytes)
      guard case .number(0) = rest["sessions"]?["denied"], case .number(tracked - 2) = rest["sessions"]?["tracked"] else {
        Issue.record("\(rest)")
        return
      }
    }
  }

  @Test("a host judges what comes in and what goes out, and nothing else") func host() throws {
    try SessionsTests.world(addresses: ["10.0.0.1"]) { world in
      try world.expect(0, "open.yaml", "--apply", "--host", "web-1")
      let flows = """
        tcp 198.51.100.1 10.0.0.1 22
        tcp 198.51.100.1 10.0.0.1 80
        tcp 10.0.0.1 198.51.100.1 22
        tcp 198.51.100.1 198.51.100.9 22
        """
      #expect(try world.passing(flows).count == 4)
      let done = try world.expect(0, "closed.yaml", "--apply", "--host", "web-1", "--sessions", "revoke")
      #expect(
        done.stdout.hasSuffix(
          """
          2 open connections are denied by the new policy, and are to be cut
            input: tcp 198.51.100.1:40000 -> 10.0.0.1:22  no rule matches, and basic groups deny ingress by default
            output: tcp 10.0.0.1:40000 -> 198.51.100.1:22  egress rule 1 of `web`  (closed.yaml:6)

          """), "\(done.stdout)")
      #expect(done.stderr == "2 open connections were cut\n")
      #expect(
        try world.passing(flows) == ["tcp 198.51.100.1 10.0.0.1 40000 80", "tcp 198.51.100.1 198.51.100.9 40000 22"])
    }
  }

  @Test("of many, twenty are shown, always the same") func many() throws {
    try SessionsTests.world { world in
      try world.expect(0, "open.yaml", "--apply")
      let flows = (1...50).reversed().map { "tcp 198.51.100.\($0) 10.0.0.1 22" }.joined(separator: "\n")
      #expect(try world.passing(flows).count == 50)
      let said = SessionsTests.said(try world.expect(0, "tight.yaml", "--apply", "--dry-run"))
      let lines = said.split(separator: "\n")
      #expect(lines.count == 22 && lines.last == "  and 30 more")
      #expect(lines.dropFirst().dropLast().map { $0.split(separator: " ")[1] } == (1...20).map { "198.51.100.\($0):40000" })
      #expect(try world.expect(0, "tight.yaml", "--apply", "--sessions", "revoke").stderr == "50 open connections were cut\n")
      #expect(try world.passing(flows) == [])
    }
  }

  @Test("what is cut isn't brought back with the policy") func undone() throws {
    try SessionsTests.world { world in
      try world.expect(0, "open.yaml", "--apply")
      let midst = "tcp 198.51.100.1 10.0.0.1 40000 22 ack"
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 22").count == 1)
      let done = try world.expect(0, "tight.yaml", "--apply", "--confirm", "1000", "--sessions", "revoke")
      #expect(done.stderr.hasPrefix("1 open connection was cut\napplied, and undone in 1000 seconds"), "\(done.stderr)")
      #expect(try world.passing(midst) == [])
      try world.expect(0, "rollback")
      let listed = try JSON(world.expect(0, "tight.yaml", "--apply", "--dry-run", "--output-format", "json").stdoutBytes)
      guard case .number(0) = listed["sessions"]?["denied"] else {
        Issue.record("\(listed)")
        return
      }
    }
  }

  @Test("the first apply warns where no connection is known yet") func first() throws {
    let warning = """

      connection tracking holds no connections: one that is open now will be judged by its next packet,
      in whichever direction it goes, like the first of a new connection

      """
    try SessionsTests.world { world in
      #expect(try world.expect(0, "tight.yaml", "--apply", "--dry-run").stdout.hasSuffix(warning))
      // what only observes denies nothing
      #expect(try !world.expect(0, "tight.yaml", "--apply", "--dry-run", "--observe").stdout.contains("connection tracking"))
      try world.probe.load(Array("table ip t { chain c { type filter hook forward priority 0; ct state new accept; }; }".utf8))
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 22").count == 1)
      let done = try world.expect(0, "tight.yaml", "--apply")
      #expect(
        done.stdout.hasSuffix(
          """
          the table is made in one transaction

          1 open connection is denied by the new policy, and goes on: --sessions revoke cuts it
            tcp 198.51.100.1:40000 -> 10.0.0.1:22  no rule matches, and basic groups deny ingress by default

          """), "\(done.stdout)")
      let observed = try world.expect(0, "tight.yaml", "--apply", "--observe", "--sessions", "revoke")
      #expect(!observed.stdout.contains("open connection") && observed.stderr == "")
      let json = try JSON(world.expect(0, "tight.yaml", "--apply", "--observe", "--output-format", "json").stdoutBytes)
      guard case .null = json["sessions"] else {
        Issue.record("\(json)")
        return
      }
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 22 ack").count == 1)
    }
  }

  @Test("wrong use") func usage() throws {
    for arguments in [
      ["open.yaml", "--sessions", "keep"], ["open.yaml", "--check", "--sessions", "revoke"],
      ["open.yaml", "--apply", "--sessions", "drop"], ["open.yaml", "--apply", "--sessions"],
    ] {
      expectStatus(try Cordon.run(arguments, stdin: []), 64, "\(arguments)")
    }
  }

  // MARK: - A library that fails

  /// Builds a library that stands before libnetfilter_conntrack.
  private static func library(_ code: String, _ folder: String) throws -> String {
    let done = try Shell.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", "\(folder)/stub.so"], stdin: code)
    expectStatus(done, 0, "cc")
    return "\(folder)/stub.so"
  }

  @Test("where connections can't be listed, keep says so and revoke is refused", .enabled(if: StatePackageTests.has("cc")))
  func unlisted() throws {
    try SessionsTests.world { world in
      let broken = try SessionsTests.library(
        "#include <errno.h>\nint nfct_query(void *h, int q, void *d) { errno = EOPNOTSUPP; return -1; }\n", world.folder)
      let refused = try world.expect(3, "open.yaml", "--apply", "--sessions", "revoke", preloading: broken)
      #expect(refused.stdout == "")
      #expect(
        refused.stderr == """
          error: cannot list the connections that are open: Operation not supported
          help: without --sessions revoke the policy can be applied, and what is open goes on

          """)
      try world.expect(3, "open.yaml", "--apply", "--dry-run", "--sessions", "revoke", preloading: broken)
      #expect(try world.probe.inside { try nft("list", "tables") }.contains("inet cordon\n") == false)
      // of nothing there is nothing to say
      let none = try world.expect(0, "open.yaml", "--apply", preloading: broken)
      #expect(none.stdout.hasSuffix("whichever direction it goes, like the first of a new connection\n"))
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 80").count == 1)
      let kept = try world.expect(0, "tight.yaml", "--apply", preloading: broken)
      #expect(
        kept.stdout.hasSuffix(
          "\nopen connections that the new policy denies can't be listed, and go on: Operation not supported\n"))
      try world.expect(0, "status")
      let json = try JSON(world.expect(0, "open.yaml", "--apply", "--output-format", "json", preloading: broken).stdoutBytes)
      #expect(
        json["sessions"]?["problem"]?.text == "cannot list the connections that are open: Operation not supported")
      #expect(json["sessions"]?["denied"] == nil)
    }
  }

  @Test("what begins between the plan and the change is cut, too", .enabled(if: StatePackageTests.has("cc")))
  func meanwhile() throws {
    try SessionsTests.world { world in
      try world.expect(0, "open.yaml", "--apply")
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 22\ntcp 198.51.100.1 10.0.0.1 80").count == 2)
      // the first listing sees nothing
      let late = try SessionsTests.library(
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        int nfct_query(void *h, int q, void *d) {
          static int count;
          if (count++ == 0) return 0;
          return ((int (*)(void *, int, void *))dlsym(RTLD_NEXT, "nfct_query"))(h, q, d);
        }

        """, world.folder)
      let done = try world.expect(0, "tight.yaml", "--apply", "--sessions", "revoke", preloading: late)
      #expect(!done.stdout.contains("open connection"))
      #expect(done.stderr == "1 open connection was cut\n")
    }
  }

  @Test("a cut that fails says that the policy is in force", .enabled(if: StatePackageTests.has("cc"))) func failed() throws {
    try SessionsTests.world { world in
      try world.expect(0, "open.yaml", "--apply")
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 22").count == 1)
      let second = try SessionsTests.library(
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        int nfct_query(void *h, int q, void *d) {
          static int count;
          if (count++ == 1) { errno = ENOMEM; return -1; }
          return ((int (*)(void *, int, void *))dlsym(RTLD_NEXT, "nfct_query"))(h, q, d);
        }

        """, world.folder)
      let done = try world.expect(3, "tight.yaml", "--apply", "--sessions", "revoke", preloading: second)
      #expect(
        done.stderr == """
          error: the policy is in force, but no connection was cut: cannot list the connections that are open: \
          Cannot allocate memory

          """)
      try world.expect(0, "status")
      try world.expect(0, "diff", "tight.yaml")

      // the kernel gives one up and not the other; a deletion is nfnetlink's message 0x102
      #expect(try world.passing("tcp 198.51.100.1 10.0.0.1 80\nudp 198.51.100.1 10.0.0.1 53").count == 1)
      let stubborn = try SessionsTests.library(
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <sys/socket.h>
        ssize_t send(int s, const void *b, size_t n, int f) {
          static int count;
          if (n > 16 && ((const unsigned short *)b)[2] == 0x102 && count++ == 0) { errno = EBUSY; return -1; }
          return ((ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send"))(s, b, n, f);
        }

        """, world.folder)
      try Files.write(Array(SessionsTests.policy("dns").utf8), to: "\(world.folder)/dns.yaml")
      let part = try world.expect(3, "dns.yaml", "--apply", "--sessions", "revoke", preloading: stubborn)
      #expect(part.stdout.contains("2 open connections are denied by the new policy, and are to be cut\n"))
      #expect(
        part.stderr
          == "error: the policy is in force and 1 open connection was cut, but 1 more could not be: Device or resource busy\n")
      #expect(try world.expect(0, "dns.yaml", "--apply", "--sessions", "revoke").stderr == "1 open connection was cut\n")
    }
  }
}
