import CLinux
import Glibc

/// `strerror`, of a copy: the C function's buffer is shared between threads.
func systemErrorText(_ number: Int32) -> String {
  var text = [CChar](repeating: 0, count: 256)
  guard strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A socket to the kernel's nftables, for questions about one object.
///
/// libnftables has no such question: to say whether a chain is there it reads the rules of the whole table.
struct NetfilterSocket: ~Copyable {
  private let file: Int32

  init() throws(KernelError) {
    file = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_NETFILTER)
    if file < 0 { throw KernelError("speak to the kernel's nftables", errno: errno) }
  }

  deinit { close(file) }

  /// What can be asked for, with the attributes that name it. Source: linux/netfilter/nf_tables.h.
  enum Question {
    case table(String)
    case chain(table: String, name: String)
    /// The generation of all tables together.
    case generation

    /// nfnetlink's message type: nf_tables' own number, and NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN or NFT_MSG_GETGEN.
    var messageType: UInt16 {
      switch self {
      case .table: 10 << 8 | 1
      case .chain: 10 << 8 | 4
      case .generation: 10 << 8 | 16
      }
    }

    /// NFTA_TABLE_NAME; NFTA_CHAIN_TABLE and NFTA_CHAIN_NAME.
    var attributes: [(type: UInt16, text: String)] {
      switch self {
      case .table(let name): [(1, name)]
      case .chain(let table, let name): [(1, table), (3, name)]
      case .generation: []
      }
    }
  }

  /// Asks about an object of family `inet`.
  ///
  /// - Parameter operation: what for, to say in an error.
  /// - Returns: the values of its attributes by their type, or nil where there is no such object.
  borrowing func ask(_ question: Question, _ operation: String) throws(KernelError) -> [UInt16: [UInt8]]? {
    var body: [UInt8] = [1, 0, 0, 0]  // nfgenmsg: NFPROTO_INET
    for (type, text) in question.attributes {
      let value = Array(text.utf8) + [0]
      append(UInt16(4 + value.count), to: &body)
      append(type, to: &body)
      body += value
      while body.count % 4 != 0 { body.append(0) }
    }
    var message: [UInt8] = []
    append(UInt32(16 + body.count), to: &message)
    append(question.messageType, to: &message)
    append(UInt16(1), to: &message)  // NLM_F_REQUEST: one object, one answer
    append(UInt32(1), to: &message)  // sequence number
    append(UInt32(0), to: &message)  // port: the socket's own
    message += body
    guard send(file, message, message.count, 0) == message.count else { throw KernelError(operation, errno: errno) }

    var answer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(file, &answer, answer.count, 0)
    guard count >= 20 else { throw KernelError(operation, errno: count < 0 ? errno : EPROTO) }
    return try attributes(of: answer[..<count], operation)
  }

  /// The attributes of the one message that an answer holds: NLMSG_ERROR, or a header of 16 bytes, nfgenmsg and attributes.
  private borrowing func attributes(
    of answer: ArraySlice<UInt8>, _ operation: String
  ) throws(KernelError) -> [UInt16: [UInt8]]? {
    func number<T: FixedWidthInteger>(at offset: Int, as type: T.Type) -> T {
      answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
    if number(at: 4, as: UInt16.self) == 2 {
      let error = -number(at: 16, as: Int32.self)
      if error == ENOENT { return nil }
      throw KernelError(operation, errno: error)
    }
    var values: [UInt16: [UInt8]] = [:]
    var at = 20
    while at + 4 <= answer.count {
      let length = Int(number(at: at, as: UInt16.self))
      guard length >= 4, at + length <= answer.count else { throw KernelError(operation, errno: EPROTO) }
      values[number(at: at + 2, as: UInt16.self) & 0x3FFF] = Array(answer[at + 4..<at + length])
      at += (length + 3) & ~3
    }
    return values
  }

  private borrowing func append<T: FixedWidthInteger>(_ number: T, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number) { bytes += $0 }
  }
}
