import Dispatch
import Synchronization

/// The result of a computation that goes on beside this thread, on another core where there is one.
final class Later<Value: Sendable>: Sendable {
  private let result = Mutex<Value?>(nil)
  private let end = DispatchGroup()

  init(_ body: @escaping @Sendable () -> Value) {
    DispatchQueue.global().async(group: end) {
      let value = body()
      self.result.withLock { $0 = value }
    }
  }

  /// Waits for it.
  var value: Value {
    end.wait()
    return result.withLock { $0! }
  }
}
