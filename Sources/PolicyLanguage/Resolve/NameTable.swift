import Glibc

/// A dictionary from names as bytes to small values, without a string for each look-up.
///
/// Open addressing with randomly seeded hashes, so that no choice of names makes it slow. Nothing iterates it.
struct NameTable<Value> {
  private struct Entry {
    var hash: Int
    var start: Int
    var count: Int
    var value: Value
  }

  private var entries: [Entry] = []
  /// The bytes of all names, one behind the other.
  private var bytes: [UInt8] = []
  /// Indices into `entries`, or -1; the count is a power of two and more than half of it is free.
  private var slots = [Int32](repeating: -1, count: 16)

  subscript(name: ScalarBytes) -> Value? {
    let slot = slots[slot(of: name, hash: hash(name))]
    return slot < 0 ? nil : entries[Int(slot)].value
  }

  /// Adds a name; if it is there already, nothing changes.
  /// - Returns: The value that the name had before.
  mutating func insert(_ name: ScalarBytes, _ value: Value) -> Value? {
    let hash = hash(name)
    let found = slot(of: name, hash: hash)
    if slots[found] >= 0 { return entries[Int(slots[found])].value }
    slots[found] = Int32(entries.count)
    entries.append(Entry(hash: hash, start: bytes.count, count: name.count, value: value))
    bytes.append(contentsOf: name)
    if entries.count * 2 >= slots.count { grow() }
    return nil
  }

  /// All names, in the order they were added.
  var names: some Sequence<String> {
    entries.lazy.map { String(decoding: bytes[$0.start..<$0.start + $0.count], as: UTF8.self) }
  }

  var count: Int { entries.count }

  private func hash(_ name: ScalarBytes) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(name))
    return hasher.finalize()
  }

  /// The slot that holds the name, or the free one where it belongs.
  private func slot(of name: ScalarBytes, hash: Int) -> Int {
    let mask = slots.count - 1
    var slot = hash & mask
    while slots[slot] >= 0, !isEntry(Int(slots[slot]), name, hash) { slot = (slot + 1) & mask }
    return slot
  }

  private func isEntry(_ index: Int, _ name: ScalarBytes, _ hash: Int) -> Bool {
    guard entries[index].hash == hash, entries[index].count == name.count else { return false }
    let start = entries[index].start
    return bytes.withUnsafeBufferPointer { name.isEmpty || memcmp($0.baseAddress! + start, name.baseAddress!, name.count) == 0 }
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 4)
    let mask = slots.count - 1
    for (index, entry) in entries.enumerated() {
      var slot = entry.hash & mask
      while slots[slot] >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Int32(index)
    }
  }
}
