import PacketSpace
import TestSupport
import Testing

@testable import Nftables
@testable import NftablesKernel

/// Elements that are deleted without libnftables.
@Suite("removal of elements", .requireNamespaces) struct RemovalTests {
  /// A set and a map of the same addresses.
  private static func table(_ numbers: some Sequence<Int>, _ type: DataType) -> Ruleset {
    let keys = keys(numbers, type)
    var verdicts = VerdictElements(stride: 1)
    for place in 0..<keys.count { verdicts.append(contentsOf: keys[place], verdict: .goto("web")) }
    var result = Ruleset(tableName: "cordon")
    result.sets = [NamedSet("group/web", types: [type], isInterval: false, elements: keys)]
    result.maps = [VerdictMap("by.address-1", types: [type], isInterval: false, elements: verdicts)]
    result.chains = [Chain("web")]
    return result
  }

  private static func keys(_ numbers: some Sequence<Int>, _ type: DataType) -> Elements {
    let base: UInt128 = type == .ipv4Address ? 10 << 24 : 0xFD << 120
    return Elements(stride: 1, numbers.map { Interval(base + UInt128($0) * 257) })
  }

  @Test("more than fit into a message, of a set and a map", arguments: [DataType.ipv4Address, .ipv6Address])
  func many(type: DataType) throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      try kernel.apply(TextWriter.write(RemovalTests.table(0..<5_000, type)))
      for (gone, kept) in [(1..<4_999, [0, 4_999]), (0..<1, [4_999]), (4_999..<5_000, [])] {
        for name in ["group/web", "by.address-1"] {
          let keys = RemovalTests.keys(gone, type)
          try kernel.delete(.init(set: name, types: [type], isInterval: false, keys: keys), of: "cordon")
        }
        let planned = RemovalTests.table(kept, type)
        let rest = RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: planned)
        #expect(rest.isEmpty, "\(rest.text())")
      }
    }
  }

  @Test("where one isn't there none goes")
  func missing() throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      let table = RemovalTests.table(0..<10, .ipv4Address)
      try kernel.apply(TextWriter.write(table))
      for (name, numbers) in [("group/web", [3, 10, 4]), ("by.address-1", [10]), ("nothing", [1])] {
        let keys = RemovalTests.keys(numbers, .ipv4Address)
        let error = #expect(throws: KernelError.self) {
          try kernel.delete(.init(set: name, types: [.ipv4Address], isInterval: false, keys: keys), of: "cordon")
        }
        #expect("\(error!)" == "cannot delete elements of \(name) in table inet cordon: No such file or directory")
        // nothing that was answered then is taken for an answer now
        #expect(try kernel.ownership(of: "cordon") == .foreign && kernel.ownership(of: "other") == .absent)
        #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table).isEmpty)
      }
    }
  }
}
