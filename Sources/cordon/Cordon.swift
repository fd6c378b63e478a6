import ArgumentParser
import CLinux

/// The command: security groups, compiled to nftables.
@main
struct Cordon: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "cordon",
    abstract: "Security groups, compiled to nftables.",
    discussion: """
      POLICY is a file, a folder (its *.yaml files), or - for standard input; several make one policy.
      `cordon POLICY...` alone is `cordon compile POLICY...`.

      EXIT STATUS
        0   done
        1   the policy has errors, or a test or lint of it failed
        2   differences were found
        3   the kernel or the system refused
        64  the command line is wrong
        70  a bug in cordon itself
      """,
    version: version,
    subcommands: [
      Compile.self, Diff.self, Test.self, Explain.self, Effective.self, Lint.self, Format.self, StatusCommand.self,
      History.self, Confirm.self, Rollback.self, Restore.self, GuardCommand.self, ListTable.self,
    ],
    defaultSubcommand: Compile.self)

  static func main() {
    // what is large goes back to the system whenever it is freed: glibc would soon take it from the heap, where it leaves holes
    _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
    // what is small is kept, and asked for in large pieces: else one stage gives pages back that the next one fetches again
    _ = mallopt(M_TRIM_THRESHOLD, Int32.max)
    _ = mallopt(M_TOP_PAD, 16 << 20)
    Terminal.reserve()
    main(nil)
  }
}
