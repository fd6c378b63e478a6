// send-flows ROUNDS PACKETS ROUTER:FLOWS...: what the first packet of a flow costs on the way through a router.
//
// ROUTER is a network namespace that `ip netns` has named and to which a link in-ROUTER leads from here and a link ex-ROUTER
// from there back here; FLOWS is a file of pick-flows. In each round every router gets that many packets of its flows, one router
// after the other, so that what disturbs the machine disturbs all of them. Writes a line of JSON for each ROUTER:FLOWS: the median
// and the quartiles of nanoseconds a packet. Every packet must pass.

import CSockets
import Glibc

let router: [UInt8] = [2, 0, 0, 0, 0, 1]
let sender: [UInt8] = [2, 0, 0, 0, 0, 2]
/// A flow that is known costs a place in a table that all namespaces share; it is emptied before it is half full.
let flowsKept = 100_000

/// A router and the flows that it gets.
struct Series {
  var router: String
  var file: String
  var flows: Flows
  var socket: PacketSocket
  var sent = 0
  var samples: [Double] = []

  init(_ words: [Substring]) {
    router = String(words[0])
    file = String(words[1])
    flows = Flows(lines: Files.text(file))
    socket = PacketSocket(link: "in-\(router)")
  }

  var json: String {
    let sorted = samples.sorted()
    func quantile(_ part: Double) -> String { String((sorted[Int(Double(sorted.count - 1) * part)] * 10).rounded() / 10) }
    return """
      {"router":"\(router)","flows":"\(file)","ns":\(quantile(0.5)),"low":\(quantile(0.25)),"high":\(quantile(0.75))}
      """
  }
}

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count > 2, let rounds = Int(arguments[1]), let packets = Int(arguments[2]) else {
  fatalError("usage: send-flows ROUNDS PACKETS ROUTER:FLOWS...")
}
var series = arguments.dropFirst(2).map { Series($0.split(separator: ":")) }
let routers = Set(series.map(\.router)).sorted()
let tables = routers.map(Conntrack.init)

// one CPU, and before others
var cpu: UInt64 = 1 << 1
_ = sched_setaffinity(0, MemoryLayout<UInt64>.size, &cpu)
_ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -20)

let receivedBefore = Files.packetsReceived()
var known = flowsKept
for _ in 0..<rounds {
  // in another order each time, so that none always finds the caches as a certain other one has left them
  for index in series.indices.shuffled() {
    if known + packets > flowsKept {
      for table in tables { table.flush() }
      usleep(100_000)  // what was forgotten is freed a little later
      known = 0
    }
    known += packets
    let frames = (0..<packets).map { _ in series[index].flows.nextFrame(to: router, from: sender) }
    series[index].samples.append(series[index].socket.nanoseconds(sending: frames))
    series[index].sent += packets
  }
}
usleep(100_000)

let receivedAfter = Files.packetsReceived()
for router in routers {
  let link = "ex-\(router)"
  let received = receivedAfter[link]! - receivedBefore[link]!
  let sent = series.filter { $0.router == router }.reduce(0) { $0 + $1.sent }
  // a router says a word or two of its own, to find its neighbours
  require(sent...sent + 20 ~= received, "\(received) of \(sent) packets passed \(router)")
}
for each in series { print(each.json) }
