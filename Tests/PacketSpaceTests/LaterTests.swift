import CLinux
import Glibc
import PacketSpace
import Testing

@Suite struct LaterTests {
  /// Where this thread may run.
  private static func processors() -> [UInt64] {
    var words = [UInt64](repeating: 0, count: 128)
    #expect(words.withUnsafeMutableBytes { sched_getaffinity(0, $0.count, $0.baseAddress!) } == 0)
    return words
  }

  /// A thread begins on another processor, and then runs wherever the one may that began it.
  @Test func runsWhereItsParentMay() {
    let own = LaterTests.processors()
    for _ in 0..<100 { #expect(Later { LaterTests.processors() }.value == own) }
  }

  /// Also where that is one processor.
  @Test func runsOnOneProcessor() {
    // in a thread of its own, which ends with the test
    let (own, other) = Later {
      var words = LaterTests.processors()
      let first = words.firstIndex { $0 != 0 }!
      words = words.indices.map { $0 == first ? words[first] & ~(words[first] - 1) : 0 }
      #expect(words.withUnsafeBytes { sched_setaffinity(0, $0.count, $0.baseAddress!) } == 0)
      return (words, Later { LaterTests.processors() }.value)
    }.value
    #expect(other == own)
  }

  /// Patience is the thread's own, and that of those it starts.
  @Test func patienceIsTheThreads() {
    @Sendable func nice() -> Int32 { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }
    let own = nice()
    let (patient, inner) = Later(isPatient: true) { (nice(), Later { nice() }.value) }.value
    #expect(patient == 10 && inner == 10)
    #expect(nice() == own && Later { nice() }.value == own)
  }

  @Test func givesWhatComesOfBoth() {
    let (a, b) = concurrently({ (1...1000).reduce(0, +) }, { (1...100).reduce(0, +) })
    #expect(a == 500_500 && b == 5050)
  }
}
