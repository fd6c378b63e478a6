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
  public init(_ body: @escaping @Sendable () -> Value) {
    end.enter()
    Run.start {
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

  private init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  static func start(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let run = Unmanaged.passRetained(Run(body))
    let refused = pthread_create(
      &thread, nil,
      { run in
        Unmanaged<Run>.fromOpaque(run!).takeRetainedValue().body()
        return nil
      }, run.toOpaque())
    if refused == 0 {
      pthread_detach(thread)
    } else {
      run.takeRetainedValue().body()
    }
  }
}
