import Glibc

/// Ends the program with that message where something isn't so.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  if condition { return }
  let line = "send-flows: \(message())\n"
  _ = line.withCString { write(2, $0, strlen($0)) }
  exit(1)
}
