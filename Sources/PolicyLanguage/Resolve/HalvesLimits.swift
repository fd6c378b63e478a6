/// From which size on something is worth a second thread.
struct HalvesLimits: Sendable {
  /// Of a file.
  var bytes = 1 << 18
  /// Of groups or instances.
  var entries = 256
}
