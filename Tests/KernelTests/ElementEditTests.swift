import PacketSpace
import TestSupport
import Testing

@testable import Nftables
@testable import NftablesKernel

/// Elements that are changed without libnftables.
@Suite("edits of elements", .requireNamespaces) struct ElementEditTests {
  /// A set and a map of the same addresses, of which every third leads elsewhere where `isTurned`.
  private static func table(_ numbers: some Sequence<Int>, _ type: DataType, isTurned: Bool = false) -> Ruleset {
    let keys = keys(numbers, type)
    let chain = "ingress/" + String(repeating: "w", count: 100)
    var verdicts = VerdictElements(stride: 1)
    for (place, number) in numbers.enumerated() {
      verdicts.append(contentsOf: keys[place], verdict: isTurned && number % 3 == 0 ? .goto("other") : .jump(chain))
    }
    var result = Ruleset(tableName: "cordon")
    result.sets = [NamedSet("group/web", types: [type], isInterval: false, elements: keys)]
    result.maps = [VerdictMap("by.address-1", types: [type], isInterval: false, elements: verdicts)]
    result.chains = [Chain(chain), Chain("other")]
    return result
  }

  private static func keys(_ numbers: some Sequence<Int>, _ type: DataType) -> Elements {
    let base: UInt128 = type == .ipv4Address ? 10 << 24 : 0xFD << 120
    return Elements(stride: 1, numbers.map { Interval(base + UInt128($0) * 257) })
  }

  private static func edits(from live: Ruleset, to planned: Ruleset) -> [ChangePlan.ElementEdit] {
    func contents(_ ruleset: Ruleset) -> [SetContent] { ruleset.maps.map(SetContent.init) + ruleset.sets.map(SetContent.init) }
    var edit = ChangePlan.Edit(zip(contents(live), contents(planned)).map(ElementChange.init), table: "cordon")
    return edit.takeElementEdits()
  }

  @Test("more than fit into a message, of a set and a map", arguments: [DataType.ipv4Address, .ipv6Address])
  func many(type: DataType) throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      var live = ElementEditTests.table(0..<5_000, type)
      try kernel.apply(TextWriter.write(live))
      for (planned, most) in [
        (ElementEditTests.table(1..<4_999, type, isTurned: true), Int.max), (ElementEditTests.table(0..<5, type), 100_000),
        (ElementEditTests.table(0..<5, type, isTurned: true), .max), (ElementEditTests.table(2..<6_000, type), 100_000),
        (ElementEditTests.table([], type), .max),
      ] {
        let generation = try kernel.generation()
        let count = try kernel.change(ElementEditTests.edits(from: live, to: planned), of: "cordon", atMost: most)
        #expect(try kernel.generation() == generation + count)
        #expect(most < .max ? count > 1 : count == 1)
        let rest = RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: planned)
        #expect(rest.isEmpty, "\(rest.text())")
        live = planned
      }
    }
  }

  /// Intervals of a set and a map, cut anew again and again: they meet, begin with the first address and end with the last.
  @Test("intervals", arguments: [DataType.ipv4Address, .ipv6Address])
  func intervals(type: DataType) throws {
    let last: UInt128 = type == .ipv4Address ? 0xFFFF_FFFF : .max
    func table(_ generator: inout SeededGenerator, _ most: Int) -> Ruleset {
      let count = Int.random(in: 0...most, using: &generator)
      let cuts = Set((0..<count).map { _ in UInt128.random(in: 1...50, using: &generator) })
      // among few places, so that much is the same, and in all of the addresses
      let starts = [0] + cuts.sorted().map { $0 * (last / 51) }
      var keys = Elements(stride: 1)
      var verdicts = VerdictElements(stride: 1)
      for (place, start) in starts.enumerated() where Bool.random(using: &generator) {
        let end = place + 1 < starts.count ? starts[place + 1] - 1 : last
        let interval = [Interval(start, end), Interval(start), Interval(end)].randomElement(using: &generator)!
        keys.append(interval)
        if Bool.random(using: &generator) { verdicts.append(interval, verdict: .jump("other")) }
      }
      var result = Ruleset(tableName: "cordon")
      result.sets = [NamedSet("list/office", types: [type], isInterval: true, elements: keys)]
      result.maps = [VerdictMap("by.address-1", types: [type], isInterval: true, elements: verdicts)]
      result.chains = [Chain("other")]
      return result
    }
    try inPrivateNamespace {
      var generator = SeededGenerator(seed: 17)
      var kernel = try Kernel()
      for _ in 0..<20 {
        var live = table(&generator, 60)
        try kernel.apply(TextWriter.write(live))
        for _ in 0..<5 {
          let planned = table(&generator, 60)
          let count = try kernel.change(ElementEditTests.edits(from: live, to: planned), of: "cordon", atMost: 1_000)
          // of a set in one transaction, and the map's may be another one
          #expect(count <= 2)
          let rest = RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: planned)
          #expect(rest.isEmpty, "\(rest.text())")
          #expect(try kernel.holds([.set("list/office"), .set("by.address-1")], of: planned))
          live = planned
        }
        try kernel.delete(table: "cordon")
      }
    }
  }

  /// The same addresses, cut into other elements than one knows of.
  @Test(
    "intervals that aren't there as such aren't taken away",
    arguments: [
      ("10.0.0.0/25, 10.0.0.128/25", 0x0A00_0000, 0x0A00_00FF), ("10.0.0.0/24", 0x0A00_0000, 0x0A00_007F),
      ("192.0.0.0/3, 224.0.0.0/3", 0xC000_0000, 0xFFFF_FFFF), ("192.0.0.0/2", 0xE000_0000, 0xFFFF_FFFF),
      ("192.0.0.0/3", 0xC000_0000, 0xFFFF_FFFF), ("0.0.0.0/1", 0, 0x3FFF_FFFF),
    ])
  func otherCuts(live: String, lower: UInt128, upper: UInt128) throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      let set = "set list/office { type ipv4_addr; flags interval; elements = { \(live), 172.16.0.1 }; }"
      try kernel.apply(Array("table inet cordon { \(set); }\n".utf8))
      let before = try ApplyTests.live(&kernel)
      func table(_ intervals: [Interval]) -> Ruleset {
        var result = Ruleset(tableName: "cordon")
        result.sets = [
          NamedSet("list/office", types: [.ipv4Address], isInterval: true, elements: Elements(stride: 1, intervals))
        ]
        return result
      }
      let generation = try kernel.generation()
      let error = #expect(throws: KernelError.self) {
        try kernel.change(ElementEditTests.edits(from: table([Interval(lower, upper)]), to: table([])), of: "cordon")
      }
      #expect("\(error!)".contains("elements of list/office in table inet cordon: the kernel has them cut otherwise\nhelp: "))
      #expect(try kernel.generation() == generation)
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: try #require(before)).isEmpty)
    }
  }

  @Test("many intervals with long names of chains")
  func manyIntervals() throws {
    func table(_ numbers: some Sequence<Int>) -> Ruleset {
      let chain = "ingress/" + String(repeating: "w", count: 245)
      var result = Ruleset(tableName: "cordon")
      var verdicts = VerdictElements(stride: 1)
      for number in numbers {
        let start = 0xFD << 120 + UInt128(number) << 32
        verdicts.append(Interval(start, start + 7), verdict: .jump(chain))
      }
      result.maps = [VerdictMap("by.address-1", types: [.ipv6Address], isInterval: true, elements: verdicts)]
      result.chains = [Chain(chain)]
      return result
    }
    try inPrivateNamespace {
      var kernel = try Kernel()
      try kernel.apply(TextWriter.write(table(0..<2_000)))
      try kernel.change(ElementEditTests.edits(from: table(0..<2_000), to: table(1_000..<3_000)), of: "cordon")
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table(1_000..<3_000)).isEmpty)
    }
  }

  @Test("what goes makes room for what comes", arguments: [Int.max, 2_000])
  func room(atMost most: Int) throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      func table(_ numbers: Range<Int>) -> Ruleset {
        var result = ElementEditTests.table(numbers, .ipv4Address)
        result.sets[0].size = 192
        result.maps[0].size = 192
        return result
      }
      try kernel.apply(TextWriter.write(table(0..<192)))
      try kernel.change(ElementEditTests.edits(from: table(0..<192), to: table(200..<392)), of: "cordon", atMost: most)
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table(200..<392)).isEmpty)
      let error = #expect(throws: KernelError.self) {
        try kernel.change(ElementEditTests.edits(from: table(0..<0), to: table(400..<593)), of: "cordon")
      }
      #expect("\(error!)".contains("Too many open files in system"))  // ENFILE
      #expect("\(error!)".contains("help: somebody may have filled a set by hand up to its `size`"))
    }
  }

  @Test("where one isn't there nothing is changed")
  func missing() throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      let table = ElementEditTests.table(0..<10, .ipv4Address)
      try kernel.apply(TextWriter.write(table))
      for (name, numbers) in [("group/web", [3, 10, 4]), ("by.address-1", [10]), ("nothing", [1])] {
        func elements(_ numbers: [Int]) -> [ChangePlan.ElementEdit.Element] {
          ElementEditTests.edits(
            from: ElementEditTests.table([], .ipv4Address), to: ElementEditTests.table(numbers, .ipv4Address)
          )[1].added
        }
        let edits: [ChangePlan.ElementEdit] = [
          .init(set: "group/web", added: elements([11])), .init(set: name, removed: elements(numbers)),
          .init(set: "group/web", added: elements([12])),
        ]
        let error = #expect(throws: KernelError.self) { try kernel.change(edits, of: "cordon") }
        #expect("\(error!)" == "cannot change elements of table inet cordon: No such file or directory")
        // nothing that was answered then is taken for an answer now
        #expect(try kernel.ownership(of: "cordon") == .foreign && kernel.ownership(of: "other") == .absent)
        #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table).isEmpty)
      }
    }
  }

  @Test("however much is wrong with a transaction, its answers aren't taken for others")
  func manyAnswers() throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      let table = ElementEditTests.table(0..<10, .ipv4Address)
      try kernel.apply(TextWriter.write(table))
      // as after somebody flushed the sets: some hundred messages, none of which fits
      let edits = ElementEditTests.edits(
        from: ElementEditTests.table(10..<50_000, .ipv4Address), to: ElementEditTests.table([], .ipv4Address))
      let generation = try kernel.generation()
      let error = #expect(throws: KernelError.self) { try kernel.change(edits, of: "cordon") }
      #expect("\(error!)" == "cannot change elements of table inet cordon: No such file or directory")
      #expect(try kernel.generation() == generation)
      #expect(try kernel.ownership(of: "cordon") == .foreign && kernel.flags(of: "cordon") == 0)
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table).isEmpty)
    }
  }
}
