import Glibc
import Testing

@testable import cordon

/// Files that are written before it is sure that there will be any.
@Suite struct StateFolderTests {
  private static func withFolder(in parent: String, _ body: (StateFolder) throws -> Void) throws {
    var name = Array("\(parent)/cordon-XXXXXX".utf8CString)
    let root = try #require(mkdtemp(&name).map { String(cString: $0) })
    let folder = try StateFolder(root: root, table: "cordon")
    try folder.make()
    defer {
      for path in [folder.path(of: "1.nft"), folder.path, "\(root)/\(folder.namespace)", root] { remove(path) }
    }
    try body(folder)
  }

  @Test func aFileWithoutANameTakesAnothersPlace() throws {
    try StateFolderTests.withFolder(in: "/dev/shm") { folder in
      let text = Array("table inet cordon {\n}\n".utf8)
      let file = try #require(folder.writeUnnamed(text))
      #expect(try folder.read("1.nft") == nil)
      // an old one, and what somebody left who died
      try folder.write([1], to: "1.nft")
      try folder.write([2], to: "1.nft.tmp")
      #expect(try folder.link(file, as: "1.nft"))
      #expect(try folder.read("1.nft") == text)
      #expect(try folder.read("1.nft.tmp") == nil)
      var status = stat()
      #expect(stat(folder.path(of: "1.nft"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    }
  }

  @Test func whereItCannotBeLinkedThatIsSaid() throws {
    try StateFolderTests.withFolder(in: "/dev/shm") { elsewhere in
      try StateFolderTests.withFolder(in: "/var/tmp") { folder in
        // of another file system
        let file = try #require(elsewhere.writeUnnamed([1]))
        #expect(try !folder.link(file, as: "1.nft"))
        #expect(try folder.read("1.nft") == nil)
      }
    }
  }
}
