import Diagnostics

/// The keys of one place in the language.
protocol Key: RawRepresentable, CaseIterable, Sendable where RawValue == String {
  static var table: WordTable<Self> { get }
}

/// The words of one place in the language, found by their bytes.
struct WordTable<Word: RawRepresentable & CaseIterable & Sendable>: Sendable where Word.RawValue == String {
  private let words: [(text: PackedWord, word: Word)]

  init() {
    words = Word.allCases.map { word in
      let text = Array(word.rawValue.utf8).withUnsafeBufferPointer { PackedWord($0) }
      guard let text else { preconditionFailure("a word of the language is longer than can be packed") }
      return (text, word)
    }
  }

  subscript(bytes: ScalarBytes) -> Word? {
    guard let text = PackedWord(bytes) else { return nil }
    return words.first { $0.text == text }?.word
  }

  var texts: [String] { words.map(\.word.rawValue) }
}

/// A text of less than 24 bytes as three numbers, which are compared at once; the last byte is its length.
struct PackedWord: Equatable {
  private var parts: (UInt64, UInt64, UInt64) = (0, 0, 0)

  init?(_ bytes: ScalarBytes) {
    guard bytes.count < 24 else { return nil }
    withUnsafeMutableBytes(of: &parts) {
      $0.copyMemory(from: UnsafeRawBufferPointer(bytes))
      $0[23] = UInt8(bytes.count)
    }
  }

  static func == (a: PackedWord, b: PackedWord) -> Bool { a.parts == b.parts }
}

enum TopLevelKey: String, Key {
  static let table = WordTable<TopLevelKey>()
  case version, options, networks
  case prefixLists = "prefix-lists"
  case services, groups, instances, expect
}

enum OptionKey: String, Key {
  static let table = WordTable<OptionKey>()
  case unmanaged
  case intraGroupEgress = "intra-group-egress"
  case exemptTo = "exempt-to"
  case exemptFrom = "exempt-from"
  case log
  case logGroup = "log-group"
  case keep
}

enum KeepKey: String, Key {
  static let table = WordTable<KeepKey>()
  case from, to, service
}

enum GroupKey: String, Key {
  static let table = WordTable<GroupKey>()
  case type
  case intraGroup = "intra-group"
  case members, external, network, environment, description, ingress, egress
}

enum RuleKey: String, Key {
  static let table = WordTable<RuleKey>()
  case allow, deny, from, to, priority
  case sourcePorts = "source-ports"
  case description
}

enum InstanceKey: String, Key {
  static let table = WordTable<InstanceKey>()
  case addresses, groups, interface
  case publicAddresses = "public-addresses"
  case description
}

enum ExpectKey: String, Key {
  static let table = WordTable<ExpectKey>()
  case allow, deny, from, to
  case exceptFrom = "except-from"
  case exceptTo = "except-to"
  case sourcePorts = "source-ports"
  case description
}

enum ExternalWord: String, CaseIterable { case `true`, `false` }

/// Words of cloud consoles, their APIs and other firewalls, and ours for the same.
///
/// Source: Alibaba Cloud ECS `AuthorizeSecurityGroup`, `CreateSecurityGroup` and `ModifySecurityGroupPolicy`.
enum ForeignWords {
  /// Keys, in small letters without `-` and `_`.
  static func key(_ key: String) -> [String] {
    switch folded(key) {
    case "accept", "permit", "pass": ["allow"]
    case "drop", "reject", "block", "refuse": ["deny"]
    case "policy", "action": ["allow", "deny"]
    case "source", "src", "sourcecidrip", "sourcegroupid", "sourceprefixlistid", "ipv6sourcecidrip", "cidrip": ["from"]
    case "destination", "dest", "dst", "destcidrip", "destgroupid", "destprefixlistid", "ipv6destcidrip": ["to"]
    case "portrange", "port", "ports", "ipprotocol", "protocol", "proto", "service": ["allow", "deny"]
    case "sourceportrange", "sourceport", "sports": ["source-ports"]
    case "inneraccesspolicy", "inneraccess": ["intra-group"]
    case "securitygrouptype", "grouptype": ["type"]
    case "securitygroups", "securitygroupids", "securitygroup", "group": ["groups"]
    case "vpc", "vpcs", "vpcid", "vpcname": ["network", "networks"]
    case "ip", "ips", "address", "privateip", "privateips", "privateipaddress": ["addresses", "members"]
    case "eip", "publicip", "publicipaddress": ["public-addresses"]
    case "comment", "desc": ["description"]
    case "inbound", "in": ["ingress"]
    case "outbound", "out": ["egress"]
    default: []
    }
  }

  /// Values, in small letters.
  static func value(_ value: String) -> [String] {
    switch value.lowercased() {
    case "enterprise": ["advanced"]
    case "normal", "ordinary", "general": ["basic"]
    case "accept", "permit", "allow", "permitted": ["allow", "accept"]
    case "drop", "deny", "reject", "block": ["drop", "isolate", "filter"]
    case "isolate", "isolated": ["isolate", "filter"]
    case "yes", "on", "1": ["true", "denied"]
    case "no", "off", "0": ["false", "none"]
    default: []
    }
  }

  /// Whether the word is a cloud's or a firewall's, and not just another way to say yes or no.
  static func isCloud(_ value: String) -> Bool { !["yes", "on", "1", "no", "off", "0"].contains(value.lowercased()) }

  private static func folded(_ key: String) -> String { key.lowercased().filter { $0 != "-" && $0 != "_" } }
}
