import Dispatch
import Synchronization

/// Two computations at once, on two cores where there are two. Either may go on to use all cores itself, which inside
/// `concurrentPerform` it couldn't.
func concurrently<A, B: Sendable>(_ a: () -> A, _ b: @Sendable () -> B) -> (A, B) {
  withoutActuallyEscaping(b) { b in
    let result = Mutex<B?>(nil)
    let group = DispatchGroup()
    DispatchQueue.global().async(group: group) {
      let value = b()
      result.withLock { $0 = value }
    }
    let first = a()
    group.wait()
    return (first, result.withLock { $0! })
  }
}

/// From which size on something is worth a second thread.
struct HalvesLimits: Sendable {
  /// Of a file.
  var bytes = 1 << 18
  /// Of groups or instances.
  var entries = 256
}
