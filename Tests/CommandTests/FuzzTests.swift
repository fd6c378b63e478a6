import TestSupport
import Testing

/// Policies in order, and then not quite: the command ends with a status of its contract, and says something where it is not 0.
struct FuzzTests {
  private static let seeds: [[UInt8]] =
    CaseTests.cases.compactMap { Fixtures.bytes("cli/\($0)/policy.yaml") }
    + Fixtures.names(in: "compile").compactMap { Fixtures.bytes("compile/\($0)/policy.yaml") }

  private static let words = [
    "any", "all", "web", "tcp", "tcp/22", "icmp", "icmpv6", "10.0.0.0/8", "\"::/0\"", "10.0.0.1-10.0.0.9", "[", "]", "{", "}",
    ": ",
    ", ", "- ", "\n", "\n  ", "#", "'", "\"", "allow", "deny", "from", "to", "priority", "groups", "external: true",
    "intra-group",
    "advanced", "exempt-from", "65536", "0", "-", "*", "&a", "!!x", "|", "\u{0}", "é", "protocol/255", "source-ports",
    "network",
  ]

  @Test func mutatedPolicies() throws {
    var generator = SeededGenerator(seed: 2024)
    let commands: [[String]] = [
      ["compile", "-"], ["compile", "-", "--format", "json"], ["compile", "-", "--no-test", "--observe"],
      ["compile", "-", "--host", "web-1"],
      ["test", "-"], ["lint", "-"], ["format", "-"], ["effective", "web", "-"],
      ["explain", "-", "--from", "any", "--to", "any"],
      ["explain", "-", "--from", "web", "--to", "10.0.0.0/8", "--service", "tcp/22", "--output-format", "json"],
      ["diff", "-", "--against", "-"],
    ]
    var accepted = 0
    for round in 0..<150 {
      var bytes = FuzzTests.seeds.randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 0...3, using: &generator) { mutate(&bytes, &generator) }
      let command = commands.randomElement(using: &generator)!
      let done = try Cordon.run(command, stdin: bytes)
      #expect(
        done.status == 0 || done.status == 1 || command[0] == "diff" && done.status == 2,
        "round \(round) of \(generator): \(command) ended with \(done.status)\n\(done.stderr)\n\(String(decoding: bytes, as: UTF8.self))"
      )
      if done.status == 1 { #expect(!(done.stderr + done.stdout).isEmpty) }
      if done.status == 0 { accepted += 1 }
    }
    #expect(accepted > 20, "mutations that leave most policies in order are what finds something: \(accepted)")
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    let at = Int.random(in: 0...bytes.count, using: &generator)
    let end = min(bytes.count, at + Int.random(in: 0...12, using: &generator))
    switch Int.random(in: 0...6, using: &generator) {
    case 0: bytes.removeSubrange(at..<end)
    case 1: bytes.insert(contentsOf: FuzzTests.words.randomElement(using: &generator)!.utf8, at: at)
    case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
    case 3: if at < bytes.count { bytes[at] = UInt8.random(in: 0...255, using: &generator) }
    case 4:
      // a line twice, or one less
      var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
      let line = Int.random(in: 0..<lines.count, using: &generator)
      if Bool.random(using: &generator) { lines.remove(at: line) } else { lines.insert(lines[line], at: line) }
      bytes = Array(lines.joined(separator: [0x0A]))
    case 5:
      // a digit becomes another
      if let place = bytes[at...].firstIndex(where: { (0x30...0x39).contains($0) }) {
        bytes[place] = UInt8.random(in: 0x30...0x39, using: &generator)
      }
    default: bytes.replaceSubrange(at..<end, with: FuzzTests.words.randomElement(using: &generator)!.utf8)
    }
  }
}
