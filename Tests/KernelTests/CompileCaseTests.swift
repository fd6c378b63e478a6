import NftablesKernel
import PolicyCompiler
import TestSupport
import Testing

@testable import Nftables

/// The policies of fixtures/compile in a kernel: what they do with packets, and what it lists of them.
@Suite(.requireNamespaces) struct CompileCaseTests {
  @Test(arguments: CompileCase.all) func judgesFlowsAsTheCaseSays(_ item: CompileCase) throws {
    let expected = try item.flows()
    #expect(expected.count >= 3)
    let verdicts = try PacketProbe.verdicts(
      of: expected.map(\.flow), under: item.compiled().text, addresses: item.addresses)
    for (verdict, (wanted, flow)) in zip(verdicts, expected) { #expect(verdict == wanted, "\(flow)") }
  }

  /// What `--cost` counts is what nft makes of each rule.
  @Test(arguments: CompileCase.all) func costsAreCountedInNftsExpressions(_ item: CompileCase) throws {
    let compiled = try item.compiled()
    let translator = RuleTranslator(compiled.ruleset)
    let theirs = try NetlinkListing.words(compiled.text)
    for chain in compiled.ruleset.chains {
      let ours = chain.rules.map { translator.instructions($0).map(\.word) }
      #expect(ours == theirs[chain.name] ?? [], "\(chain.name)")
    }
  }

  /// Loaded as text, twice, and as JSON, twice: what the kernel lists is what was meant.
  @Test(arguments: CompileCase.all) func isListedAsItWasMeant(_ item: CompileCase) throws {
    let compiled = try item.compiled()
    let ruleset = compiled.compilation.ruleset
    try inPrivateNamespace {
      var kernel = try Kernel()
      for _ in 1...2 {
        try kernel.apply(compiled.text)
        let listed = try JSONReader.read(try #require(try kernel.list(table: "cordon")), table: "cordon")
        let difference = RulesetDifference.compare(live: listed, planned: ruleset)
        #expect(difference.isEmpty, "\(difference.text())")
      }
      #expect(try kernel.ownership(of: "cordon") == .ours)
    }
    try Files.withTemporaryFolder { folder in
      try Files.write(JSONWriter.write(ruleset), to: "\(folder)/ruleset.json")
      try inPrivateNamespace {
        for _ in 1...2 {
          let loaded = try Shell.run(["nft", "-j", "-f", "\(folder)/ruleset.json"])
          #expect(loaded.status == 0, "\(loaded.stderr)")
        }
        var kernel = try Kernel()
        let listed = try JSONReader.read(try #require(try kernel.list(table: "cordon")), table: "cordon")
        let difference = RulesetDifference.compare(live: listed, planned: ruleset)
        #expect(difference.isEmpty, "\(difference.text())")
      }
    }
  }
}
