// pick-flows SHAPE usual|worst [COUNT] [SEED]: UDP flows that the policy of that shape and seed allows, a line each: source,
// destination, port.

import Model

let arguments = Array(CommandLine.arguments.dropFirst())
guard let shape = arguments.first.flatMap(Shape.init), arguments.count > 1,
  let choice = FlowPicker.Choice(rawValue: arguments[1]), let count = arguments.count > 2 ? Int(arguments[2]) : 1_000,
  let seed = arguments.count > 3 ? UInt64(arguments[3]) : 1
else { fatalError("usage: pick-flows \(Shape.usage) usual|worst [COUNT] [SEED]") }

let policy = PolicyGenerator.policy(shape, seed: seed)
for line in FlowPicker.lines(policy, choice, count: count, seed: seed) { print(line) }
