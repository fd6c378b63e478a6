import CSockets
import Glibc

/// A link into which whole frames are put, past the sender's own IP stack.
struct PacketSocket {
  private let descriptor: Int32

  init(link: String) {
    descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
    require(descriptor >= 0, "no packet socket: \(String(cString: strerror(errno)))")
    let index = if_nametoindex(link)
    require(index > 0, "no link \(link)")
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_ifindex = Int32(index)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size)) }
    }
    require(bound == 0, "cannot bind to \(link): \(String(cString: strerror(errno)))")
    // a frame goes straight to the driver, which is the other namespace's: no queue in between
    var isDirect: Int32 = 1
    setsockopt(descriptor, SOL_PACKET, PACKET_QDISC_BYPASS, &isDirect, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Sends frames and tells how many nanoseconds of this thread's CPU one took. A frame is forwarded in the call that sends it,
  /// on the same CPU, so that time is the router's, and nobody else's on the machine.
  func nanoseconds(sending frames: [[UInt8]]) -> Double {
    var bytes = frames.flatMap { $0 }
    return bytes.withUnsafeMutableBytes { bytes in
      var parts: [iovec] = []
      var offset = 0
      for frame in frames {
        parts.append(iovec(iov_base: bytes.baseAddress! + offset, iov_len: frame.count))
        offset += frame.count
      }
      return parts.withUnsafeMutableBufferPointer { parts in
        var messages = parts.indices.map { index in
          var message = socket_message()
          message.header.msg_iov = parts.baseAddress! + index
          message.header.msg_iovlen = 1
          return message
        }
        let start = Self.now()
        var sent = 0
        while sent < messages.count {
          let count = messages.withUnsafeMutableBufferPointer {
            sendmmsg(descriptor, $0.baseAddress! + sent, UInt32($0.count - sent), 0)
          }
          require(count > 0, "cannot send: \(String(cString: strerror(errno)))")
          sent += Int(count)
        }
        return (Self.now() - start) / Double(frames.count)
      }
    }
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
}
