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
  /// - Parameter isPatient: whether this thread and all that it starts leave the cores to others where these are busy.
  public init(isPatient: Bool = false, _ body: @escaping @Sendable () -> Value) {
    end.enter()
    Run.start {
      // of the thread alone, as Linux has it
      if isPatient { setpriority(Int32(PRIO_PROCESS.rawValue), 0, 5) }
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
  private let allowed = ProcessorSet.allowed

  private init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  static func start(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let run = Run(body)
    let handed = Unmanaged.passRetained(run)
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    // the scheduler often begins a thread on its parent's processor and moves it milliseconds later, by when it may be done
    let elsewhere = run.allowed.withoutCurrent
    elsewhere?.withBytes { _ = pthread_attr_setaffinity_np(&attributes, $0.count, $0.baseAddress!) }
    let refused = pthread_create(
      &thread, &attributes,
      { handed in
        let run = Unmanaged<Run>.fromOpaque(handed!).takeRetainedValue()
        // it has begun elsewhere; from now on it runs where it may
        run.allowed.withBytes { _ = sched_setaffinity(0, $0.count, $0.baseAddress!) }
        run.body()
        return nil
      }, handed.toOpaque())
    if refused == 0 {
      pthread_detach(thread)
    } else {
      handed.takeRetainedValue().body()
    }
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
