import Testing

@testable import cordon

@Suite struct SHA256Tests {
  /// Examples of FIPS 180-4's authors, and lengths around those of a block and of what is filled up.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (String(repeating: "a", count: 55), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
    (String(repeating: "a", count: 64), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
    (String(repeating: "a", count: 65), "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"),
    (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
  ]) func isAsPublished(_ text: String, _ digest: String) { #expect(SHA256.hex(Array(text.utf8)) == digest) }

  /// Whatever two texts have in common, and where they part.
  @Test func whatBeginsAlikeIsHashedOnce() {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    let text = HashedText(bytes)
    for place in [0, 63, 64, 16_383, 16_384, 16_385, 50_000, 98_304, 99_999] {
      var other = bytes
      other[place] ^= 1
      #expect(HashedText(other, beside: text).sha256 == SHA256.hex(other))
      #expect(HashedText(other, beside: text).sha256 != text.sha256)
      #expect(HashedText(Array(bytes[..<place]), beside: text).sha256 == SHA256.hex(Array(bytes[..<place])))
      #expect(HashedText(bytes, beside: HashedText(Array(bytes[..<place]))).sha256 == text.sha256)
    }
    #expect(HashedText(bytes, beside: text).sha256 == text.sha256)
  }
}
