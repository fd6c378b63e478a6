import Nftables

/// The `size` that a set or map of single addresses declares.
///
/// The kernel has two hashes: one that grows with its elements, and one for sets of known size, in which a packet finds an
/// address with fewer steps and which loads faster. But a size is a limit, and it is a part of the declaration, so that a set
/// whose size changes has to be made anew. So sizes have room for twice what a set holds at least, and they come in large steps:
/// most sets keep theirs for as long as they live.
enum SetSize {
  /// For three quarters of 512 buckets, as many as the kernel makes of it: the set takes 4 KiB.
  private static let smallest = 384
  private static let step = 8
  /// 16 MiB of buckets.
  private static let largest = smallest * step * step * step * step

  /// Nil for intervals, and for what is so large that it is left to the hash that grows.
  static func of(_ elements: Elements) -> Int? {
    if elements.hasIntervals { return nil }
    var size = smallest
    while size < 2 * elements.count { size *= step }
    return size > largest ? nil : size
  }
}
