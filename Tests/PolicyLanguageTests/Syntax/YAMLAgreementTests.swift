import Diagnostics
import PolicyLanguage
import TestSupport
import Testing

/// Whatever the language accepts, a YAML parser reads as the same tree.
@Suite struct YAMLAgreementTests {
  @Test func agreesOnWhateverIsAccepted() {
    var generator = SeededGenerator(seed: 1)
    for round in 0..<20_000 {
      let text =
        round % 4 == 0 ? GeneratedDocument.nearlyValid(using: &generator) : GeneratedDocument.soup(using: &generator)
      let (ours, codes) = SyntaxShape.ours(Array(text.utf8))
      guard codes.isEmpty else { continue }
      #expect(SyntaxShape.theirs(Array(text.utf8)) == ours, "\(generator): \(text.debugDescription)")
    }
  }

  @Test func acceptsGeneratedDocuments() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<1_000 {
      let text = GeneratedDocument.valid(using: &generator)
      let (ours, codes) = SyntaxShape.ours(Array(text.utf8))
      #expect(codes == [], "\(generator): \(text.debugDescription)")
      #expect(SyntaxShape.theirs(Array(text.utf8)) == ours, "\(generator): \(text.debugDescription)")
    }
  }
}
