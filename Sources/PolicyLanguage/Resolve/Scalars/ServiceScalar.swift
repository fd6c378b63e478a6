import Diagnostics
import PacketSpace

/// A service written out, such as `tcp/22`, `icmp/3/4` or `all`; anything that may be a service's name is left to the caller.
enum ServiceScalar {
  /// What stands where a service could.
  enum Reading: Hashable {
    case term(ServiceTerm)
    case problem(ScalarProblem)
    /// It may be a name.
    case other
  }

  static func read(_ bytes: ScalarBytes) -> Reading {
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else {
      if bytes.equals("all") { return .term(.all) }
      if let value = ipProtocol(bytes) { return .term(.ipProtocol(value)) }
      return .other
    }
    let (front, rest) = (bytes.part(0..<slash), bytes.part(slash + 1..<bytes.count))
    if let value = ipProtocol(front) {
      if value.hasPorts { return readPorts(rest, of: value) }
      return value.family != nil ? readICMP(rest, of: value) : .problem(noPorts(rest, of: value))
    }
    if front.equals("protocol") { return readNumber(rest) }
    return .problem(misspelling(bytes) ?? unknownProtocol(front, of: bytes))
  }

  /// The protocol of a name.
  static func ipProtocol(_ bytes: ScalarBytes) -> IPProtocol? {
    switch bytes.count {
    case 2: bytes.equals("ah") ? .ah : nil
    case 3:
      bytes.equals("tcp") ? .tcp : bytes.equals("udp") ? .udp : bytes.equals("gre") ? .gre : bytes.equals("esp") ? .esp : nil
    case 4: bytes.equals("icmp") ? .icmp : bytes.equals("sctp") ? .sctp : nil
    case 6: bytes.equals("icmpv6") ? .icmpv6 : nil
    default: nil
    }
  }

  private static func readPorts(_ rest: ScalarBytes, of value: IPProtocol) -> Reading {
    switch PortScalar.read(rest, prefix: "\(value.policyName)/") {
    case .ports(let ports): .term(.ports(value, ports))
    case .problem(let problem): .problem(problem)
    }
  }

  private static func readICMP(_ rest: ScalarBytes, of value: IPProtocol) -> Reading {
    let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { ScalarBytes(rebasing: $0) }
    let type: UInt8
    switch NumberScalar.read(parts[0], limit: 255) {
    case .value(let number): type = UInt8(number)
    case .tooLarge:
      return .problem(
        ScalarProblem(
          .invalidIcmpType, "\(quoted(parts[0])) is not a type of \(value.policyName)",
          help: "types go from 0 to 255; \(value.policyName) has no ports"))
    case .notANumber:
      guard let named = ICMPTypes.type(parts[0], of: value) else { return .problem(unknownType(rest, parts[0], of: value)) }
      type = named
    }
    guard parts.count > 1 else { return .term(.icmp(value, type: type, code: nil)) }
    guard parts.count == 2, let code = NumberScalar.value(parts[1], limit: 255) else {
      return .problem(
        ScalarProblem(
          .invalidIcmpType, "\(quoted(rest.part(parts[0].count + 1..<rest.count))) is not a code of \(value.policyName)",
          help: "write a number of 0 to 255, as in `icmp/3/4`"))
    }
    return .term(.icmp(value, type: type, code: UInt8(code)))
  }

  private static func unknownType(_ rest: ScalarBytes, _ type: ScalarBytes, of value: IPProtocol) -> ScalarProblem {
    if rest.equals("-1/-1") || rest.equals("-1") {
      return ScalarProblem(
        .cloudSpelling, "\(quoted(rest)) for every type is a cloud's spelling", help: "write `\(value.policyName)`")
    }
    if case .ports = PortScalar.read(type) {
      return ScalarProblem(
        .portsOnProtocol, "\(value.policyName) has no ports, and its types are given one by one",
        help: "write `\(value.policyName)` for every type, or one such as `\(value.policyName)/echo-request`")
    }
    let names = ICMPTypes.names(of: value).map { "\($0.name)" }
    return ScalarProblem(
      .invalidIcmpType, "\(quoted(type)) is not a type of \(value.policyName)",
      help: Suggestion.nearest(type.string, among: names).map { "did you mean `\(value.policyName)/\($0)`?" }
        ?? "write a number of 0 to 255, or one of nft's names such as `echo-request`")
  }

  private static func noPorts(_ rest: ScalarBytes, of value: IPProtocol) -> ScalarProblem {
    if rest.equals("-1/-1") || rest.equals("-1") {
      return ScalarProblem(
        .cloudSpelling, "\(quoted(rest)) for no ports is a cloud's spelling", help: "write `\(value.policyName)`")
    }
    return ScalarProblem(
      .portsOnProtocol, "\(value.policyName) has no ports", help: "write `\(value.policyName)`")
  }

  private static func readNumber(_ rest: ScalarBytes) -> Reading {
    switch NumberScalar.read(rest, limit: 255) {
    case .value(let number): return .term(.ipProtocol(IPProtocol(rawValue: UInt8(number))))
    case .tooLarge:
      return .problem(
        ScalarProblem(
          .invalidService, "\(quoted(rest)) is not a protocol's number", help: "numbers of protocols go from 0 to 255"))
    case .notANumber:
      if ipProtocol(rest) != nil {
        return .problem(
          ScalarProblem(.invalidService, "`protocol/` is followed by a number", help: "write \(quoted(rest))"))
      }
      if let slash = rest.firstIndex(of: UInt8(ascii: "/")), let number = NumberScalar.value(rest.part(0..<slash), limit: 255) {
        let value = IPProtocol(rawValue: UInt8(number))
        return .problem(
          ScalarProblem(
            .portsOnProtocol, "a protocol by its number is the whole protocol, without ports or types",
            help: value.policyName.hasPrefix("protocol/")
              ? "write `\(value.policyName)`"
              : "write `\(value.policyName)/\(rest.part(slash + 1..<rest.count).string.prefix(20))`"))
      }
      return .problem(
        ScalarProblem(
          .invalidService, "\(quoted(rest)) is not a protocol's number",
          help: "write a number of 0 to 255, as in `protocol/112`"))
    }
  }

  // MARK: - Other people's spellings

  /// What to write for a spelling of other tools, or for something that can be nothing else than a slip; nil where the text is
  /// no such thing.
  static func misspelling(_ bytes: ScalarBytes) -> ScalarProblem? {
    if bytes.equals("any") || bytes.equals("*") || bytes.equals("-1") || bytes.equals("-1/-1") || bytes.equals("ip") {
      return ScalarProblem(.cloudSpelling, "\(quoted(bytes)) is another tool's word for every service", help: "write `all`")
    }
    let lower = bytes.string.lowercased()
    if lower != bytes.string { return spelled(bytes, as: lower) }
    let parts = bytes.split(whereSeparator: { !$0.isDigit && !$0.isLetter && $0 != UInt8(ascii: "-") })
      .map { ScalarBytes(rebasing: $0) }
    // `22`, `8000-8100`, `22/22`
    if !bytes.contains(where: \.isLetter), let first = parts.first, case .ports(let low) = PortScalar.read(first) {
      guard parts.count == 2, case .ports(let high) = PortScalar.read(parts[1]), low.lower <= high.upper else {
        return parts.count > 1
          ? nil
          : ScalarProblem(
            .invalidService, "\(quoted(bytes)) names a port without its protocol", help: "write `tcp/\(low)` or `udp/\(low)`")
      }
      let ports = PortRange(low.lower, high.upper)
      return ScalarProblem(
        .cloudSpelling, "\(quoted(bytes)) is a cloud's spelling of ports", help: "write `tcp/\(ports)` or `udp/\(ports)`")
    }
    // `tcp:22`, `tcp 22`, `22/tcp`
    if parts.count == 2 {
      for (name, ports) in [(parts[0], parts[1]), (parts[1], parts[0])] {
        if let value = ipProtocol(name), value.hasPorts, case .ports(let ports) = PortScalar.read(ports) {
          return ScalarProblem(
            .invalidService, "a service is a protocol, a `/` and ports", help: "write `\(value.policyName)/\(ports)`")
        }
      }
    }
    if parts.count == 3, parts[0].equals("all") {
      return ScalarProblem(.cloudSpelling, "\(quoted(bytes)) is a cloud's word for every service", help: "write `all`")
    }
    if bytes.equals("icmp6") || bytes.equals("ipv6-icmp") || bytes.equals("icmp-v6") {
      return ScalarProblem(.cloudSpelling, "\(quoted(bytes)) is another tool's name for icmpv6", help: "write `icmpv6`")
    }
    return nil
  }

  /// The problem of capital letters, if the same in small letters is a service.
  private static func spelled(_ bytes: ScalarBytes, as lower: String) -> ScalarProblem? {
    let help: String? = Array(lower.utf8).withUnsafeBufferPointer {
      switch read($0) {
      case .term: "write `\(lower)`"
      case .problem(let problem): problem.help
      case .other: misspelling($0)?.help
      }
    }
    return help.map { ScalarProblem(.cloudSpelling, "\(quoted(bytes)): protocols are written in small letters", help: $0) }
  }

  private static func unknownProtocol(_ name: ScalarBytes, of service: ScalarBytes) -> ScalarProblem {
    if name.equals("all") {
      return ScalarProblem(
        .portsOnProtocol, "`all` has no ports, since not every protocol has", help: "write a list, `[tcp/80, udp/80]`")
    }
    let names = IPProtocol.policyNames.map(\.name) + ["protocol"]
    return ScalarProblem(
      .invalidService, "there is no protocol \(quoted(name))",
      help: Suggestion.nearest(name.string, among: names).map { "did you mean `\($0)`?" }
        ?? "write one of \(names.dropLast().map { "`\($0)`" }.joined(separator: ", ")), or `protocol/N`")
  }
}
