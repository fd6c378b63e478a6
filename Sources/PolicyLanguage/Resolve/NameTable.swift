import Glibc

/// A dictionary from names as bytes to small values, without a string for each look-up.
///
/// Open addressing with randomly seeded hashes, so that no choice of names makes it slow. Nothing iterates it.
struct NameTable<Value: Sendable>: Sendable {
  private struct Entry {
    var start: UInt32
    var count: UInt32
    var value: Value
  }

  /// An entry's hash and index, or none.
  private struct Slot {
    static var free: Slot { Slot(hash: 0, entry: -1) }
    var hash: UInt32
    var entry: Int32
  }

  private var entries: [Entry] = []
  /// The bytes of all names, one behind the other.
  private var bytes: [UInt8] = []
  /// The count is a power of two and half of it or more is free.
  private var slots = [Slot](repeating: .free, count: 16)
  private let hash = TextHash()

  /// The value of a name. It changes nothing, and is `mutating` since the compiler would else copy the table for each look-up
  /// from within a closure, and count a reference to each of its arrays.
  subscript(name: ScalarBytes) -> Value? {
    mutating get {
      let entry = slots[slot(of: name, hash: hash(name))].entry
      return entry < 0 ? nil : entries[Int(entry)].value
    }
  }

  /// Adds a name; if it is there already, nothing changes.
  /// - Returns: The value that the name had before.
  mutating func insert(_ name: ScalarBytes, _ value: Value) -> Value? {
    let hash = hash(name)
    let found = slot(of: name, hash: hash)
    if slots[found].entry >= 0 { return entries[Int(slots[found].entry)].value }
    slots[found] = Slot(hash: hash, entry: Int32(entries.count))
    entries.append(Entry(start: UInt32(bytes.count), count: UInt32(name.count), value: value))
    bytes.append(contentsOf: name)
    if entries.count * 2 > slots.count { grow(to: slots.count * 4) }
    return nil
  }

  /// Makes room for so many more names.
  mutating func reserve(_ more: Int) {
    entries.reserveCapacity(count + more)
    var size = slots.count
    while size < (count + more) * 2 { size *= 2 }
    if size > slots.count { grow(to: size) }
  }

  /// All names, in the order they were added.
  var names: some Sequence<String> {
    entries.lazy.map { String(decoding: bytes[Int($0.start)..<Int($0.start) + Int($0.count)], as: UTF8.self) }
  }

  var count: Int { entries.count }

  /// The slot that holds the name, or the free one where it belongs.
  private func slot(of name: ScalarBytes, hash: UInt32) -> Int {
    let mask = slots.count - 1
    var slot = Int(hash) & mask
    while slots[slot].entry >= 0, slots[slot].hash != hash || !isEntry(Int(slots[slot].entry), name) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  private func isEntry(_ index: Int, _ name: ScalarBytes) -> Bool {
    guard Int(entries[index].count) == name.count else { return false }
    let start = Int(entries[index].start)
    return bytes.withUnsafeBufferPointer { name.isEmpty || memcmp($0.baseAddress! + start, name.baseAddress!, name.count) == 0 }
  }

  private mutating func grow(to size: Int) {
    let old = slots
    slots = [Slot](repeating: .free, count: size)
    for taken in old where taken.entry >= 0 {
      var slot = Int(taken.hash) & (size - 1)
      while slots[slot].entry >= 0 { slot = (slot + 1) & (size - 1) }
      slots[slot] = taken
    }
  }
}
