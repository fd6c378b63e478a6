import CLinux
import Dispatch
import Glibc
import Synchronization

/// The result of a computation that goes on beside this thread, on another core where there is one.
///
/// It has a thread of its own: dispatch has as many as there are cores, so that what is begun beside a proof would wait for its
/// end.
public final class Later<Value: Sendable>: Sendable {
  private let result = Mutex<Value?>(nil)
  private let end = DispatchGroup()

  /// Where the system has no thread to give, this returns when the computation is done.
  ///
  /// - Parameter isPatient: whether its thread, and those that it starts, leave the cores to others where these are busy.
  public init(isPatient: Bool = false, _ body: @escaping @Sendable () -> Value) {
    end.enter()
    Run.start(isPatient: isPatient) {
      let value = body()
      self.result.withLock { $0 = value }
      self.end.leave()
    }
  }

  /// Waits for it.
  public var value: Value {
    end.wait()
    return result.withLock { $0! }
  }
}

/// Two computations at once, on two cores where there are two.
public func concurrently<A, B: Sendable>(_ a: () -> A, _ b: @escaping @Sendable () -> B) -> (A, B) {
  let second = Later(b)
  let first = a()
  return (first, second.value)
}

/// Does work on all cores at once, which shares it out itself: what each of the threads does is up to `work`.
///
/// - Parameter pieces: how many threads have something to do at most.
public func onAllCores(pieces: Int, _ work: @escaping @Sendable () -> Void) {
  let count = min(pieces, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  let others = (1..<max(1, count)).map { _ in Later(work) }
  work()
  for other in others { other.value }
}

/// What a thread does.
private final class Run: Sendable {
  private let body: @Sendable () -> Void
  private let isPatient: Bool
  private let allowed = ProcessorSet.allowed

  private init(isPatient: Bool, _ body: @escaping @Sendable () -> Void) {
    self.isPatient = isPatient
    self.body = body
  }

  static func start(isPatient: Bool, _ body: @escaping @Sendable () -> Void) {
    let run = Run(isPatient: isPatient, body)
    // the scheduler often begins a thread on its parent's processor and moves it milliseconds later, by when it may be done; where
    // a sandbox lets nobody say where a thread runs, it begins as it comes
    if let elsewhere = run.allowed.withoutCurrent, run.begin(on: elsewhere) { return }
    if !run.begin(on: nil) { body() }
  }

  /// False where the system gives no such thread.
  private func begin(on processors: ProcessorSet?) -> Bool {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    processors?.withBytes { _ = pthread_attr_setaffinity_np(&attributes, $0.count, $0.baseAddress!) }
    let handed = Unmanaged.passRetained(self)
    let refused = pthread_create(
      &thread, &attributes,
      { handed in
        let run = Unmanaged<Run>.fromOpaque(handed!).takeRetainedValue()
        // it has begun elsewhere; from now on it runs where it may
        run.allowed.withBytes { _ = sched_setaffinity(0, $0.count, $0.baseAddress!) }
        // of this thread alone, as Linux has it
        if run.isPatient { setpriority(Int32(PRIO_PROCESS.rawValue), 0, 10) }
        run.body()
        return nil
      }, handed.toOpaque())
    if refused != 0 {
      handed.release()
      return false
    }
    pthread_detach(thread)
    return true
  }
}

/// Processors, a bit for each, as sched_setaffinity(2) takes them.
private struct ProcessorSet {
  private var words: [UInt64]

  /// Those that this thread may run on; empty where that can't be said.
  static var allowed: ProcessorSet {
    var words = [UInt64](repeating: 0, count: 128)
    let count = words.withUnsafeMutableBytes { sched_getaffinity(0, $0.count, $0.baseAddress!) }
    return ProcessorSet(words: count == 0 ? words : [])
  }

  /// Less the one that it runs on; nil where there is no other.
  var withoutCurrent: ProcessorSet? {
    let current = Int(sched_getcpu())
    guard words.indices.contains(current / 64) else { return nil }
    var result = self
    result.words[current / 64] &= ~(1 << UInt64(current % 64))
    return result.words.allSatisfy { $0 == 0 } ? nil : result
  }

  func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
    if !words.isEmpty { words.withUnsafeBytes(body) }
  }
}
