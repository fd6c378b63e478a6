/// The rules of a chain in the kernel's own form, less what isn't of their making: equal ones do the same.
enum KernelRules {
  /// - Returns: of each rule its expressions, its comment and the elements of its own sets, as bytes; nil where the chain was
  ///   changed while it was read.
  static func read(
    _ socket: borrowing NetfilterSocket, _ table: String, _ chain: String, _ operation: String
  ) throws(KernelError) -> [[UInt8]]? {
    guard let rules = try socket.list(.rules(table: table, chain: chain), operation) else { return nil }
    var result: [[UInt8]] = []
    for rule in rules {
      var bytes: [UInt8] = []
      var ownSets: [String] = []
      for (_, expression) in rule.nested(4) {  // NFTA_RULE_EXPRESSIONS
        let expression = NetlinkAttributes(expression)
        let name = expression.text(1) ?? ""  // NFTA_EXPR_NAME
        append(Array(name.utf8), to: &bytes)
        switch name {
        case "counter": break  // its numbers are those of packets
        case "lookup":
          for (type, value) in expression.nested(2) {  // NFTA_EXPR_DATA
            let text = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
            if type == 1, text.hasPrefix("__") {  // NFTA_LOOKUP_SET: a set of the rule's own has a number for a name
              ownSets.append(text)
            } else {
              append([UInt8(type)] + value, to: &bytes)
            }
          }
        default:
          for (type, value) in expression.nested(2) { append([UInt8(type)] + value, to: &bytes) }
        }
      }
      if let comment = rule[7] { append(Array(comment), to: &bytes) }  // NFTA_RULE_USERDATA
      for set in ownSets {
        guard let messages = try socket.list(.elements(table: table, set: set), operation) else { return nil }
        let elements = messages.flatMap { $0.nested(3).map { Array($0.value) } }
        for element in elements.sorted(by: { $0.lexicographicallyPrecedes($1) }) { append(element, to: &bytes) }
      }
      result.append(bytes)
    }
    return result
  }

  /// With their length in front, so that no two lists of parts are the same bytes.
  private static func append(_ part: [UInt8], to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(part.count)) { bytes += $0 }
    bytes += part
  }
}
