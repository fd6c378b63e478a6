import Nftables
import PolicyCompiler
import TestSupport
import Testing

/// What comes out for the policies of fixtures/compile, as a user reads it.
@Suite struct GoldenTests {
  @Test func thereAreCases() { #expect(CompileCase.all.count >= 30) }

  @Test(arguments: CompileCase.all) func comesOutAsBefore(_ item: CompileCase) throws {
    let compiled = try item.compiled()
    expectGolden(String(decoding: compiled.text, as: UTF8.self), at: "compile/\(item.name)/expected.nft")
    #expect(RulesetValidator.validate(compiled.compilation.ruleset).isEmpty)
    #expect(try compiled.compilation.verify() == nil)
  }

  @Test(arguments: CompileCase.all) func comesOutAlikeEachTime(_ item: CompileCase) throws {
    #expect(try item.compiled().text == item.compiled().text)
  }
}
