/// What `nft --debug=netlink` says that it makes of a ruleset's rules.
public enum NetlinkListing {
  /// For each chain and each of its rules the first word of each expression: `meta`, `cmp`, `payload`, …
  public static func words(_ text: [UInt8]) throws -> [String: [[String]]] {
    let output = try Files.withTemporaryFolder { folder in
      try Files.write(text, to: "\(folder)/rules.nft")
      return try Shell.run(["unshare", "-n", "nft", "--debug=netlink", "-c", "-f", "\(folder)/rules.nft"])
    }
    guard output.status == 0 else { throw Refusal(description: output.stderr) }
    var rules: [String: [[String]]] = [:]
    var chain = ""
    for line in output.stdout.split(separator: "\n") {
      let words = line.split(separator: " ")
      // a rule begins with its chain, indented lines are its expressions; what it makes of sets is in neither form
      if line.hasPrefix("inet "), words.count == 3 {
        chain = String(words[2])
        rules[chain, default: []].append([])
      } else if line.hasPrefix("  ["), let last = rules[chain]?.indices.last {
        rules[chain]![last].append(String(words[1]))
      }
    }
    return rules
  }

  private struct Refusal: Error, CustomStringConvertible {
    var description: String
  }
}
