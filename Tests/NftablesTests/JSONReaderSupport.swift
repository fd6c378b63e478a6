import Nftables
import TestSupport

/// A network namespace of its own, with nft in it.
enum Listing {
  struct Refused: Error, CustomStringConvertible {
    var description: String
  }

  /// What `nft -j list table inet cordon` prints behind a load of `text` and then the commands, each `nft …`.
  static func json(_ text: String, then commands: [String] = []) throws -> [UInt8] {
    var script = "nft -f - || exit 1\n"
    for command in commands { script += "nft '\(command)' || exit 1\n" }
    script += "exec nft -j list table inet cordon"
    let output = try Shell.run(["unshare", "-n", "sh", "-c", script], stdin: text)
    guard output.status == 0 else { throw Refused(description: output.stderr + text) }
    return output.stdoutBytes
  }

  static func ruleset(_ text: String, then commands: [String] = []) throws -> Ruleset {
    try JSONReader.read(json(text, then: commands), table: "cordon")
  }
}
