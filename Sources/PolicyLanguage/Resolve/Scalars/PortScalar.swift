import PacketSpace

/// A port or an inclusive range of ports: `22`, `8000-8100`.
enum PortScalar {
  /// What stands where ports could.
  enum Reading: Hashable {
    case ports(PortRange)
    case problem(ScalarProblem)
  }

  /// Reads the ports; `prefix` is what stands before them in their service, as `tcp/`, for messages.
  static func read(_ bytes: ScalarBytes, prefix: String = "") -> Reading {
    let hyphen = bytes.firstIndex(of: UInt8(ascii: "-"))
    guard let hyphen, hyphen > 0 else {
      return switch NumberScalar.read(bytes, limit: 65535) {
      case .value(let port): .ports(PortRange(UInt16(port)))
      case .tooLarge: .problem(tooLarge(bytes))
      case .notANumber: .problem(notPorts(bytes, prefix))
      }
    }
    let (low, high) = (bytes.part(0..<hyphen), bytes.part(hyphen + 1..<bytes.count))
    switch (NumberScalar.read(low, limit: 65535), NumberScalar.read(high, limit: 65535)) {
    case (.value(let lower), .value(let upper)):
      if lower <= upper { return .ports(PortRange(UInt16(lower), UInt16(upper))) }
      return .problem(
        ScalarProblem(
          .invalidPort, "the range \(quoted(bytes)) ends before it begins", help: "write `\(prefix)\(upper)-\(lower)`"))
    case (.notANumber, _), (_, .notANumber): return .problem(notPorts(bytes, prefix))
    case (.tooLarge, _): return .problem(tooLarge(low))
    case (_, .tooLarge): return .problem(tooLarge(high))
    }
  }

  private static func tooLarge(_ bytes: ScalarBytes) -> ScalarProblem {
    ScalarProblem(.invalidPort, "\(quoted(bytes)) is not a port", help: "ports go from 0 to 65535")
  }

  private static func notPorts(_ bytes: ScalarBytes, _ prefix: String) -> ScalarProblem {
    if bytes.isEmpty {
      return ScalarProblem(
        .invalidPort, "the port is missing",
        help: prefix.isEmpty
          ? "write a number such as `22`" : "write `\(prefix)22`, for example, or `\(prefix.dropLast())` for every port")
    }
    if bytes.equals("-1") {
      return ScalarProblem(.cloudSpelling, "`-1` for any port is a cloud's spelling", help: anyPort(prefix))
    }
    if bytes.equals("any") || bytes.equals("all") || bytes.equals("*") {
      return ScalarProblem(.invalidPort, "\(quoted(bytes)) is not a port", help: anyPort(prefix))
    }
    for separator in [UInt8(ascii: "/"), UInt8(ascii: ":")] {
      guard let at = bytes.firstIndex(of: separator) else { continue }
      let (low, high) = (bytes.part(0..<at), bytes.part(at + 1..<bytes.count))
      if low.equals("-1"), high.equals("-1") {
        return ScalarProblem(.cloudSpelling, "`-1/-1` for any port is a cloud's spelling", help: anyPort(prefix))
      }
      if let lower = NumberScalar.value(low, limit: 65535), let upper = NumberScalar.value(high, limit: 65535), lower <= upper {
        let ports = PortRange(UInt16(lower), UInt16(upper))
        let everything = lower <= 1 && upper == 65535 && !prefix.isEmpty
        return ScalarProblem(
          .cloudSpelling, "\(quoted(bytes)) is a cloud's spelling of ports",
          help: "write `\(prefix)\(ports)`" + (everything ? ", or `\(prefix.dropLast())` for every port" : ""))
      }
    }
    if bytes.contains(UInt8(ascii: ",")) {
      return ScalarProblem(
        .invalidPort, "\(quoted(bytes)) is not a port or a range of ports",
        help: "write a list, `[\(prefix)80, \(prefix)443]`")
    }
    return ScalarProblem(
      .invalidPort, "\(quoted(bytes)) is not a port or a range of ports",
      help: "write a number such as `\(prefix)22`, or a range such as `\(prefix)8000-8100`")
  }

  private static func anyPort(_ prefix: String) -> String {
    prefix.isEmpty ? "leave `source-ports` out for any port" : "write `\(prefix.dropLast())` for every port"
  }
}
