import PacketSpace
import PolicyLanguage
import Testing

@testable import cordon

/// What stands behind `--keep`.
struct FlowArgumentTests {
  @Test(arguments: [
    ("198.51.100.7->:22", "198.51.100.7", nil, "tcp/22"),
    ("198.51.100.7->172.16.1.10:22", "198.51.100.7", "172.16.1.10", "tcp/22"),
    ("198.51.100.0/24->172.16.0.0/16:udp/60000-61000", "198.51.100.0/24", "172.16.0.0/16", "udp/60000-61000"),
    ("[2001:db8::7]->[fd00:1::10]:65535", "2001:db8::7", "fd00:1::10", "tcp/65535"),
    ("[2001:db8::/32]->:sctp/1", "2001:db8::/32", nil, "sctp/1"),
    ("0.0.0.0/0->:tcp/443", "0.0.0.0/0", nil, "tcp/443"),
  ])
  func reads(text: String, client: String, server: String?, service: String) throws {
    let flow = try FlowArgument(text)
    #expect(flow.client.description == client && flow.server?.description == server && flow.service.description == service)
  }

  @Test(arguments: [
    ("", "no `->`"), ("198.51.100.7", "no `->`"), ("198.51.100.7-", "the shell takes it"), ("198.51.100.7:22", "no `->`"),
    ("->:22", "no client"), (":22->:22", "no client"), ("198.51.100.7:50022->:22", "comes from any port"),
    ("2001:db8::7->:22", "client has several colons"), ("[2001:db8::7->:22", "not closed"),
    ("[198.51.100.7]->:22", "only those stand in brackets"), ("[]->:22", "only those stand in brackets"),
    ("[2001:db8::7]x->:22", "`x` behind"), ("[2001:db8::7]->fd00::1:22", "server has several colons"),
    ("[2001:db8::7]->fd00::22", "server has several colons"), ("[2001:db8::7]->[fd00::1]22", "no `:PORT`"),
    ("198.51.100.7->", "no `:PORT`"), ("198.51.100.7->22", "neither an address"), ("198.51.100.7->172.16.1.10", "no `:PORT`"),
    ("198.51.100.7->web-1:22", "neither an address"), ("office->:22", "neither an address"),
    ("198.51.100.7->[fd00::1]:22", "not of one family"), ("198.51.100.7/24->:22", "without further bits"),
    ("198.51.100.7/33->:22", "neither an address"), ("198.51.100.7/->:22", "neither an address"),
    ("198.51.100.7->:", "no port"), ("198.51.100.7->:ssh", "no port"), ("198.51.100.7->:0", "no port"),
    ("198.51.100.7->:65536", "no port"), ("198.51.100.7->:22-", "no port"), ("198.51.100.7->:9-8", "no port"),
    ("198.51.100.7->:tcp", "no port"), ("198.51.100.7->:icmp/8", "no port"), ("198.51.100.7->:tcp/1/2", "no port"),
    ("198.51.100.7->:+22", "no port"), ("198.51.100.7->:٢٢", "no port"), ("198.51.100.7 -> :22", "neither an address"),
  ])
  func refuses(text: String, words: String) {
    do {
      _ = try FlowArgument(text)
      Issue.record("\(text) was read")
    } catch {
      #expect(error.description.contains(words) && error.description.hasSuffix(FlowArgument.grammar), "\(text): \(error)")
    }
  }
}
