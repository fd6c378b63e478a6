import Glibc
import NftablesKernel

/// Calls `body` in a network namespace that holds nothing and is gone afterwards. The calling thread stands in it meanwhile, and
/// with it every command that `body` runs.
public func inPrivateNamespace<T>(_ body: () throws -> T) throws -> T {
  try PrivateNamespace().run(body)
}

/// The namespaces of a probe: the ruleset's own, and a far one that its links lead to. They are joined to each other and to
/// nothing else, so that no packet can leave.
///
///     far ──left── gateway ──right── far        and any more links, which lead the same way as `left`
///
/// What comes in by `right` leaves by `left`, everything else by `right`, whatever its address. Where the gateway is a host
/// with addresses of its own, those are on its loopback.
struct TestNamespace: ~Copyable {
  let gateway: PrivateNamespace
  let far: PrivateNamespace
  /// `left`, `right` and those asked for.
  let links: [String]

  /// Under a tenth of a second.
  init(links more: [String], addresses: [String]) throws {
    let gateway = try PrivateNamespace()
    let far = try PrivateNamespace()
    let links = [ProbeFlow.left, ProbeFlow.right] + more.filter { $0 != ProbeFlow.left && $0 != ProbeFlow.right }
    let farPath = far.path
    try far.run {
      // it answers nothing: no addresses, and no IPv6 that would make one
      try set(["ipv6/conf/default/disable_ipv6"], "1")
    }
    try gateway.run {
      try set(
        [
          "ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6", "ipv6/conf/all/accept_dad",
          "ipv6/conf/default/accept_dad",
        ], "0")
      try set(["ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter"], "0")
      try set(["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/all/accept_local"], "1")
      var commands = ["link set lo up"]
      for (index, link) in links.enumerated() {
        commands += [
          "link add \(link) address \(TestNamespace.text(TestNamespace.address(ofLink: index))) mtu 9000 type veth "
            + "peer name \(link) address \(TestNamespace.text(TestNamespace.farAddress(ofLink: index))) mtu 9000 netns \(farPath)",
          "link set \(link) up",
        ]
      }
      try TestNamespace.ip(commands)
    }
    try far.run { try TestNamespace.ip(links.map { "link set \($0) up" }) }
    try gateway.run {
      let toLeft = TestNamespace.text(TestNamespace.farAddress(ofLink: 0))
      let toRight = TestNamespace.text(TestNamespace.farAddress(ofLink: 1))
      try TestNamespace.ip(
        [
          "addr add 198.18.255.1/32 dev right",
          "neigh add 198.18.255.2 lladdr \(toRight) dev right nud permanent",
          "neigh add 198.18.255.3 lladdr \(toLeft) dev left nud permanent",
          "neigh add fe80::ff lladdr \(toRight) dev right nud permanent",
          "neigh add fe80::fe lladdr \(toLeft) dev left nud permanent",
          "route add default via 198.18.255.2 dev right onlink",
          "route add default via 198.18.255.3 dev left onlink table 7",
          "-6 route add default via fe80::ff dev right",
          "-6 route add default via fe80::fe dev left table 7",
          "rule add iif right lookup 7 priority 100",
          "-6 rule add iif right lookup 7 priority 100",
        ] + addresses.map { "addr add \($0) dev lo" })
    }
    self.gateway = gateway
    self.far = far
    self.links = links
  }

  /// The hardware address of the gateway's end of a link, and of the far end, by the link's place in `links`.
  static func address(ofLink index: Int) -> [UInt8] { [2, 0, 0, 0, 0, UInt8(index + 1)] }
  static func farAddress(ofLink index: Int) -> [UInt8] { [2, 0, 0, 0, 1, UInt8(index + 1)] }

  private static func text(_ address: [UInt8]) -> String {
    address.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }

  private static func ip(_ commands: [String]) throws {
    // ip's -batch takes no options within a line
    for family in ["-4", "-6"] {
      let lines = commands.filter { $0.hasPrefix("-6 ") == (family == "-6") }
      if lines.isEmpty { continue }
      let input = lines.map { $0.hasPrefix("-6 ") ? String($0.dropFirst(3)) : $0 }.joined(separator: "\n") + "\n"
      let done = try Shell.run((family == "-6" ? ["ip", "-6"] : ["ip"]) + ["-batch", "-"], stdin: input)
      guard done.status == 0 else { throw Shell.Failure(description: "ip: \(done.stderr)") }
    }
  }
}

/// Sets sysctls of the calling thread's network namespace, by their paths below net/. Only such as every namespace has of its own.
private func set(_ paths: [String], _ value: String) throws {
  for path in paths { try Files.write(Array(value.utf8), to: "/proc/sys/net/\(path)") }
}
