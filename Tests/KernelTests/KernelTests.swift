import Glibc
import Nftables
import TestSupport
import Testing

@testable import NftablesKernel

/// Calls `body` with a kernel of its own, in a namespace of its own.
private func withKernel<T>(_ body: (inout Kernel) throws -> T) throws -> T {
  try PrivateNamespace().run {
    var kernel = try Kernel()
    return try body(&kernel)
  }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A ruleset written on one line: nft wants the brackets of its blocks at the ends of lines.
private func nft(_ text: String) -> [UInt8] {
  bytes(text.map { $0 == "{" ? "{\n" : $0 == "}" ? "\n}\n" : String($0) }.joined())
}

/// What `nft list ruleset` says in the namespace of the calling thread.
private func everything() throws -> String { try Shell.run(["nft", "list", "ruleset"]).stdout }

private let ours = """
  table inet cordon
  delete table inet cordon
  table inet cordon {
    set web { type ipv4_addr; elements = { 10.0.0.1 } }
    chain cordon-owned {
    }
    chain forward {
      type filter hook forward priority filter; policy accept
      ip daddr @web tcp dport 443 accept
    }
  }

  """

@Suite("NftablesKernel", .requireNamespaces, .requireNft) struct KernelTests {
  @Test("a check changes nothing, neither for a good ruleset nor for a bad one")
  func check() throws {
    try withKernel { kernel in
      try kernel.check(bytes(ours))
      #expect(throws: KernelError.self) { try kernel.check(nft("table inet cordon { chain a { jump nowhere } }\n")) }
      #expect(try everything() == "")
    }
  }

  @Test("applied twice a ruleset is there once, and lists as JSON")
  func apply() throws {
    try withKernel { kernel in
      #expect(try kernel.list(table: "cordon") == nil)
      try kernel.apply(bytes(ours))
      let first = try everything()
      try kernel.apply(bytes(ours))
      #expect(try everything() == first)
      let json = String(decoding: try #require(try kernel.list(table: "cordon")), as: UTF8.self)
      #expect(json.hasPrefix(#"{"nftables": [{"metainfo""#))
      #expect(json.contains(#""elem": ["10.0.0.1"]"#) && json.contains(#""name": "cordon-owned""#))
    }
  }

  @Test("a refused ruleset leaves all as it was, says why, and the kernel answers on")
  func refusal() throws {
    try withKernel { kernel in
      try kernel.apply(bytes(ours))
      let before = try everything()
      let texts = [
        (
          nft("table inet cordon { chain b { tcp dport 1 accept } chain c { jump nowhere } }"),
          "line 6:7-13: Error: No such file"
        ),
        (nft("table inet cordon { chain b { tcp dport 70000 accept } }"), "Service out of range"),
        (bytes("table inet cordon {"), "unexpected end of file"),
        (bytes("table inet a\nnonsense\n"), "line 2:9-9: Error: syntax error"),
        (bytes("\u{1F9F1}\n"), "syntax error"),
        ([0xFF, 0xFE, 0x0A], "syntax error"),
        (bytes("table inet a\n\0table inet b\n"), "NUL"),
      ]
      for (text, word) in texts {
        let error = #expect(throws: KernelError.self) { try kernel.apply(text) }
        #expect(error?.words.contains(word) == true, "\(error.debugDescription)")
        #expect(error?.description.hasPrefix("cannot load the ruleset: ") == true)
        #expect(try everything() == before)
        #expect(try kernel.list(table: "cordon") != nil)
      }
      try kernel.apply(bytes(ours))
    }
  }

  @Test("the words of libnftables are cut where it quotes long lines")
  func longWords() throws {
    try withKernel { kernel in
      let elements = (0..<20_000).map { "10.\($0 / 256).\($0 % 256).1" }.joined(separator: ", ")
      let error = #expect(throws: KernelError.self) {
        try kernel.apply(
          nft("table inet cordon { set a { type ipv4_addr; elements = { \(elements), nonsense.invalid } } }\n"))
      }
      #expect(error.map { $0.words.utf8.count < 10_000 } == true)
    }
  }

  @Test(
    "whose a table is",
    arguments: [
      ("", Kernel.Ownership.absent),
      ("table inet other { chain cordon-owned {} }", .absent),
      ("table ip cordon { chain cordon-owned {} }", .absent),
      ("table inet cordon", .empty),
      ("table inet cordon { flags dormant; }", .empty),
      (ours, .ours),
      ("table inet cordon { flags dormant; chain cordon-owned {} }", .ours),
      ("table inet cordon { chain cordon {} }", .foreign),
      ("table inet cordon { set cordon-owned { type ipv4_addr; } }", .foreign),
      ("table inet cordon { limit l { rate 1/second; } }", .foreign),
    ])
  func ownership(text: String, expected: Kernel.Ownership) throws {
    try withKernel { kernel in
      try kernel.apply(nft(text))
      #expect(try kernel.ownership(of: "cordon") == expected)
      let before = try everything()
      if expected == .foreign {
        let error = #expect(throws: KernelError.self) { try kernel.claim(table: "cordon") }
        #expect(error?.help?.contains("--adopt") == true)
      } else {
        try kernel.claim(table: "cordon")
      }
      try kernel.claim(table: "cordon", adopting: true)
      #expect(try everything() == before)
    }
  }

  @Test("a table's text loads again, also where it stands, and generations tell of any change")
  func textAndGeneration() throws {
    try withKernel { kernel in
      #expect(try kernel.text(of: "cordon") == nil)
      let first = try kernel.generation()
      #expect(try kernel.generation() == first)
      try kernel.apply(bytes(ours))
      let second = try kernel.generation()
      #expect(second != first)
      let listed = try everything()
      let text = try #require(try kernel.text(of: "cordon"))
      for _ in 0..<2 {
        try kernel.apply(text)
        #expect(try everything() == listed)
      }
      #expect(try kernel.generation() != second)
      #expect(throws: KernelError.self) { try kernel.text(of: "a b") }
    }
  }

  @Test("a dormant table tells, and libnftables isn't asked for its JSON")
  func dormant() throws {
    try withKernel { kernel in
      #expect(try kernel.flags(of: "cordon") == nil)
      try kernel.apply(bytes(ours))
      #expect(try kernel.flags(of: "cordon") == 0)
      try kernel.apply(bytes("add table inet cordon { flags dormant; }"))
      #expect(try kernel.flags(of: "cordon") == 1)
      let listing = try JSONReader.read(try #require(try kernel.list(table: "cordon")), table: "cordon")
      #expect(listing.hasTableFlags && listing.isCutOff)
    }
  }

  @Test("other tables are neither read nor touched")
  func others() throws {
    try withKernel { kernel in
      let other = "table inet other { set s { type ipv4_addr; elements = { 192.0.2.77 } }\n chain c { ip saddr @s drop; } }\n"
      try kernel.apply(nft(other + "table ip cordon { chain c {} }\n"))
      let before = try everything()
      try kernel.apply(bytes(ours))
      let json = String(decoding: try #require(try kernel.list(table: "cordon")), as: UTF8.self)
      #expect(!json.contains("192.0.2.77") && !json.contains("other"))
      try kernel.delete(table: "cordon")
      #expect(try everything() == before)
      try kernel.delete(table: "cordon")
      #expect(try everything() == before)
    }
  }

  @Test(
    "what isn't a table's name is not made a command", arguments: ["", "a; flush ruleset", "a\nflush ruleset", "table", "a b"])
  func names(_ name: String) throws {
    try withKernel { kernel in
      try kernel.apply(bytes(ours))
      let before = try everything()
      #expect(throws: KernelError.self) { try kernel.list(table: name) }
      #expect(throws: KernelError.self) { try kernel.delete(table: name) }
      #expect(throws: KernelError.self) { try kernel.ownership(of: name) }
      #expect(try everything() == before)
    }
  }

  @Test("a ruleset is listed from a private namespace, and nothing of it stays")
  func privateNamespace() throws {
    // the initial namespace is only looked at
    func tables() throws -> String { try Shell.run(["nft", "list", "tables"]).stdout }
    let before = try tables()
    let name = "cordon-test-\(getpid())"
    let text = nft("table inet \(name) { chain c { tcp dport 22 accept; } }\n")
    let json = try PrivateNamespace.list(text: text, table: name)
    #expect(json.map { String(decoding: $0, as: UTF8.self).contains(#""right": 22"#) } == true)
    #expect(try PrivateNamespace.list(text: text, table: "absent") == nil)
    #expect(throws: KernelError.self) { try PrivateNamespace.list(text: bytes("nonsense"), table: name) }
    #expect(try tables() == before)
    #expect(!before.contains(name))
  }

  @Test("the thread that called stays where it was, and each private namespace is another")
  func threads() throws {
    func here() throws -> String { try Shell.run(["readlink", "/proc/self/ns/net"]).stdout }
    let initial = try here()
    let one = try PrivateNamespace()
    let two = try PrivateNamespace()
    let inside = try one.run { try here() }
    let nested = try one.run { try two.run { try here() } + here() }
    let other = try two.run { try here() }
    #expect(nested == other + inside)
    #expect(Set([initial, inside, other]).count == 3)
    #expect(try here() == initial)
    #expect(throws: CancellationError.self) { try one.run { throw CancellationError() } }
    #expect(try here() == initial)
  }

  @Test("the generation counts one by one, whatever number it is")
  func generations() throws {
    try withKernel { kernel in
      let first = try kernel.generation()
      for number in 1...300 {
        try kernel.apply(nft("table inet cordon { chain c\(number % 2) { } }\n"))
        #expect(try kernel.generation() == first + UInt32(number))
      }
    }
  }

  @Test("many kernels at once answer each for its own namespace")
  func concurrency() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<16 {
        group.addTask {
          try withKernel { kernel in
            for _ in 0..<5 {
              try kernel.apply(nft("table inet cordon { chain c\(number) { meta l4proto gre accept; } }\n"))
              let json = String(decoding: try #require(try kernel.list(table: "cordon")), as: UTF8.self)
              #expect(json.contains("c\(number)") && json.contains("47"))
              try kernel.delete(table: "cordon")
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test(
    "words that puzzle come with help",
    arguments: [
      ("netlink: Error: Could not process rule: Message too long", "net.core.wmem_max"),
      ("netlink: Error: cache initialization failed: Operation not permitted", "root"),
      ("netlink: Error: cache initialization failed: No buffer space available", "net.core.rmem_max"),
      ("netlink: Error: cache initialization failed: Protocol not supported", "modprobe nf_tables"),
      ("line 1:1-1: Error: syntax error", nil),
    ] as [(String, String?)])
  func help(words: String, expected: String?) {
    let error = KernelError("load the ruleset", libnftables: bytes(words + "\n"))
    #expect(error.words == words)
    #expect(error.help?.contains(expected ?? "") == (expected.map { _ in true }))
  }

  @Test("a kernel without nf_tables answers that the question is invalid")
  func withoutNftables() {
    let error = KernelError("ask", answer: EINVAL)
    #expect("\(error)".hasPrefix("cannot ask: the kernel has no nf_tables\nhelp: load the module"))
    #expect(KernelError("ask", answer: EPERM) == KernelError("ask", errno: EPERM))
  }
}
