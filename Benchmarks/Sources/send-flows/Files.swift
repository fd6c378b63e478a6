import Glibc

enum Files {
  static func text(_ path: String) -> String {
    guard let file = fopen(path, "r") else { fatalError("cannot read \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// How many packets each link of this namespace has received.
  static func packetsReceived() -> [String: Int] {
    let lines = text("/proc/thread-self/net/dev").split(separator: "\n").dropFirst(2)
    return Dictionary(
      uniqueKeysWithValues: lines.map { line in
        let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
        return (String(words[0]), Int(words[2])!)
      })
  }
}
