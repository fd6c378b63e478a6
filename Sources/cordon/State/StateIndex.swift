import FoundationEssentials
import Glibc

/// A ruleset that was put into force, or found there. Its text is a file beside the index.
struct AppliedState: Codable {
  /// How it came into force.
  enum Origin: String, Codable {
    case applied
    /// It was there when Cordon came, or somebody had changed what Cordon applied.
    case found
  }
  struct PolicyFile: Codable, Equatable {
    var name: String
    var sha256: String
  }

  /// Counts from 1.
  var number: Int
  var origin: Origin
  /// Seconds since 1970.
  var time: Int
  /// None where it was found.
  var policies: [PolicyFile]
  /// The instance that the machine was compiled as.
  var host: String?
  /// Whether it drops nothing (`--observe`).
  var observes: Bool
  /// The version of Cordon.
  var cordon: String
  /// Of its text; nil where there was no table.
  var sha256: String?
  /// Whether it was to stay: applied without `--confirm`, or confirmed.
  var isConfirmed: Bool
  /// What was in force before it.
  var previous: Int?

  var fileName: String { "\(number).nft" }
}

/// All that is known of the states of one table in one network namespace.
struct StateIndex: Codable {
  /// Something that is undone unless somebody confirms it.
  struct Pending: Codable {
    var state: Int
    /// What comes back.
    var previous: Int
    /// By which the guard knows its own.
    var token: String
    /// Seconds since 1970, for people.
    var deadline: Int
    /// In nanoseconds of CLOCK_BOOTTIME, which nobody can set, in that boot.
    var bootTime: UInt64
    var boot: String
    var namespace: UInt64?
    /// How long it was to wait.
    var seconds: Int
  }
  /// The kernel's generation when it held the current state, read back: as long as that is equal nothing was changed. It counts anew
  /// in each network namespace.
  struct Generation: Codable, Equatable {
    var number: UInt32
    var boot: String
    /// Nil in what versions before wrote, which equals none.
    var namespace: UInt64?
  }
  struct Undone: Codable {
    var state: Int
    var time: Int
  }

  var format = 1
  /// By number; the oldest may be gone.
  var states: [AppliedState]
  /// What was last put into force.
  var current: Int
  /// What comes back at boot.
  var confirmed: Int
  var pending: Pending?
  /// What was undone last, since nobody confirmed it; until something else is applied.
  var undone: Undone?
  var generation: Generation?

  func state(_ number: Int?) -> AppliedState? { states.first { $0.number == number } }
  var currentState: AppliedState? { state(current) }
  var nextNumber: Int { (states.last?.number ?? 0) + 1 }

  /// How many states are kept, besides those that are still of use.
  static let kept = 10

  /// Leaves out what is too old to be gone back to.
  mutating func prune() {
    let young = Set(states.suffix(StateIndex.kept).map(\.number))
    let used = [current, confirmed, pending?.previous, currentState?.previous]
    states.removeAll { !young.contains($0.number) && !used.contains($0.number) }
  }

  mutating func modify(_ number: Int, _ body: (inout AppliedState) -> Void) {
    guard let index = states.firstIndex(where: { $0.number == number }) else { return }
    body(&states[index])
  }

  // MARK: - As a file

  var bytes: [UInt8] { Array(JSONText.encode(self).utf8) }

  /// - Throws: `Refusal` where the file isn't one, or contradicts itself.
  init(_ bytes: [UInt8], path: String) throws {
    guard let index = try? JSONDecoder().decode(StateIndex.self, from: Data(bytes)), index.isSound else {
      throw Refusal(
        "\(path) is damaged, or of another version of cordon\n"
          + "help: move it away; what is in force stays, and the next --apply begins a new history")
    }
    self = index
  }

  init(first: AppliedState) {
    states = [first]
    current = first.number
    confirmed = first.number
  }

  private var isSound: Bool {
    let numbers = states.map(\.number)
    return format == 1 && !numbers.isEmpty && zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 } && numbers[0] > 0
      && numbers.last! < 1 << 40 && numbers.contains(current) && numbers.contains(confirmed)
      && (pending.map { numbers.contains($0.state) && numbers.contains($0.previous) } ?? true)
  }
}

/// Clocks.
enum Clock {
  /// Seconds since 1970.
  static var now: Int { time(nil) }

  /// Nanoseconds since the machine started, sleep included; nobody can set this clock.
  static var sinceBoot: UInt64 {
    var value = timespec()
    clock_gettime(CLOCK_BOOTTIME, &value)
    return UInt64(value.tv_sec) * 1_000_000_000 + UInt64(value.tv_nsec)
  }

  /// `2026-11-24T03:46:26Z`.
  static func text(_ seconds: Int) -> String {
    var seconds = seconds
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 64)
    strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
