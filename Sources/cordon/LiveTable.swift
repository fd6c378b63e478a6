import Nftables
import NftablesKernel

/// A table as the kernel holds it, or as it comes out of a file.
enum LiveTable {
  /// The kernel's table, or nil where there is none.
  static func read(_ kernel: inout Kernel, _ name: String) throws -> Ruleset? {
    guard let json = try kernel.list(table: name) else { return nil }
    var ruleset = try decode(json, name)
    if try kernel.flags(of: name) != 0 { ruleset.hasTableFlags = true }
    return ruleset
  }

  /// What a `.nft` file makes of the table, loaded where there is nothing else; nil where it makes no such table.
  static func read(file path: String, table name: String) throws -> Ruleset? {
    try read(text: try Files.read(path), table: name)
  }

  /// The same of the file's text.
  static func read(text: [UInt8], table name: String) throws -> Ruleset? {
    guard let json = try PrivateNamespace.list(text: text, table: name) else { return nil }
    return try decode(json, name)
  }

  private static func decode(_ json: [UInt8], _ name: String) throws -> Ruleset {
    do {
      return try JSONReader.read(json, table: name)
    } catch {
      throw Refusal("cannot read what libnftables lists of table inet \(name): \(error)")
    }
  }
}

/// The kernel or the system refused something, in words.
struct Refusal: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
