import CConntrack
import CLinux
import Glibc
import PacketSpace

/// Connection tracking of the network namespace in which the calling thread stood when this was made.
///
/// The flows of both families and of all zones are read one after the other, and none is kept: there may be a million.
public struct Conntrack: ~Copyable {
  private let handle: OpaquePointer
  /// For what is asked while a listing is under way.
  private let other: OpaquePointer

  /// - Throws: `KernelError` where the process gets no netlink socket.
  public init() throws(KernelError) {
    guard let handle = nfct_open(UInt8(NFNL_SUBSYS_CTNETLINK), 0) else {
      throw KernelError("speak to the kernel's connection tracking", errno: errno)
    }
    guard let other = nfct_open(UInt8(NFNL_SUBSYS_CTNETLINK), 0) else {
      let number = errno
      nfct_close(handle)
      throw KernelError("speak to the kernel's connection tracking", errno: number)
    }
    self.handle = handle
    self.other = other
  }

  deinit {
    nfct_close(handle)
    nfct_close(other)
  }

  /// Calls `body` with each flow. One that changes meanwhile may come twice.
  ///
  /// - Throws: `KernelError` where the kernel doesn't list them, for want of CAP_NET_ADMIN or of the module `nf_conntrack_netlink`.
  public mutating func read(_ body: (TrackedFlow) -> Void) throws(KernelError) {
    try list { flow, _ in body(flow) }
  }

  /// What became of the flows that were to be cut.
  public struct Cut: Hashable, Sendable {
    public var count = 0
    /// Those that the kernel doesn't give up, and why the first of them.
    public var failures = 0
    public var failure: String?

    public init() {}
  }

  /// Forgets the flows that `isCut` says so of: the next packet of each is judged as the first of a new one.
  ///
  /// Exactly the flow that was listed is forgotten, and not one that began with the same ends and ports a moment later. What
  /// packets began that were on their way when this was called is seen, too.
  public mutating func cut(where isCut: (TrackedFlow) -> Bool) throws(KernelError) -> Cut {
    cordon_wait_for_cpus()
    var cut = Cut()
    let socket = nfct_fd(other)
    try list { flow, message in
      guard isCut(flow) else { return }
      switch Conntrack.delete(message, socket) {
      case 0: cut.count += 1
      case ENOENT: break  // over by itself, or listed twice
      case let number:
        cut.failures += 1
        cut.failure = cut.failure ?? systemErrorText(number)
      }
    }
    return cut
  }

  // MARK: - Listing

  private struct Listing {
    var body: (TrackedFlow, UnsafePointer<nlmsghdr>) -> Void
  }

  private mutating func list(_ body: (TrackedFlow, UnsafePointer<nlmsghdr>) -> Void) throws(KernelError) {
    let handle = handle
    let number: Int32 = withoutActuallyEscaping(body) { body in
      var listing = Listing(body: body)
      return withUnsafeMutablePointer(to: &listing) { listing in
        let callback:
          @convention(c) (
            UnsafePointer<nlmsghdr>?, nf_conntrack_msg_type, OpaquePointer?, UnsafeMutableRawPointer?
          ) -> Int32 = { message, _, entry, listing in
            if let message, let entry, let listing, let flow = Conntrack.flow(entry) {
              listing.assumingMemoryBound(to: Listing.self).pointee.body(flow, message)
            }
            return Int32(NFCT_CB_CONTINUE)
          }
        guard nfct_callback_register2(handle, NFCT_T_ALL, callback, listing) == 0 else { return errno }
        defer { nfct_callback_unregister2(handle) }
        var family = UInt32(AF_UNSPEC)
        return nfct_query(handle, NFCT_Q_DUMP, &family) == 0 ? 0 : errno
      }
    }
    if number != 0 { throw KernelError("list the connections that are open", errno: number) }
  }

  /// Nil where the entry lacks an address.
  private static func flow(_ entry: OpaquePointer) -> TrackedFlow? {
    guard
      let original = tuple(
        entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_SRC,
        ATTR_ORIG_PORT_DST),
      let reply = tuple(
        entry, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_SRC, ATTR_REPL_IPV6_DST, ATTR_REPL_PORT_SRC,
        ATTR_REPL_PORT_DST), original.source.family == reply.source.family
    else { return nil }
    return TrackedFlow(
      IPProtocol(rawValue: nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO)), original: original, reply: reply,
      icmpType: nfct_get_attr_u8(entry, ATTR_ICMP_TYPE), icmpCode: nfct_get_attr_u8(entry, ATTR_ICMP_CODE),
      isExpected: nfct_get_attr_u32(entry, ATTR_STATUS) & IPS_EXPECTED.rawValue != 0)
  }

  private static func tuple(
    _ entry: OpaquePointer, _ source4: nf_conntrack_attr, _ destination4: nf_conntrack_attr, _ source6: nf_conntrack_attr,
    _ destination6: nf_conntrack_attr, _ sourcePort: nf_conntrack_attr, _ destinationPort: nf_conntrack_attr
  ) -> TrackedFlow.Tuple? {
    guard let source = address(entry, source4, source6), let destination = address(entry, destination4, destination6),
      source.family == destination.family
    else { return nil }
    return .init(
      source, destination, sourcePort: UInt16(bigEndian: nfct_get_attr_u16(entry, sourcePort)),
      destinationPort: UInt16(bigEndian: nfct_get_attr_u16(entry, destinationPort)))
  }

  private static func address(_ entry: OpaquePointer, _ v4: nf_conntrack_attr, _ v6: nf_conntrack_attr) -> IPAddress? {
    if let value = nfct_get_attr(entry, v4) { return IPAddress(v4: UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))) }
    if let value = nfct_get_attr(entry, v6) { return IPAddress(v6: UInt128(bigEndian: value.loadUnaligned(as: UInt128.self))) }
    return nil
  }

  // MARK: - Deleting

  /// Deletes the entry of a listing's message, and returns the error's number or 0.
  ///
  /// libnetfilter_conntrack's own deletion leaves the entry's number out, and so could hit another entry with the same tuple.
  /// Here the kernel gets back what it said: tuple, zone and number, which is made of the tuple and the entry's place in memory.
  private static func delete(_ message: UnsafePointer<nlmsghdr>, _ socket: Int32) -> Int32 {
    let bytes = UnsafeRawBufferPointer(start: message, count: Int(message.pointee.nlmsg_len))
    let kept = [UInt16(CTA_TUPLE_ORIG.rawValue), UInt16(CTA_ZONE.rawValue), UInt16(CTA_ID.rawValue)]
    var body = Array(bytes[16..<20])  // nfgenmsg: the family
    var hasTuple = false
    var at = 20
    while at + 4 <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
      guard length >= 4, at + length <= bytes.count else { break }
      let type = bytes.loadUnaligned(fromByteOffset: at + 2, as: UInt16.self) & 0x3FFF
      if kept.contains(type) {
        hasTuple = hasTuple || type == kept[0]
        body += bytes[at..<at + length]
        while body.count % 4 != 0 { body.append(0) }
      }
      at += (length + 3) & ~3
    }
    // a deletion that names no tuple is one of all entries
    guard hasTuple else { return EPROTO }

    var request: [UInt8] = []
    func append<T: FixedWidthInteger>(_ number: T) { withUnsafeBytes(of: number) { request += $0 } }
    append(UInt32(16 + body.count))
    append(UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_DELETE.rawValue))
    append(UInt16(NLM_F_REQUEST | NLM_F_ACK))
    append(UInt32(1))  // sequence number
    append(UInt32(0))  // port: the socket's own
    request += body
    guard send(socket, request, request.count, 0) == request.count else { return errno }
    var answer = [UInt8](repeating: 0, count: 1024)
    let count = recv(socket, &answer, answer.count, 0)
    guard count >= 20 else { return count < 0 ? errno : EPROTO }
    return answer.withUnsafeBytes { -$0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
  }
}
