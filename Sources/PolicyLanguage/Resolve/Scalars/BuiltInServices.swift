import PacketSpace

/// The services that every policy can name. A policy's own service of the same name wins.
public enum BuiltInServices {
  /// In the order of the language's definition.
  public static let all: [(name: String, terms: [ServiceTerm])] = [
    ("ftp", tcp(21)), ("telnet", tcp(23)), ("ssh", tcp(22)), ("smtp", tcp(25)), ("dns", udp(53) + tcp(53)), ("http", tcp(80)),
    ("pop3", tcp(110)), ("ntp", udp(123)), ("imap", tcp(143)), ("snmp", udp(161)), ("https", tcp(443)), ("smtps", tcp(465)),
    ("imaps", tcp(993)), ("pop3s", tcp(995)), ("mssql", tcp(1433)), ("oracle", tcp(1521)), ("mysql", tcp(3306)),
    ("rdp", tcp(3389)), ("postgresql", tcp(5432)), ("redis", tcp(6379)), ("mongodb", tcp(27017)), ("memcached", tcp(11211)),
    ("ping", [.icmp(.icmp, type: 8, code: nil), .icmp(.icmpv6, type: 128, code: nil)]),
  ]

  private static func tcp(_ port: UInt16) -> [ServiceTerm] { [.ports(.tcp, PortRange(port))] }
  private static func udp(_ port: UInt16) -> [ServiceTerm] { [.ports(.udp, PortRange(port))] }
}
