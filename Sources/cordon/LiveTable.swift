import Glibc
import Nftables
import NftablesKernel

/// A table as the kernel holds it, or as it comes out of a file.
enum LiveTable {
  /// The kernel's table, or nil where there is none.
  static func read(_ kernel: borrowing Kernel, _ name: String) throws -> Ruleset? {
    guard var ruleset = try list(name, []) else { return nil }
    if try kernel.flags(of: name) != 0 { ruleset.hasTableFlags = true }
    return ruleset
  }

  /// What a `.nft` file makes of the table, loaded where there is nothing else; nil where it makes no such table.
  static func read(file path: String, table name: String) throws -> Ruleset? {
    try list(name, ["--file=\(path)"])
  }

  /// The same of a text of Cordon's own making.
  static func read(text: [UInt8], table name: String) throws -> Ruleset? {
    guard let json = try PrivateNamespace.list(text: text, table: name) else { return nil }
    return try decode(json, name)
  }

  /// Lists in a process of its own: there are rules and sets, of the kinds that somebody adds by hand, at which the listing of
  /// libnftables 1.0.6 ends the process (a link's name that isn't UTF-8: SIGABRT; a set of `ct_state` with intervals: SIGSEGV).
  private static func list(_ name: String, _ options: [String]) throws -> Ruleset? {
    switch try Child.run(["list-table", name] + options) {
    case .done(let json): return json.isEmpty ? nil : try decode(json, name)
    case .failed(let words): throw Refusal(relayed: String(decoding: words, as: UTF8.self))
    case .lost(let signal):
      throw Refusal(
        """
        cannot list table inet \(name): libnftables ends the process (\(String(cString: strsignal(signal)))) when it lists it
        help: somebody put something into the table that this version of libnftables can't list as JSON: look for it with \
        `nft list table inet \(name)`, take it out, or delete the table and apply the policy anew
        """)
    }
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

  /// What an error says, more words in front of its help, and help where it has none.
  init(_ error: any Error, and words: String, help: String? = nil) {
    let parts = "\(error)".split(separator: "\nhelp: ", maxSplits: 1).map { String($0) }
    let help = parts.count > 1 ? parts[1] : help
    description = "\(parts[0]); \(words)" + (help.map { "\nhelp: \($0)" } ?? "")
  }

  /// What another process of ours said of its refusal.
  init(relayed words: String) {
    var words = words.hasPrefix("error: ") ? String(words.dropFirst("error: ".count)) : words
    while words.hasSuffix("\n") { words.removeLast() }
    description = words
  }
}
