import PacketSpace

/// The TCP sockets of a network namespace, as /proc/net/tcp and tcp6 list them, as far as connections tell of.
struct SocketTable {
  private struct Socket {
    var ends: ConnectionEnds
    var inode: UInt64
  }
  /// The local end first is the server's; who really began it the kernel doesn't say.
  private var established: [Socket] = []
  /// The sockets that listen, by port.
  private var listeners: [UInt16: [UInt64]] = [:]

  init() {}

  /// Takes in the lines of such a file; what isn't one is left out, as its heading is.
  mutating func add(_ bytes: [UInt8]) {
    for line in bytes.split(separator: 0x0A) {
      // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
      let words = line.split(separator: 0x20, maxSplits: 10)
      guard words.count > 9, let local = SocketTable.end(words[1]), let state = SocketTable.hex(words[3]),
        let inode = UInt64(String(decoding: words[9], as: UTF8.self))
      else { continue }
      switch state {
      case 0x01:
        guard let remote = SocketTable.end(words[2]) else { continue }
        established.append(Socket(ends: ConnectionEnds(client: remote, server: local), inode: inode))
      case 0x0A: listeners[local.port, default: []].append(inode)
      default: break
      }
    }
  }

  /// Whether such a connection is open, with the server's end here.
  func contains(_ ends: ConnectionEnds) -> Bool { established.contains { $0.ends == ends } }

  /// The connections that a process with these sockets serves.
  ///
  /// A server of sessions has other connections too, those of forwarded ports. So where there are some to a port at which
  /// somebody else listens, as the sshd does that began this one, it is those; else those to a port at which anybody does; else
  /// all.
  func served(by inodes: Set<UInt64>) -> [ConnectionEnds] {
    let own = established.filter { inodes.contains($0.inode) }.map(\.ends)
    let listened = own.filter { listeners[$0.server.port] != nil }
    let accepted = listened.filter { !listeners[$0.server.port]!.allSatisfy(inodes.contains) }
    return [accepted, listened, own].first { !$0.isEmpty } ?? []
  }

  // MARK: - Text

  /// `0A0110AC:0016`: the address in words of 32 bits as this machine has them in memory, the port as a number.
  private static func end(_ text: ArraySlice<UInt8>) -> ConnectionEnds.End? {
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count == 4, let port = hex(parts[1]), parts[0].count == 8 || parts[0].count == 32 else {
      return nil
    }
    var value: UInt128 = 0
    for start in stride(from: parts[0].startIndex, to: parts[0].endIndex, by: 8) {
      guard let word = hex(parts[0][start..<start + 8]) else { return nil }
      value = value << 32 | UInt128(UInt32(bigEndian: UInt32(word)))
    }
    let address = parts[0].count == 8 ? IPAddress(.ipv4, value) : IPAddress(v6: value)
    return ConnectionEnds.End(address: address.unmapped, port: UInt16(port))
  }

  /// At most eight digits.
  private static func hex(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard (1...8).contains(digits.count) else { return nil }
    return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
