import CLinux
import Glibc

/// `strerror`, of a copy: the C function's buffer is shared between threads.
func systemErrorText(_ number: Int32) -> String {
  var text = [CChar](repeating: 0, count: 256)
  guard strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A socket to the kernel's nftables, for questions about one object, lists of a few, and changes of elements.
///
/// libnftables has no such question: to say whether a chain is there it reads the rules of the whole table, and of one chain's
/// rules it lists them all.
struct NetfilterSocket: ~Copyable {
  private let file: Int32

  init() throws(KernelError) {
    file = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_NETFILTER)
    if file < 0 { throw KernelError("speak to the kernel's nftables", errno: errno) }
    // an error is answered with the header of what it is about, and not with the whole message, of which a few would fill the buffer
    var one: Int32 = 1
    setsockopt(file, 270, 10, &one, socklen_t(MemoryLayout<Int32>.size))  // SOL_NETLINK, NETLINK_CAP_ACK
  }

  deinit { close(file) }

  /// What can be asked for, with the attributes that name it. Source: linux/netfilter/nf_tables.h.
  enum Question {
    case table(String)
    case chain(table: String, name: String)
    /// A set or a map.
    case set(table: String, name: String)
    /// Of a set or map without intervals: its key, each field filled up to 4 bytes.
    case element(table: String, set: String, key: [UInt8])
    /// The generation of all tables together.
    case generation

    /// nf_tables' own number: NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETSET, NFT_MSG_GETSETELEM or NFT_MSG_GETGEN.
    fileprivate var messageType: UInt16 {
      switch self {
      case .table: 1
      case .chain: 4
      case .set: 10
      case .element: 13
      case .generation: 16
      }
    }

    fileprivate var attributes: NetlinkAttributeWriter {
      var writer = NetlinkAttributeWriter()
      switch self {
      case .table(let name): writer.append(1, name)  // NFTA_TABLE_NAME
      case .chain(let table, let name):
        writer.append(1, table)  // NFTA_CHAIN_TABLE
        writer.append(3, name)  // NFTA_CHAIN_NAME
      case .set(let table, let name):
        writer.append(1, table)  // NFTA_SET_TABLE
        writer.append(2, name)  // NFTA_SET_NAME
      case .element(let table, let set, let key):
        writer.append(1, table)  // NFTA_SET_ELEM_LIST_TABLE
        writer.append(2, set)  // NFTA_SET_ELEM_LIST_SET
        // NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM, NFTA_SET_ELEM_KEY and NFTA_DATA_VALUE
        writer.nest(3) { list in list.nest(1) { element in element.nest(1) { $0.append(1, key) } } }
      case .generation: break
      }
      return writer
    }
  }

  /// What can be listed, and of what it is a part.
  enum Listing {
    case chains(table: String)
    case rules(table: String, chain: String)
    /// Sets and maps, those that rules have of their own among them.
    case sets(table: String)
    /// Messages of many elements each.
    case elements(table: String, set: String)

    /// NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETSET or NFT_MSG_GETSETELEM.
    fileprivate var messageType: UInt16 {
      switch self {
      case .chains: 4
      case .rules: 7
      case .sets: 10
      case .elements: 13
      }
    }

    /// The table is the first attribute of all of them, the chain or the set the second.
    fileprivate var attributes: NetlinkAttributeWriter {
      var writer = NetlinkAttributeWriter()
      switch self {
      case .chains(let table), .sets(let table): writer.append(1, table)
      case .rules(let table, let name), .elements(let table, let name):
        writer.append(1, table)
        writer.append(2, name)
      }
      return writer
    }
  }

  /// Asks about an object of family `inet`.
  ///
  /// - Parameter operation: what for, to say in an error.
  /// - Returns: its attributes, or nil where there is no such object.
  borrowing func ask(_ question: Question, _ operation: String) throws(KernelError) -> NetlinkAttributes? {
    try send(question.messageType, question.attributes, flags: 0, operation)
    let answer = try receive(operation)
    guard answer.count >= 20 else { throw KernelError(operation, errno: EPROTO) }
    let header = Header(answer[...])
    if header.type == Header.error {
      let error = header.error
      if error == ENOENT { return nil }
      throw KernelError(operation, answer: error)
    }
    return NetlinkAttributes(answer[20...])
  }

  /// Lists objects of family `inet`.
  ///
  /// - Returns: the attributes of each message; nil where the ruleset was changed meanwhile, or there is no such table, chain or
  ///   set.
  borrowing func list(_ listing: Listing, _ operation: String) throws(KernelError) -> [NetlinkAttributes]? {
    try send(listing.messageType, listing.attributes, flags: 0x300, operation)  // NLM_F_DUMP
    var result: [NetlinkAttributes] = []
    var isWhole = true
    while true {
      let answer = try receive(operation)
      var rest = answer[...]
      while rest.count >= 16 {
        let header = Header(rest)
        guard header.length >= 16, header.length <= rest.count else { throw KernelError(operation, errno: EPROTO) }
        isWhole = isWhole && !header.isInterrupted
        switch header.type {
        case Header.done: return isWhole ? result : nil
        case Header.error:
          if header.error == ENOENT { return nil }
          throw KernelError(operation, answer: header.error)
        default:
          result.append(NetlinkAttributes(rest[(rest.startIndex + 20)..<(rest.startIndex + max(20, header.length))]))
        }
        rest = rest.dropFirst((header.length + 3) & ~3)
      }
    }
  }

  /// Of a message of netlink: length, type, flags, sequence number and port; of NLMSG_ERROR also the error behind it.
  private struct Header {
    static let error: UInt16 = 2
    static let done: UInt16 = 3
    let length: Int
    let type: UInt16
    /// NLM_F_DUMP_INTR.
    let isInterrupted: Bool
    let error: Int32

    /// - Precondition: at least 16 bytes.
    init(_ message: ArraySlice<UInt8>) {
      (length, type, isInterrupted, error) = message.withUnsafeBytes {
        (
          Int($0.loadUnaligned(fromByteOffset: 0, as: UInt32.self)), $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self),
          $0.loadUnaligned(fromByteOffset: 6, as: UInt16.self) & 0x10 != 0,
          // in other messages other things stand there, which may be a number that has no negative
          $0.count < 20 ? EPROTO : 0 &- $0.loadUnaligned(fromByteOffset: 16, as: Int32.self)
        )
      }
    }
  }

  /// What can be changed.
  enum Change {
    case makeElements(NetlinkAttributeWriter)
    case deleteElements(NetlinkAttributeWriter)

    /// NFT_MSG_NEWSETELEM, with NLM_F_CREATE, or NFT_MSG_DELSETELEM.
    fileprivate var message: (type: UInt16, flags: UInt16, attributes: [UInt8]) {
      switch self {
      case .makeElements(let writer): (12, 0x400, writer.bytes)
      case .deleteElements(let writer): (14, 0, writer.bytes)
      }
    }
  }

  /// Makes changes of objects of family `inet`, in one transaction if the socket's send buffer can be made to hold it.
  ///
  /// - Parameters:
  ///   - changes: in order; those of one array are made in one transaction in any case.
  ///   - most: how many bytes a transaction may have at most, if the buffer would hold more: for tests of smaller ones.
  /// - Returns: how many transactions it took.
  /// - Throws: `KernelError` where the kernel doesn't take a transaction: then nothing of that one is changed.
  borrowing func transact(
    _ changes: [[Change]], atMost most: Int = .max, _ operation: String
  ) throws(KernelError) -> UInt32 {
    var size = 2 * 20
    for change in changes.joined() { size += 20 + change.message.attributes.count }
    // who may make the buffer larger than the system's limit does; netlink takes messages of up to 32 bytes less than it is
    var number = Int32(clamping: size + 32)
    setsockopt(file, SOL_SOCKET, SO_SNDBUFFORCE, &number, socklen_t(MemoryLayout<Int32>.size))
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(file, SOL_SOCKET, SO_SNDBUF, &number, &length)
    var count: UInt32 = 0
    var batch: [Change] = []
    size = 2 * 20
    for group in changes {
      let own = group.reduce(0) { $0 + 20 + $1.message.attributes.count }
      if !batch.isEmpty, size + own > min(most, Int(number) - 32) {
        try transact(batch, operation)
        count += 1
        (batch, size) = ([], 2 * 20)
      }
      batch += group
      size += own
    }
    if batch.isEmpty { return count }
    try transact(batch, operation)
    return count + 1
  }

  /// - Precondition: there is a change.
  private borrowing func transact(_ changes: [Change], _ operation: String) throws(KernelError) {
    // NFNL_MSG_BATCH_BEGIN and _END, for nf_tables
    let edge: [UInt8] = [0, 0, 0, 10]
    var messages = message(type: 16, flags: 0, body: edge)
    for (place, change) in changes.enumerated() {
      let (type, flags, attributes) = change.message
      // errors are answered in any case, and that it is done where NLM_F_ACK asks for it
      let last: UInt16 = place == changes.count - 1 ? 4 : 0
      messages += message(type: 10 << 8 | type, flags: flags | last, body: [1, 0, 0, 0] + attributes)
    }
    try send(messages + message(type: 17, flags: 0, body: edge), operation)
    // all answers are there when the kernel has taken the messages: that it is done, and what is wrong with changes or the batch
    var error: Int32 = 0
    while true {
      let (answer, number) = read(waiting: error == 0)
      if answer.isEmpty && number == EAGAIN { break }
      // what found no room in the buffer is missing behind those that did
      if answer.isEmpty && number == ENOBUFS {
        error = error == 0 ? number : error
        continue
      }
      guard answer.count >= 16 else { throw KernelError(operation, errno: answer.isEmpty ? number : EPROTO) }
      let header = Header(answer[...])
      guard header.type == Header.error else { throw KernelError(operation, errno: EPROTO) }
      // of several the first tells most
      if error == 0 || error == ENOBUFS { error = header.error }
      if header.error == 0 { break }
    }
    if error != 0 { throw KernelError(operation, errno: error) }
  }

  private borrowing func send(
    _ type: UInt16, _ attributes: NetlinkAttributeWriter, flags: UInt16, _ operation: String
  ) throws(KernelError) {
    // nfgenmsg: NFPROTO_INET; NFNL_SUBSYS_NFTABLES
    try send(message(type: 10 << 8 | type, flags: flags, body: [1, 0, 0, 0] + attributes.bytes), operation)
  }

  private borrowing func send(_ messages: [UInt8], _ operation: String) throws(KernelError) {
    // what an earlier question that failed left unread is no answer to this one
    while true {
      let (rest, number) = read(waiting: false)
      if rest.isEmpty && number != ENOBUFS { break }
    }
    guard Glibc.send(file, messages, messages.count, 0) == messages.count else { throw KernelError(operation, errno: errno) }
  }

  private borrowing func message(type: UInt16, flags: UInt16, body: [UInt8]) -> [UInt8] {
    var message: [UInt8] = []
    append(UInt32(16 + body.count), to: &message)
    append(type, to: &message)
    append(1 | flags, to: &message)  // NLM_F_REQUEST
    append(UInt32(1), to: &message)  // sequence number
    append(UInt32(0), to: &message)  // port: the socket's own
    return message + body
  }

  private borrowing func receive(_ operation: String) throws(KernelError) -> [UInt8] {
    let (answer, number) = read(waiting: true)
    if answer.count < 16 { throw KernelError(operation, errno: answer.isEmpty ? number : EPROTO) }
    return answer
  }

  /// - Parameter isWaiting: else nothing is read where nothing is there, and the error is EAGAIN.
  /// - Returns: some messages; or none, and the error's number.
  private borrowing func read(waiting isWaiting: Bool) -> (answer: [UInt8], error: Int32) {
    var error: Int32 = 0
    // the kernel fills at most 32 KiB of what is asked for
    let answer = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
      let flags = isWaiting ? 0 : Int32(MSG_DONTWAIT)
      repeat { count = recv(file, buffer.baseAddress!, buffer.count, flags) } while count < 0 && errno == EINTR
      if count < 0 { error = errno }
      count = max(0, count)
    }
    return (answer, error)
  }

  private borrowing func append<T: FixedWidthInteger>(_ number: T, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number) { bytes += $0 }
  }
}
