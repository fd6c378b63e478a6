import CNftables
import Glibc
import Synchronization

/// The owner of a libnftables context; the only place that speaks to the C library.
///
/// A context opens its netlink socket when it is made, and so stays in the network namespace of the thread that made it.
struct NftContext: ~Copyable {
  /// What a run came to.
  struct Outcome {
    var isDone: Bool
    var output: [UInt8]
    var error: [UInt8]
  }

  enum Format {
    case text, json
  }

  private let context: OpaquePointer

  /// libnftables looks names up by libc calls that share a buffer between threads, such as getprotobyname, and counts
  /// its contexts in a plain variable.
  private static let library = Mutex(())

  /// - Precondition: the process can open a netfilter socket. Where it can't, `nft_ctx_new` ends the process.
  init() throws(KernelError) {
    guard let context = NftContext.library.withLock({ _ in nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) }) else {
      throw KernelError("speak to the kernel's nftables", "libnftables gives no context")
    }
    self.context = context
  }

  deinit {
    NftContext.library.withLock { _ in nft_ctx_free(context) }
  }

  /// Runs commands in nft's language, as one transaction.
  ///
  /// They are handed over as a file in memory: of a buffer, libnftables quotes the first line wherever an error is, and
  /// gives no line number.
  ///
  /// - Parameters:
  ///   - commands: whatever they are; only C's own end of text, NUL, is for the caller to refuse.
  ///   - isDryRun: the kernel judges the transaction and drops it.
  /// - Throws: `KernelError` where there is no such file to be had. What libnftables thinks is in the outcome.
  mutating func run(_ commands: [UInt8], output format: Format = .text, isDryRun: Bool = false) throws(KernelError) -> Outcome {
    let file = try MemoryFile(commands)
    return NftContext.library.withLock { _ in
      // buffering anew empties the buffers of the run before
      nft_ctx_buffer_output(context)
      nft_ctx_buffer_error(context)
      defer {
        nft_ctx_unbuffer_output(context)
        nft_ctx_unbuffer_error(context)
      }
      nft_ctx_set_dry_run(context, isDryRun)
      // protocols as numbers: their names would be those of whatever /etc/protocols says
      let json = UInt32(NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PROTO)
      nft_ctx_output_set_flags(context, format == .json ? json : 0)
      let status = nft_run_cmd_from_filename(context, file.path)
      return Outcome(
        isDone: status == 0, output: copy(nft_ctx_get_output_buffer(context)),
        error: copy(nft_ctx_get_error_buffer(context)).replacing(Array("\(file.path):".utf8), with: Array("line ".utf8)))
    }
  }

  private func copy(_ text: UnsafePointer<CChar>?) -> [UInt8] {
    guard let text else { return [] }
    return Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }
}
