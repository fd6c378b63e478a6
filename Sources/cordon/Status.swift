import ArgumentParser
import Diagnostics
import NftablesKernel

/// The exit statuses of the command: a contract with scripts.
enum Status {
  /// The policy has errors, or a check of it failed.
  static let failed = ExitCode(1)
  static let differs = ExitCode(2)
  /// The kernel or the system refused.
  static let refused = ExitCode(3)
  /// Our own bug.
  static let bug = ExitCode(70)

  /// Does what may be refused by the kernel or the system, and says how it was: as words, or as a diagnostic in JSON.
  static func refusing<T: ~Copyable>(_ format: OutputFormat = .human, _ body: () throws -> T) throws -> T {
    let words: String
    do {
      return try body()
    } catch let error as KernelError {
      words = "\(error)"
    } catch let error as SystemError {
      words = "\(error)"
    } catch let error as Refusal {
      words = "\(error)"
    }
    switch format {
    case .human, .plain: Terminal.say("error: \(words)\n")
    case .json:
      let parts = words.split(separator: "\nhelp: ", maxSplits: 1).map { String($0) }
      let diagnostic = Diagnostic(.error, "refused", parts[0], at: nil, help: parts.count > 1 ? parts[1] : nil)
      Terminal.error(JSONRenderer().render([diagnostic], in: SourceFiles()))
    }
    throw refused
  }
}
