import ArgumentParser
import PacketSpace
import PolicyLanguage

/// `cordon test`: the policy's own claims, for all packets.
struct Test: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prove or break what a policy expects of itself.",
    discussion: """
      Each entry of `expect` is judged for every packet that it speaks of, from end to end through a gateway: not a sample. One \
      that doesn't hold shows a packet that breaks it, the packet's way through both ends, and the rule that decided. Exits \
      with 1 where any is broken.
      """)

  @OptionGroup var policy: PolicyOptions

  func run() throws {
    let (accepted, _) = try policy.load(isTested: true)
    let count = accepted.expectations.count
    switch policy.outputFormat {
    case .human, .plain:
      Terminal.say(count == 0 ? "the policy expects nothing of itself\n" : "\(count) of \(count) expectations hold\n")
    case .json:
      try Status.refusing(policy.outputFormat) { try Terminal.output("{\"expectations\":\(count),\"broken\":0}\n") }
    }
  }
}
