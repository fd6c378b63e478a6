import CSockets
import Glibc

/// The connection tracking of a network namespace.
struct Conntrack {
  private let descriptor: Int32

  /// Of a namespace that `ip netns` has named.
  init(namespace: String) {
    let own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    let other = open("/run/netns/\(namespace)", O_RDONLY | O_CLOEXEC)
    require(own >= 0 && setns(other, CLONE_NEWNET) == 0, "no namespace \(namespace)")
    descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), NETLINK_NETFILTER)
    let isBack = setns(own, CLONE_NEWNET) == 0
    require(descriptor >= 0 && isBack, "no netfilter socket in \(namespace)")
    close(own)
    close(other)
  }

  /// Forgets all flows: IPCTNL_MSG_CT_DELETE without a tuple, and waits for the kernel's answer.
  func flush() {
    var request: [UInt8] = []
    func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { request += $0 } }
    append(UInt32(20))  // nlmsghdr: length, NFNL_SUBSYS_CTNETLINK and the message's type, flags, sequence, port
    append(UInt16(1 << 8 | 2))
    append(UInt16(NLM_F_REQUEST | NLM_F_ACK))
    append(UInt64(0))
    append(UInt32(0))  // nfgenmsg: any family, version 0
    let sent = send(descriptor, request, request.count, 0)
    var answer = [UInt8](repeating: 0, count: 256)
    let received = recv(descriptor, &answer, answer.count, 0)
    require(sent == request.count && received >= 20, "cannot flush connection tracking")
    let error = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
    require(error == 0, "cannot flush connection tracking: \(String(cString: strerror(-error)))")
  }
}
