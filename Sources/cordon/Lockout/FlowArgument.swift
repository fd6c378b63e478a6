import PacketSpace
import PolicyLanguage

/// A flow as `--keep` names it: `CLIENT->SERVER:PORT`, or `CLIENT->:PORT` where the server is the machine itself.
struct FlowArgument: Equatable {
  /// As written.
  let text: String
  /// An address or a prefix.
  let client: AddressRange
  /// Of the client's family; nil is the machine.
  let server: AddressRange?
  let service: ServiceTerm

  /// What is wrong with a text, and what to write.
  struct Problem: Error, CustomStringConvertible {
    var description: String
  }

  static let grammar =
    "write 'CLIENT->SERVER:PORT', or 'CLIENT->:PORT' for this machine, such as '198.51.100.7->:22', "
    + "'198.51.100.0/24->10.0.0.1:udp/60001' or '[2001:db8::7]->[2001:db8:1::1]:22'"

  init(_ text: String) throws(Problem) {
    func wrong(_ what: String) -> Problem { Problem(description: "\(what); \(FlowArgument.grammar)") }
    guard let arrow = text.firstRange(of: "->") else {
      throw wrong(
        text.hasSuffix("-") ? "there is no `>`: without quotes the shell takes it for itself" : "there is no `->` in it")
    }
    let front = text[..<arrow.lowerBound]
    let back = text[arrow.upperBound...]
    let (client, rest) = try FlowArgument.end(front, "client", wrong)
    guard let client else { throw wrong("there is no client in front of `->`") }
    guard rest.isEmpty else {
      throw wrong("`\(rest)` behind the client's address is too much: a new connection comes from any port")
    }
    let (server, behind) = try FlowArgument.end(back, "server", wrong)
    guard behind.first == ":" else { throw wrong("there is no `:PORT` at the end") }
    if let server, server.family != client.family { throw wrong("\(client) and \(server) are not of one family") }
    guard let service = FlowArgument.service(behind.dropFirst()) else {
      throw wrong(
        "`\(behind.dropFirst())` is no port: it is a number of 1 to 65535 for TCP, or such as udp/60001, tcp/8000-8100")
    }
    (self.text, self.client, self.server, self.service) = (text, client, server, service)
  }

  /// The address or prefix that a text begins with, if any, and what stands behind it. IPv6 stands in brackets, which end it.
  private static func end(
    _ text: Substring, _ what: String, _ wrong: (String) -> Problem
  ) throws(Problem) -> (AddressRange?, rest: Substring) {
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { throw wrong("the `[` of the \(what) is not closed") }
      let inner = text[text.index(after: text.startIndex)..<close]
      guard let range = range(inner), range.family == .ipv6 else {
        throw wrong("`[\(inner)]` is no IPv6 address, and only those stand in brackets")
      }
      return (range, text[text.index(after: close)...])
    }
    if text.count(where: { $0 == ":" }) > 1 {
      throw wrong("the \(what) has several colons: an IPv6 address stands in brackets, as in `[2001:db8::7]`")
    }
    let colon = text.firstIndex(of: ":") ?? text.endIndex
    let word = text[..<colon]
    if word.isEmpty { return (nil, text) }
    guard let range = range(word) else { throw wrong("`\(word)` is neither an address nor a prefix without further bits") }
    return (range, text[colon...])
  }

  private static func range(_ text: Substring) -> AddressRange? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let address = IPAddress(parts[0]) else { return nil }
    if parts.count == 1 { return AddressRange(address) }
    guard parts.count == 2, let length = number(parts[1]), length <= address.family.width,
      address.value & AddressRange.hostMask(address.family, length) == 0
    else { return nil }
    return AddressRange(prefix: address, length: length)
  }

  /// `22`, `udp/60001`, `tcp/8000-8100`.
  private static func service(_ text: Substring) -> ServiceTerm? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2 else { return nil }
    let named = parts.count == 1 ? IPProtocol.tcp : IPProtocol.policyNames.first { $0.name == parts[0] }?.value
    guard let named, named.hasPorts else { return nil }
    let ports = parts[parts.count - 1].split(separator: "-", omittingEmptySubsequences: false).map(port)
    guard ports.count <= 2, let first = ports[0], let last = ports[ports.count - 1], first <= last else { return nil }
    return .ports(named, PortRange(first, last))
  }

  private static func port(_ text: Substring) -> UInt16? {
    number(text).flatMap { UInt16(exactly: $0) }.flatMap { $0 > 0 ? $0 : nil }
  }

  private static func number(_ text: Substring) -> Int? {
    text.isEmpty || text.count > 5 || !text.allSatisfy({ $0.isASCII && $0.isNumber }) ? nil : Int(text)
  }
}
