import Glibc
import PacketSpace

/// Who is logged in at a terminal, as /run/utmp has it (utmp(5)).
struct LoginRecord: Equatable {
  /// Below /dev, such as `pts/3`.
  var terminal: String
  /// The process that serves the session.
  var pid: Int32
  /// Where the session comes from, in the words of whoever wrote the record; empty for here.
  var host: String
  var address: IPAddress?

  /// Whether it comes from another machine. Not so a display (`:0`) and what tmux writes for its panes (`tmux(812).%0`).
  var isRemote: Bool {
    if let address { return !(address.family == .ipv4 ? address.value >> 24 == 127 : address.value == 1) }
    return !host.isEmpty && !host.hasPrefix(":") && !host.hasPrefix("tmux(")
  }

  /// All logins of a file, in the layout that the machine's C library has for it; a record that is cut off is left out.
  static func all(_ bytes: [UInt8]) -> [LoginRecord] {
    let size = MemoryLayout<utmp>.size
    return bytes.withUnsafeBytes { bytes in
      stride(from: 0, through: bytes.count - size, by: size).compactMap {
        LoginRecord(bytes.loadUnaligned(fromByteOffset: $0, as: utmp.self))
      }
    }
  }

  /// Nil where the record is of no login.
  private init?(_ record: utmp) {
    guard Int32(record.ut_type) == Int32(USER_PROCESS) else { return nil }
    terminal = LoginRecord.text(record.ut_line)
    pid = record.ut_pid
    host = LoginRecord.text(record.ut_host)
    // in the order of the wire; IPv4 fills the first four bytes only
    let wire = withUnsafeBytes(of: record.ut_addr_v6) { Array($0) }
    let value = wire.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    if value == 0 {
      address = IPAddress(host)?.unmapped
    } else if wire[4...].allSatisfy({ $0 == 0 }) {
      address = IPAddress(.ipv4, value >> 96)
    } else {
      address = IPAddress(v6: value).unmapped
    }
  }

  /// A field of characters, which may fill it without a zero behind them.
  private static func text(_ field: some Any) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
