import Diagnostics
import Glibc
import NftablesKernel
import PolicyCompiler
import PolicyLanguage

extension NewState {
  /// - Parameters:
  ///   - text: the compilation's.
  ///   - file: the same, where it is on the disk already.
  ///   - kept: a text with which it may have most in common.
  init(
    _ text: [UInt8], _ file: StateFolder.UnnamedFile?, _ compilation: Compilation, _ policies: [AppliedState.PolicyFile],
    beside kept: HashedText?
  ) {
    self.text = HashedText(text, beside: kept)
    self.file = file
    self.policies = policies
    observes = compilation.observes
    host =
      switch compilation.enforcement {
      case .gateway: nil
      case .host(let instance): compilation.policy.instances[instance].name
      }
  }

  /// The policy's files, as they were read.
  static func policies(_ sources: SourceFiles) -> [AppliedState.PolicyFile] {
    sources.files.map { .init(name: absolute($0.name), sha256: SHA256.hex($0.bytes)) }
  }

  private static func absolute(_ name: String) -> String {
    guard let path = realpath(name, nil) else { return name }
    defer { free(path) }
    return String(cString: path)
  }
}

extension StateIndex.Pending {
  /// Says what happens, and, where somebody sits at a terminal, waits for what they say.
  ///
  /// - Throws: `Refusal` where the time went by.
  func awaitConfirmation(_ folder: StateFolder) throws {
    let options =
      (folder.table == "cordon" ? "" : " --table \(folder.table)")
      + (folder.root == StateOptions.defaultFolder ? "" : " --state-dir \(folder.root)")
    let isAsked = isatty(0) == 1 && isatty(2) == 1
    Terminal.say(
      "applied, and undone in \(seconds) seconds (at \(Clock.text(deadline))) unless it is confirmed: "
        + (isAsked ? "press Enter, or " : "") + "run `cordon confirm\(options)`\n")
    if !isAsked { return }
    var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    while try StateStore.pending(folder)?.token == token {
      guard poll(&input, 1, 300) > 0 else { continue }
      var byte: UInt8 = 0
      // whoever hangs up has not confirmed
      guard read(0, &byte, 1) == 1 else { return }
      guard byte == 0x0A else { continue }
      var kernel = try Kernel()
      var store = try StateStore(folder, waiting: 10)
      if store.index?.pending?.token == token, try store.confirm(&kernel) != nil {
        return Terminal.error("confirmed\n")
      }
    }
    if try StateStore.index(folder)?.undone?.state == state {
      throw Refusal("it wasn't confirmed in time: what was in force before is in force again")
    }
    Terminal.error("confirmed, or undone, by another cordon\n")
  }
}
