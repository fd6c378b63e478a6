// generate-policy large|huge|GROUPS [SEED]: a policy of that many groups, to stdout; the same bytes for the same words.

let sizes = ["large": 1_000, "huge": 10_000]
let arguments = CommandLine.arguments.dropFirst()
guard let size = arguments.first, let groups = sizes[size] ?? Int(size), groups > 20,
  let seed = arguments.count > 1 ? UInt64(arguments[arguments.startIndex + 1]) : 1
else { fatalError("usage: generate-policy large|huge|GROUPS [SEED], with more than 20 groups") }

var generator = PolicyGenerator(groups: groups, seed: seed)
generator.generate()
print(generator.text, terminator: "")
