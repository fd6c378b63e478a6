import TestSupport
import Testing

/// `--output-format` of every command that reads a policy, for policies in order and others.
struct ReportTests {
  private static let commands: [[String]] = [
    ["compile", "-"], ["compile", "-", "--host", "web-2"], ["compile", "-", "--cost"], ["test", "-"], ["lint", "-"],
    ["effective", "web-1", "-"],
    ["effective", "wbe-1", "-"], ["explain", "-", "--from", "office", "--to", "web"],
    ["explain", "-", "--from", "offcie", "--to", "web", "--service", "tpc/1"], ["format", "-", "--check"],
    ["diff", "-", "--against", "missing.nft"], ["compile", "-", "-o", "/dev/full"],
  ]
  private static let policies = [
    Sample.policy, Sample.broken, "groups: { web: { typ: basic }\n", Sample.policy.replacing("/24", with: "/2"), "",
  ]

  @Test(arguments: commands)
  func jsonParsesAndNothingHasEscapes(command: [String]) throws {
    for policy in ReportTests.policies {
      var statuses = Set<Int32>()
      for format in ["human", "plain", "json"] {
        let done = try Cordon.run(command + ["--output-format", format], stdin: Array(policy.utf8))
        statuses.insert(done.status)
        #expect([0, 1, 2, 3].contains(done.status), "\(command) \(done.stderr)")
        #expect(!HostileInputTests.hasControls(done.stdoutBytes + done.stderrBytes), "\(command)")
        guard format == "json" else { continue }
        if !done.stdout.isEmpty && (command[0] != "compile" || command.contains("--cost")) { _ = try JSON(done.stdoutBytes) }
        // what is found first, such as warnings, and a refusal later on are objects of their own
        for object in done.stderr.replacing("\n{\"diagnostics\"", with: "\n\u{0}{\"diagnostics\"").split(separator: "\u{0}") {
          let report = try JSON(Array(object.utf8))
          #expect(report["diagnostics"]?.list?.isEmpty == false, "\(command) \(done.stderr)")
        }
      }
      #expect(statuses.count == 1, "how it is said changes nothing about it: \(command) \(statuses)")
    }
  }

  @Test func colourIsForTerminalsOnly() throws {
    let policy = "groups: { web: { typ: basic } }\n"
    try Sample.withFolder(policy) { folder in
      let script = "script -qec '\(Cordon.path) policy.yaml' /dev/null; true"
      let shown = try Shell.run(["bash", "-c", script], environment: ["NO_COLOR": ""], directory: folder).stdout
      let plain = try Shell.run(["bash", "-c", script], environment: ["NO_COLOR": "1"], directory: folder).stdout
      #expect(shown.contains("\u{1B}[1;31merror"))
      #expect(plain.contains("error[unknown-key]") && !plain.contains("\u{1B}"))
    }
  }
}
