import Glibc

/// The kernel, libnftables or the system refused something.
public struct KernelError: Error, Hashable, Sendable {
  /// What was tried, such as `load the ruleset`.
  public var operation: String
  /// What libnftables said, or the system's word for its error; never empty. Long lines and long lists are cut.
  public var words: String
  /// What to do about it, or nil.
  public var help: String?

  init(_ operation: String, _ words: String, help: String? = nil) {
    self.operation = operation
    self.words = words
    self.help = help
  }
}

extension KernelError: CustomStringConvertible {
  /// `cannot OPERATION: WORDS`, and the help on a line of its own.
  public var description: String {
    "cannot \(operation): \(words)" + (help.map { "\nhelp: \($0)" } ?? "")
  }
}

extension KernelError {
  /// An error in libnftables' words, with help where they are known to puzzle.
  init(_ operation: String, libnftables words: [UInt8]) {
    let text = KernelError.shortened(words)
    self.init(operation, text.isEmpty ? "libnftables gives no reason" : text, help: KernelError.help(for: text))
  }

  /// An error of a system call.
  init(_ operation: String, errno number: Int32) {
    let text = systemErrorText(number)
    self.init(operation, text, help: KernelError.help(for: text))
  }

  /// An error that netfilter answers a question with. What is asked is in order: so netfilter answers where nobody is there who
  /// could be asked (nfnetlink.c, `nfnetlink_rcv_msg`).
  init(_ operation: String, answer number: Int32) {
    if number == EINVAL || number == EOPNOTSUPP {
      self.init(operation, "the kernel has no nf_tables", help: KernelError.helpWithoutNftables)
    } else {
      self.init(operation, errno: number)
    }
  }

  private static let helpWithoutNftables = "load the module with `modprobe nf_tables`, or run a kernel that has it"

  private static func help(for words: String) -> String? {
    if words.contains("Operation not permitted") || words.contains("Permission denied") {
      return
        "run it as root: reading and changing nftables needs CAP_NET_ADMIN, and a network namespace CAP_SYS_ADMIN, which root "
        + "in a container may lack"
    }
    if words.contains("Message too long") {
      return
        "the transaction is larger than a socket's send buffer: an unprivileged container can't make that larger, so raise the "
        + "sysctls net.core.wmem_default and net.core.wmem_max in the initial network namespace, or run it as root of the machine"
    }
    if words.contains("Protocol not supported") { return helpWithoutNftables }
    if words.contains("Too many open files in system") {
      // ENFILE, which nf_tables gives where a set has no room left
      return
        "somebody may have filled a set by hand up to its `size`: look at what differs with `cordon status`, and apply again; "
        + "else raise the sysctl fs.file-max"
    }
    if words.contains("No buffer space available") {
      return "a listing is larger than a socket's receive buffer may be: raise the sysctl net.core.rmem_max"
    }
    return nil
  }

  /// libnftables quotes the offending lines whole, however long, under each of its messages. Here: 40 lines of 400 bytes.
  static func shortened(_ words: [UInt8]) -> String {
    let newline = UInt8(ascii: "\n")
    let lines = words.split(separator: newline)
    var shown = lines.prefix(40).map { line in
      String(decoding: line.prefix(400), as: UTF8.self) + (line.count > 400 ? "…" : "")
    }
    if lines.count > 40 { shown.append("… and \(lines.count - 40) more lines") }
    return shown.joined(separator: "\n")
  }
}
