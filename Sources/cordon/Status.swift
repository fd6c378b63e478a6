import ArgumentParser
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

  /// Does what may be refused by the kernel or the system, and says how it was.
  static func refusing<T: ~Copyable>(_ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as KernelError {
      Terminal.error("error: \(error)\n")
    } catch let error as SystemError {
      Terminal.error("error: \(error)\n")
    } catch let error as Refusal {
      Terminal.error("error: \(error)\n")
    }
    throw refused
  }
}
