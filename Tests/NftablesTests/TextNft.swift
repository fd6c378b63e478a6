import Nftables
import PacketSpace
import TestSupport

/// The command nft in a network namespace of its own.
enum Nft {
  enum Format { case text, json }

  /// What `nft` says of a file, once or several times in a row, and what it lists afterwards.
  struct Report {
    var isLoaded: Bool
    var said: String
    /// `nft list ruleset`; empty where nothing was loaded.
    var listing: String
  }

  static func load(_ file: [UInt8], _ format: Format = .text, times: Int = 1) throws -> Report {
    let load = format == .text ? "nft -f $0/file" : "nft -j -f $0/file"
    let loads = Array(repeating: load, count: times).joined(separator: " && ")
    return try Files.withTemporaryFolder { folder in
      try Files.write(file, to: "\(folder)/file")
      let output = try Shell.run(["unshare", "-n", "sh", "-c", "\(loads) && nft list ruleset", folder])
      return Report(isLoaded: output.status == 0, said: output.stderr, listing: output.stdout)
    }
  }
}

extension Interval {
  static func single(_ value: UInt128) -> Interval { Interval(value) }
  static func v4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, length: Int = 32) -> Interval {
    let value = UInt128(a) << 24 | UInt128(b) << 16 | UInt128(c) << 8 | UInt128(d)
    return Interval(value, value | ((1 << UInt128(32 - length)) - 1))
  }
  static func link(_ name: String) -> Interval { Interval(Field.encode(interface: name)) }
  static func links(_ prefix: String) -> Interval {
    let low = Field.encode(interface: prefix)
    return Interval(low, low | (UInt128.max >> UInt128(8 * prefix.utf8.count)))
  }
}
