import Diagnostics
import Nftables
import NftablesKernel
import PacketSpace
import PolicyCompiler

/// The flows that connection tracking holds and a planned policy denies.
///
/// They are counted, and few are kept, however many there are.
struct OpenFlows {
  /// How many are shown.
  private static let longest = 20

  /// All that connection tracking holds.
  private(set) var tracked = 0
  private(set) var denied = 0
  /// Of the denied ones, those that the other end's next packet would begin anew.
  private(set) var answerable = 0
  /// The first of the denied ones, by `Denied`'s order, each with why the policy denies it.
  private(set) var listed: [(flow: Denied, reason: Diagnostic.Note)] = []

  struct Denied {
    var first: Packet
    var hook: Hook

    /// By hook, protocol and destination, so that the same flows are listed alike however the kernel orders them.
    static func precedes(_ a: Denied, _ b: Denied) -> Bool {
      if a.hook != b.hook { return a.hook.rawValue < b.hook.rawValue }
      if a.first.ipProtocol != b.first.ipProtocol { return a.first.ipProtocol < b.first.ipProtocol }
      return (a.first.destination, a.first.transport.destinationPort ?? 0, a.first.source, a.first.transport.bytes)
        < (b.first.destination, b.first.transport.destinationPort ?? 0, b.first.source, b.first.transport.bytes)
    }
  }

  /// Of a kernel that tracks nothing.
  init() {}

  /// Reads what is open, and judges it.
  init(deniedBy compilation: Compilation) throws(KernelError) {
    var conntrack = try Conntrack()
    var criteria = Criteria(compilation, own: try OwnAddresses())
    let isTCPTakenUp = OpenFlows.isTCPTakenUp
    var found = (tracked: 0, denied: 0, answerable: 0, listed: [Denied]())
    try conntrack.read { flow in
      found.tracked += 1
      guard let denied = criteria.denied(flow) else { return }
      found.denied += 1
      if flow.ipProtocol != .tcp || isTCPTakenUp, criteria.judge.allowsAnswer(to: denied.first, at: denied.hook) {
        found.answerable += 1
      }
      if let last = found.listed.last, found.listed.count == OpenFlows.longest, !Denied.precedes(denied, last) { return }
      let place = found.listed.firstIndex { Denied.precedes(denied, $0) } ?? found.listed.count
      found.listed.insert(denied, at: place)
      if found.listed.count > OpenFlows.longest { found.listed.removeLast() }
    }
    (tracked, denied, answerable) = (found.tracked, found.denied, found.answerable)
    for flow in found.listed { listed.append((flow, criteria.judge.reason(flow.first, at: flow.hook))) }
  }

  /// Cuts what is open and denied now.
  static func cut(deniedBy compilation: Compilation) throws(KernelError) -> Conntrack.Cut {
    var conntrack = try Conntrack()
    var criteria = Criteria(compilation, own: try OwnAddresses())
    return try conntrack.cut { criteria.denied($0) != nil }
  }

  /// Whether connection tracking holds nothing: to list that, the kernel walks its table of a hundred thousand places.
  static var isNothingTracked: Bool {
    (try? Files.read("/proc/sys/net/netfilter/nf_conntrack_count")) == Array("0\n".utf8)
  }

  /// Whether a TCP packet from the midst of a connection begins a flow that connection tracking doesn't know.
  private static var isTCPTakenUp: Bool {
    (try? Files.read("/proc/sys/net/netfilter/nf_conntrack_tcp_loose")) != Array("0\n".utf8)
  }

  private struct Criteria {
    private let compilation: Compilation
    private let own: OwnAddresses
    /// Made for the first flow: most namespaces of a test, and some machines, have none.
    private(set) lazy var judge = FlowJudge(compilation)

    init(_ compilation: Compilation, own: OwnAddresses) {
      self.compilation = compilation
      self.own = own
    }

    /// Nil for a flow that the policy would let begin, or says nothing about.
    mutating func denied(_ flow: TrackedFlow) -> Denied? {
      // its first packet is related to another flow, and such packets pass
      if flow.isExpected { return nil }
      let first = flow.firstPacket
      guard let hook = own.hook(of: first), judge.hooks.contains(hook), judge.denies(first, at: hook) else { return nil }
      return Denied(first: first, hook: hook)
    }
  }
}
