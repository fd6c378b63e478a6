import PacketSpace
import TestSupport
import Testing

@testable import Nftables
@testable import NftablesKernel

/// Elements that are changed without libnftables.
@Suite("edits of single elements", .requireNamespaces) struct ExactEditTests {
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

  private static func edits(from live: Ruleset, to planned: Ruleset) -> [ChangePlan.ExactEdit] {
    func contents(_ ruleset: Ruleset) -> [SetContent] { ruleset.maps.map(SetContent.init) + ruleset.sets.map(SetContent.init) }
    var edit = ChangePlan.Edit(zip(contents(live), contents(planned)).map(ElementChange.init), table: "cordon")
    return edit.takeExactEdits()
  }

  @Test("more than fit into a message, of a set and a map", arguments: [DataType.ipv4Address, .ipv6Address])
  func many(type: DataType) throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      var live = ExactEditTests.table(0..<5_000, type)
      try kernel.apply(TextWriter.write(live))
      for (planned, most) in [
        (ExactEditTests.table(1..<4_999, type, isTurned: true), Int.max), (ExactEditTests.table(0..<5, type), 100_000),
        (ExactEditTests.table(0..<5, type, isTurned: true), .max), (ExactEditTests.table(2..<6_000, type), 100_000),
        (ExactEditTests.table([], type), .max),
      ] {
        let generation = try kernel.generation()
        let count = try kernel.change(ExactEditTests.edits(from: live, to: planned), of: "cordon", atMost: most)
        #expect(try kernel.generation() == generation + count)
        #expect(most < .max ? count > 1 : count == 1)
        let rest = RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: planned)
        #expect(rest.isEmpty, "\(rest.text())")
        live = planned
      }
    }
  }

  @Test("what goes makes room for what comes", arguments: [Int.max, 2_000])
  func room(atMost most: Int) throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      func table(_ numbers: Range<Int>) -> Ruleset {
        var result = ExactEditTests.table(numbers, .ipv4Address)
        result.sets[0].size = 192
        result.maps[0].size = 192
        return result
      }
      try kernel.apply(TextWriter.write(table(0..<192)))
      try kernel.change(ExactEditTests.edits(from: table(0..<192), to: table(200..<392)), of: "cordon", atMost: most)
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table(200..<392)).isEmpty)
      let error = #expect(throws: KernelError.self) {
        try kernel.change(ExactEditTests.edits(from: table(0..<0), to: table(400..<593)), of: "cordon")
      }
      #expect("\(error!)".contains("Too many open files in system"))  // ENFILE
      #expect("\(error!)".contains("help: somebody may have filled a set by hand up to its `size`"))
    }
  }

  @Test("where one isn't there nothing is changed")
  func missing() throws {
    try inPrivateNamespace {
      var kernel = try Kernel()
      let table = ExactEditTests.table(0..<10, .ipv4Address)
      try kernel.apply(TextWriter.write(table))
      for (name, numbers) in [("group/web", [3, 10, 4]), ("by.address-1", [10]), ("nothing", [1])] {
        func elements(_ numbers: [Int]) -> [ChangePlan.ExactEdit.Element] {
          ExactEditTests.edits(
            from: ExactEditTests.table([], .ipv4Address), to: ExactEditTests.table(numbers, .ipv4Address)
          )[1].added
        }
        let edits: [ChangePlan.ExactEdit] = [
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
      let table = ExactEditTests.table(0..<10, .ipv4Address)
      try kernel.apply(TextWriter.write(table))
      // as after somebody flushed the sets: some hundred messages, none of which fits
      let edits = ExactEditTests.edits(
        from: ExactEditTests.table(10..<50_000, .ipv4Address), to: ExactEditTests.table([], .ipv4Address))
      let generation = try kernel.generation()
      let error = #expect(throws: KernelError.self) { try kernel.change(edits, of: "cordon") }
      #expect("\(error!)" == "cannot change elements of table inet cordon: No such file or directory")
      #expect(try kernel.generation() == generation)
      #expect(try kernel.ownership(of: "cordon") == .foreign && kernel.flags(of: "cordon") == 0)
      #expect(RulesetDifference.compare(live: try ApplyTests.live(&kernel), planned: table).isEmpty)
    }
  }
}
