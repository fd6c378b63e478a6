import Diagnostics
import Glibc
import PolicyLanguage
import TestSupport
import Testing

@Suite struct PolicySourcesTests {
  /// Makes files in a new folder and reads what the arguments name in it.
  private func read(
    _ files: [String: String], _ arguments: [String], _ prepare: (String) -> Void = { _ in }
  ) throws -> (files: [String], contents: [String], diagnostics: [String]) {
    try Files.withTemporaryFolder { folder in
      for (name, text) in files { try Files.write(Array(text.utf8), to: "\(folder)/\(name)") }
      prepare(folder)
      let (sources, diagnostics) = PolicySources.read(arguments.map { "\(folder)/\($0)" })
      func short(_ text: String) -> String { text.replacing(folder, with: "~") }
      return (
        sources.files.map { short($0.name) }, sources.files.map { String(decoding: $0.bytes, as: UTF8.self) },
        diagnostics.map { "\($0.code): \(short($0.message))" }
      )
    }
  }

  @Test func aFolderIsItsYamlFilesByName() throws {
    let files = [
      "b.yaml": "b", "a.yaml": "a", ".c.yaml": "c", "d.yml": "d", "sub/e.yaml": "e", "sub.yaml/f.yaml": "f", "B.yaml": "B",
    ]
    let result = try read(files, ["", "sub"])
    #expect(result.files == ["~/B.yaml", "~/a.yaml", "~/b.yaml", "~/sub/e.yaml"])
    #expect(result.contents == ["B", "a", "b", "e"])
    #expect(result.diagnostics.isEmpty)
  }

  @Test func aFileNamedTwiceCountsOnce() throws {
    let result = try read(["a.yaml": "a", "b.yaml": "b"], ["b.yaml", ".", "link.yaml"]) {
      symlink("\($0)/a.yaml", "\($0)/link.yaml")
      link("\($0)/b.yaml", "\($0)/hard.yaml")
    }
    #expect(result.files == ["~/b.yaml", "~/./a.yaml"])
  }

  @Test func whatCannotBeReadIsAnError() throws {
    let result = try read(["empty/readme": "", "a.yaml": "a"], ["none.yaml", "empty", "a.yaml", "a.yaml/x", "huge", "dir"]) {
      let huge = open("\($0)/huge", O_CREAT | O_WRONLY, 0o644)
      ftruncate(huge, 5 << 30)
      close(huge)
      mkdir("\($0)/dir", 0o755)
      mkfifo("\($0)/dir/pipe.yaml", 0o644)
      symlink("nowhere", "\($0)/dir/broken.yaml")
    }
    #expect(result.files == ["~/a.yaml"])
    #expect(
      result.diagnostics == [
        "cannot-read: can't read `~/none.yaml`: no such file or directory",
        "no-policy-files: the folder `~/empty` holds no policy",
        "cannot-read: can't read `~/a.yaml/x`: not a directory",
        "cannot-read: can't read `~/huge`: it is larger than 256 MiB",
        "cannot-read: can't read `~/dir/broken.yaml`: no such file or directory",
        "cannot-read: can't read `~/dir/pipe.yaml`: it is not a regular file",
      ])
  }

  @Test func anEndlessFileEnds() {
    let (sources, diagnostics) = PolicySources.read(["/dev/zero"])
    #expect(sources.files.isEmpty && diagnostics.map(\.code) == ["cannot-read"])
    #expect(PolicySources.read(["/dev/null"]).sources.files.map(\.bytes) == [[]])
  }
}
