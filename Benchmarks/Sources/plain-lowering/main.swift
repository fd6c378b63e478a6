// plain-lowering [--bare] SHAPE [SEED]: the policy that generate-policy makes of the same words, as the plainest ruleset for nft that
// means the same, in table inet plain; or with --bare what is left of it without its rules.

import Model

var arguments = CommandLine.arguments.dropFirst()
let isBare = arguments.first == "--bare"
if isBare { arguments.removeFirst() }
guard let shape = arguments.first.flatMap(Shape.init), let seed = UInt64(arguments.dropFirst().first ?? "1")
else { fatalError("usage: plain-lowering [--bare] \(Shape.usage) [SEED]") }

print(PlainLowering(PolicyGenerator.policy(shape, seed: seed), isBare: isBare).text(), terminator: "")
