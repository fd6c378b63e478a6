import TestSupport
import Testing

@Suite("test support") struct TestSupportTests {
  @Test("a command gets its input, directory and environment, and all that it writes comes back")
  func command() throws {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 3 << 20)
    let echo = try Shell.run(["sh", "-c", "cat; cat /proc/self/cmdline >&2; exit 3"], stdin: long)
    #expect(echo.status == 3)
    #expect(echo.stdoutBytes == long)
    #expect(echo.stderr.hasPrefix("cat\0"))
    let place = try Shell.run(["sh", "-c", "pwd; echo $CORDON_WORD"], environment: ["CORDON_WORD": "a b"], directory: "/proc")
    #expect(place.stdout == "/proc\na b\n")
    #expect(try Shell.run(["sh", "-c", "kill -9 $$"]).status == 137)
  }

  @Test("a command that isn't there and one that doesn't end are failures")
  func commandFailures() throws {
    #expect(throws: Shell.Failure.self) { try Shell.run(["/no/such/command"]) }
    #expect(throws: Shell.Failure.self) { try Shell.run(["sh", "-c", "sleep 60; true"], timeout: .milliseconds(50)) }
  }

  @Test("SplitMix64 gives the reference's numbers")
  func generator() {
    var generator = SeededGenerator(seed: 1_234_567)
    guard generator.seed == 1_234_567 else { return }  // CORDON_SEED is set
    let expected: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
    ]
    #expect(expected.map { _ in generator.next() } == expected)
    #expect("\(generator)" == "CORDON_SEED=1234567")
  }

  @Test("a golden that isn't there, or differs, is an issue that shows the lines")
  func golden() throws {
    if !isRewritingGoldens { withKnownIssue { expectGolden("a\n", at: "no/such/golden") } }
    let old = "a\nb\nc\nd\ne\nf\ng\n"
    #expect(lineDifference(from: old, to: old) == "")
    #expect(lineDifference(from: old, to: "a\nb\nc\nd\nE\nf\ng\n") == "  …\n  c\n  d\n- e\n+ E\n  f\n  g")
    #expect(lineDifference(from: "a", to: "a\n") == "  a\n+ ")
    #expect(Files.read(Fixtures.repository + "/Package.swift") != nil)
  }

  @Test("root is here", .requireRoot, .requireNft, .requireNamespaces) func required() {
    #expect(Requirement.networkNamespaces.isMet)
  }
}
