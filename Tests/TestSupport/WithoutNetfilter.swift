import CLinux
import Glibc

extension Shell {
  /// Runs a command that finds no netfilter to speak to, as on a kernel that was built without.
  public static func runWithoutNetfilter(
    _ arguments: [String], environment: [String: String] = [:], directory: String? = nil
  ) throws -> Output {
    // a thread that is refused something can't be freed of it again; it begins in the caller's network namespace
    let work = WithoutNetfilter { try Shell.run(arguments, environment: environment, directory: directory) }
    var thread = pthread_t()
    let refused = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<WithoutNetfilter>.fromOpaque(argument!).takeUnretainedValue().run()
        return nil
      }, Unmanaged.passUnretained(work).toOpaque())
    guard refused == 0 else { throw Failure(description: "pthread_create: \(errorText(refused))") }
    pthread_join(thread, nil)
    if let error = work.error { throw error }
    return work.output!
  }
}

/// What a thread does, and what came of it.
private final class WithoutNetfilter {
  let body: () throws -> Shell.Output
  var output: Shell.Output?
  var error: (any Error)?

  init(_ body: @escaping () throws -> Shell.Output) { self.body = body }

  func run() {
    do {
      guard cordon_refuse_netfilter(EPROTONOSUPPORT) == 0 else {
        throw Shell.Failure(description: "seccomp: \(Shell.errorText(errno))")
      }
      output = try body()
    } catch {
      self.error = error
    }
  }
}
