import Glibc
import Nftables
import NftablesKernel
import PacketSpace
import PolicyCompiler
import TestSupport
import Testing

/// Reading back what was touched, without a listing of the table.
@Suite(.requireNamespaces) struct ReadBackTests {
  /// What the tables of all cases are made of is recognized, and listed by libnftables it is the same.
  @Test(arguments: CompileCase.all) func whatWasLoadedIsThere(_ item: CompileCase) throws {
    let planned = try item.compiled().ruleset
    try inPrivateNamespace {
      var kernel = try Kernel()
      let plan = ChangePlan(live: nil, planned: planned)
      try kernel.apply(plan)
      // a named limit is for a listing to tell
      let touched = plan.touched.filter { if case .limit = $0 { false } else { true } }
      #expect(try kernel.holds(touched, of: planned))
    }
  }

  /// One rule, element or object more, fewer or otherwise is seen.
  @Test(arguments: [
    "add rule inet cordon forward accept",
    "insert rule inet cordon ingress/db ip saddr 10.9.9.9 accept",
    "flush chain inet cordon ingress/db",
    "flush chain inet cordon egress/web",
    "add element inet cordon group-ipv4/web { 10.0.9.9 }",
    "delete element inet cordon group-ipv4/web { 10.0.0.1 }",
    "add element inet cordon list-ipv4/office { 9.9.9.0/24 }",
    "delete element inet cordon list-ipv4/office { 203.0.113.0/24 }",
    "add element inet cordon ingress-ipv4 { 10.0.9.9 : accept }",
    "delete element inet cordon ingress-ipv4 { 10.0.0.1 }; add element inet cordon ingress-ipv4 { 10.0.0.1 : jump ingress/db }",
    "add element inet cordon ingress-ipv4-prefixes { 10.0.11.0/24 : drop }",
    "add chain inet cordon forward { policy drop; }",
    "add chain inet cordon more",
    "add chain inet cordon more { type filter hook input priority 0; }",
    "add set inet cordon more { type ipv4_addr; }",
    "add map inet cordon more { type ipv4_addr : verdict; }",
    "add table inet cordon { flags dormant; }",
    "delete table inet cordon",
  ]) func whatSomebodyChangedIsSeen(_ change: String) throws {
    let planned = try CompiledPolicy(
      """
      prefix-lists:
        office: [203.0.113.0/24, 198.51.100.0/25, 192.0.2.7-192.0.2.9, 255.255.255.0/24, "2001:db8::/32"]
      groups:
        web: { ingress: [{ allow: [http, https], from: any }, { allow: ssh, from: office }] }
        db: { type: advanced, ingress: [{ allow: mysql, from: web }, { allow: [tcp/1-5, tcp/9-11, udp/7], from: office, source-ports: [1, 4-6] }] }
      instances:
        web-1: { addresses: [10.0.0.1, "fd00::1"], groups: web }
        web-2: { addresses: 10.0.0.2, groups: web }
        db-1: { addresses: [10.0.1.1, 10.0.2.0/24, "fd00::2"], groups: db, interface: tap0 }

      """
    ).ruleset
    try inPrivateNamespace {
      var kernel = try Kernel()
      let plan = ChangePlan(live: nil, planned: planned)
      try kernel.apply(plan)
      #expect(try kernel.holds(plan.touched, of: planned))
      let done = try Shell.run(["nft", change])
      #expect(done.status == 0, "\(done.stderr)")
      #expect(try !kernel.holds(plan.touched, of: planned))
    }
  }

  /// Of what was edited element by element nothing else is read but how many elements there are.
  @Test(arguments: [
    ("add element inet cordon group-ipv4/web { 10.0.9.9 }", false),
    ("delete element inet cordon group-ipv4/web { 10.0.0.3 }", false),
    ("delete element inet cordon group-ipv4/web { 10.0.0.1 }", false),
    ("delete element inet cordon group-ipv4/web { 10.0.0.3 }; add element inet cordon group-ipv4/web { 10.0.0.2 }", false),
    ("delete element inet cordon ingress-ipv4 { 10.0.0.3 }; add element inet cordon ingress-ipv4 { 10.0.0.3 : accept }", false),
    ("delete element inet cordon egress-ipv4 { 10.0.0.3 }; add element inet cordon egress-ipv4 { 10.0.0.2 : drop }", false),
    // what wasn't edited is as it was, since nobody else made a generation
    ("add set inet cordon more { type ipv4_addr; }", true),
    (
      "delete element inet cordon group-ipv4/web { 10.0.0.1 }; add element inet cordon group-ipv4/web { 10.0.9.9 }",
      countsElements
    ),
  ]) func whatWasEditedIsThere(_ change: String, _ isUnseen: Bool) throws {
    try ReadBackTests.expectSeen(["10.0.0.1": "web"], ["10.0.0.1": "web", "10.0.0.3": "web"], change, isUnseen)
  }

  /// The same of what was taken away, and of what leads elsewhere now.
  @Test(arguments: [
    "add element inet cordon egress-ipv4 { 10.0.0.3 : jump egress/web }; delete element inet cordon egress-ipv4 { 10.0.0.20 }",
    "add element inet cordon group-ipv4/web { 10.0.0.3 }; delete element inet cordon group-ipv4/web { 10.0.0.20 }",
  ]) func whatWasTakenAwayIsGone(_ change: String) throws {
    try ReadBackTests.expectSeen(["10.0.0.1": "web", "10.0.0.3": "web"], ["10.0.0.1": "web"], change, false)
  }

  @Test func whatLeadsElsewhereDoes() throws {
    try ReadBackTests.expectSeen(
      ["10.0.0.1": "web", "10.0.0.3": "mail"], ["10.0.0.1": "web", "10.0.0.3": "post"],
      "delete element inet cordon ingress-ipv4 { 10.0.0.3 }; add element inet cordon ingress-ipv4 { 10.0.0.3 : jump ingress/mail }",
      false)
  }

  /// Whether the kernel tells how many elements a set has: since 6.16.
  private static let countsElements: Bool = {
    var name = utsname()
    uname(&name)
    let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let numbers = release.split(separator: ".").prefix(2).compactMap { Int($0) }
    return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 16)
  }()

  /// Goes from some addresses' groups to others, which is nothing but edits of elements, and changes something by hand then.
  private static func expectSeen(
    _ before: [String: String], _ after: [String: String], _ change: String, _ isUnseen: Bool
  ) throws {
    func policy(_ groups: [String: String]) throws -> Ruleset {
      let others = Dictionary(uniqueKeysWithValues: (20...30).map { ("10.0.0.\($0)", "web") })
      let instances = groups.merging(others) { a, _ in a }.sorted { $0.key < $1.key }.map { address, group in
        "  i\(address.split(separator: ".")[3]): { addresses: \(address), groups: \(group) }\n"
      }.joined()
      return try CompiledPolicy(
        """
        groups:
          web: { ingress: [{ allow: http, from: any }] }
          mail: { type: advanced, ingress: [{ allow: smtp, from: any }] }
          post: { type: advanced, ingress: [{ allow: imap, from: any }] }
          db: { type: advanced, ingress: [{ allow: mysql, from: web }] }
        instances:
          db-1: { addresses: 10.0.1.1, groups: db }
          mail-1: { addresses: 10.0.1.2, groups: mail }
          post-1: { addresses: 10.0.1.3, groups: post }
        \(instances)
        """
      ).ruleset
    }
    try inPrivateNamespace {
      var kernel = try Kernel()
      let (live, planned) = (try policy(before), try policy(after))
      try kernel.apply(ChangePlan(live: nil, planned: live))
      let plan = ChangePlan(live: live, planned: planned)
      #expect(Set(plan.elementEdits.map { ObjectName.set($0.set) }) == plan.touched && !plan.touched.isEmpty, "\(plan.touched)")
      try kernel.apply(plan)
      #expect(try kernel.holds(plan.touched, of: planned, after: plan.elementEdits))
      let done = try Shell.run(["nft", change])
      #expect(done.status == 0, "\(done.stderr)")
      #expect(try kernel.holds(plan.touched, of: planned, after: plan.elementEdits) == isUnseen)
      #expect(try !kernel.holds(plan.touched, of: planned))
    }
  }

  /// A table that was written before is the same again, read beside the one that is planned now; and of its text only what differs
  /// is read.
  @Test(arguments: 0..<4) func whatWasWrittenIsReadBesideThePlanned(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 54_000 + number)
    var changes = try PolicyChanges(using: &generator, host: number == 3)
    for step in 0..<25 {
      let before = changes.compiled
      try changes.change(using: &generator)
      let after = changes.compiled
      let texts = [before, after].map { $0.compilation.text() }
      let objects = try #require(TextObjects(texts[0]))
      var isRead = false
      let found: Ruleset? = try objects.ruleset(beside: after.ruleset, text: texts[1]) { excerpt -> Ruleset? in
        isRead = true
        #expect(excerpt.count < texts[0].count)
        let json = try #require(try PrivateNamespace.list(text: excerpt, table: "cordon"), "\(generator) step \(step)")
        return try JSONReader.read(json, table: "cordon")
      }
      #expect(found != nil)
      let difference = RulesetDifference.compare(live: found, planned: before.ruleset)
      #expect(difference.isEmpty, "\(generator) step \(step)\n\(difference.text())")
      if texts[0] == texts[1] { #expect(!isRead) }
    }
  }

  /// What isn't such a text is none.
  @Test func otherTextsAreRefused() throws {
    let text = String(
      decoding: try CompiledPolicy("groups: { a: { members: [10.0.0.1, 10.0.0.2] } }").compilation.text(), as: UTF8.self)
    #expect(TextObjects(Array(text.utf8)) != nil)
    for (old, new) in [
      ("  chain", "\tchain"), ("    ct", "  ct"), ("}\n", ""), ("chain forward {", "chain forward { }"),
      ("  map", "  flowtable"),
    ] {
      #expect(text.contains(old))
      let isText = TextObjects(Array(text.replacing(old, with: new).utf8)) != nil
      #expect(!isText, "\(old)")
    }
    for length in 0..<text.utf8.count - 1 {
      let isText = TextObjects(Array(text.utf8.prefix(length))) != nil
      #expect(!isText, "\(length)")
    }
  }

  /// After each of many changes in phases, what they touched is as planned, and before them it wasn't.
  @Test(arguments: 0..<3) func changesAreThere(_ number: UInt64) throws {
    var generator = SeededGenerator(seed: 53_000 + number)
    var changes = try PolicyChanges(using: &generator)
    try inPrivateNamespace {
      var kernel = try Kernel()
      var live = changes.compiled.ruleset
      try kernel.apply(ChangePlan(live: nil, planned: live))
      for step in 0..<15 {
        try changes.change(using: &generator)
        let planned = changes.compiled.ruleset
        let plan = ChangePlan(live: live, planned: planned)
        let touched = plan.touched.filter { if case .limit = $0 { false } else { true } }
        let before = try kernel.holds(touched, of: planned)
        #expect(before == plan.transactions.isEmpty, "\(generator) step \(step)")
        try kernel.apply(plan)
        #expect(try kernel.holds(touched, of: planned), "\(generator) step \(step) \(plan.summary)")
        live = planned
      }
    }
  }
}
