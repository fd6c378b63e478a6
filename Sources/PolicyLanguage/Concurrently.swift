import Dispatch
import Synchronization

/// Two computations at once, on two cores where there are two.
func concurrently<A: Sendable, B: Sendable>(_ a: @Sendable () -> A, _ b: @Sendable () -> B) -> (A, B) {
  let results = Mutex<(a: A?, b: B?)>((nil, nil))
  DispatchQueue.concurrentPerform(iterations: 2) { number in
    if number == 0 {
      let result = a()
      results.withLock { $0.a = result }
    } else {
      let result = b()
      results.withLock { $0.b = result }
    }
  }
  return results.withLock { ($0.a!, $0.b!) }
}

/// From which size on something is worth a second thread.
struct HalvesLimits: Sendable {
  /// Of a file.
  var bytes = 1 << 18
  /// Of groups or instances.
  var entries = 256
}
