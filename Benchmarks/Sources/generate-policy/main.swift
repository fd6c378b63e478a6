// generate-policy SHAPE [SEED]: a policy of that shape, to stdout; the same bytes for the same words.

import Model

let arguments = CommandLine.arguments.dropFirst()
guard let shape = arguments.first.flatMap(Shape.init), let seed = UInt64(arguments.dropFirst().first ?? "1")
else { fatalError("usage: generate-policy \(Shape.usage) [SEED]") }

print(PolicyGenerator.policy(shape, seed: seed).text, terminator: "")
