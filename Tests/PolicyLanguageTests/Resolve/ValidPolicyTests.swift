import Diagnostics
import PacketSpace
import PolicyLanguage
import TestSupport
import Testing

@Suite struct ValidPolicyTests {
  /// The example of the language's definition.
  static let example = """
    prefix-lists:
      office: [203.0.113.0/24, 2001:db8:12::/48]

    services:
      app: [tcp/8080, tcp/8443]

    groups:
      web:
        type: basic
        description: Public web tier
        ingress:
          - allow: [http, https]
            from: any
          - allow: ssh
            from: office
          - deny: ssh
            from: 203.0.113.66
            description: the guest network
        egress:
          - deny: smtp
            to: any

      database:
        type: advanced
        ingress:
          - allow: mysql
            from: web
          - deny: all
            from: any
            priority: 100

    instances:
      web-1: { addresses: [172.16.1.10, fd00:1::10], groups: web }
      db-1:  { addresses: 172.16.2.10, groups: [database] }

    expect:
      - allow: https
        from: any
        except-from: database
        to: web
      - deny: mysql
        from: any
        except-from: web
        to: database
    """

  @Test func theExampleIsThePolicyItSays() throws {
    let (loaded, diagnostics) = load(Self.example)
    #expect(diagnostics.isEmpty)
    let policy = try #require(loaded)
    #expect(policy.groups.map(\.name) == ["web", "database"])
    #expect(policy.groups.map(\.type) == [.basic, .advanced])
    #expect(policy.groups.map(\.intraGroup) == [.allow, .isolate])
    #expect(policy.groups[0].description == "Public web tier")
    #expect(policy.groups[0].members == set("172.16.1.10", "fd00:1::10"))
    #expect(policy.groups[1].members == set("172.16.2.10"))
    #expect(policy.prefixLists[0].addresses == set("203.0.113.0/24", "2001:db8:12::/48"))
    #expect(policy.services[0].terms.map(\.description) == ["tcp/8080", "tcp/8443"])

    let web = policy.groups[0].ingress
    #expect(web.map(\.action) == [.allow, .allow, .deny])
    #expect(web[0].services.map(\.description) == ["tcp/80", "tcp/443"])
    #expect(web[0].peers == [.any])
    #expect(web[1].peers == [.prefixList(0)])
    #expect(web[2].peers == [.addresses(range("203.0.113.66"))])
    #expect(web[2].description == "the guest network")
    let last = policy.groups[1].ingress[1]
    #expect((last.action, last.services, last.peers, last.priority) == (.deny, [.all], [.any], 100))
    #expect(policy.groups[1].ingress[0].peers == [.group(0)])

    #expect(policy.instances.map(\.name) == ["web-1", "db-1"])
    #expect(policy.instances.map(\.groups) == [[0], [1]])
    #expect(policy.expectations.map(\.action) == [.allow, .deny])
    #expect(policy.expectations[0].exceptFrom == [.group(1)])
  }

  @Test func aRuleIsWhereItIsWritten() throws {
    let policy = try #require(load(Self.example).policy)
    let text = Array(Self.example.utf8)
    let range = policy.groups[0].ingress[2].range
    let written = String(decoding: text[Int(range.start)..<Int(range.end)], as: UTF8.self)
    #expect(written.hasPrefix("deny: ssh") && written.hasSuffix("the guest network"))
  }

  /// A rule as written, and what its services, peers, own end, source ports and priority are.
  @Test(arguments: [
    ("{allow: ssh, from: any}", "tcp/22 | any | - | - | 1"),
    ("{allow: [dns, tcp/53], from: any}", "udp/53 tcp/53 | any | - | - | 1"),
    ("{allow: tcp, from: 10.0.0.0/8, priority: 100}", "tcp | 10.0.0.0/8 | - | - | 100"),
    ("{allow: protocol/6, from: any}", "tcp | any | - | - | 1"),
    (
      "{allow: [protocol/1, protocol/58, protocol/0, protocol/255], from: any}",
      "icmp icmpv6 protocol/0 protocol/255 | any | - | - | 1"
    ),
    ("{allow: [tcp/0, udp/65535, sctp/1-65535], from: any}", "tcp/0 udp/65535 sctp/1-65535 | any | - | - | 1"),
    ("{allow: [icmp/echo-request, icmp/8, icmp/8/0], from: any}", "icmp/8 icmp/8/0 | any | - | - | 1"),
    ("{allow: ping, from: 10.0.0.0/8}", "icmp/8 icmpv6/128 | 10.0.0.0/8 | - | - | 1"),
    (
      "{allow: all, from: [10.0.0.5-10.0.0.9, \"::/0\", list, other, i-1]}",
      "all | 10.0.0.5-10.0.0.9 ::/0 list other i-1 | - | - | 1"
    ),
    ("{allow: all, from: 160998252992/sg-ext}", "all | 160998252992/sg-ext | - | - | 1"),
    ("{allow: all, from: any, to: [10.1.0.1, list, i-1]}", "all | any | 10.1.0.1-10.1.0.2 10.9.0.0/16 | - | 1"),
    ("{allow: udp, from: any, source-ports: [1024-65535, 53, 54]}", "udp | any | - | 53-54 1024-65535 | 1"),
    ("{allow: tcp/22, from: 'any', priority: '007'}", "tcp/22 | any | - | - | 7"),
    ("{allow: \"ss\\x68\", from: any, description: , priority: }", "tcp/22 | any | - | - | 1"),
  ])
  func aRuleMeans(_ written: String, _ meaning: String) throws {
    let text = """
      prefix-lists: {list: 10.9.0.0/16}
      groups:
        web: {ingress: [\(written)], members: 10.9.1.0/24}
        other: {members: "fd00::/64"}
        160998252992/sg-ext: {external: true, members: 10.77.0.1}
      instances: {i-1: {addresses: [10.1.0.1, 10.1.0.2], groups: web}}
      """
    let (loaded, diagnostics) = load(text)
    #expect(diagnostics.filter { $0.severity == .error }.isEmpty)
    let policy = try #require(loaded)
    let rule = policy.groups[0].ingress[0]
    let parts = [
      rule.services.map(\.description), rule.peers.map { name($0, policy) }, rule.own?.ranges.map(\.description) ?? ["-"],
      rule.sourcePorts?.map(\.description) ?? ["-"], ["\(rule.priority)"],
    ]
    #expect(parts.map { $0.joined(separator: " ") }.joined(separator: " | ") == meaning)
  }

  @Test func optionsAndTheRest() throws {
    let text = """
      version: 1
      options:
        unmanaged: drop
        intra-group-egress: allow
        exempt-to: [100.100.100.200, infra]
        exempt-from:
        log: denied
        log-group: 65535
        keep:
        - {from: admins, to: any, service: ssh}
      networks: {prod: [10.0.0.0/8, "fd00::/16"], test: 172.16.0.0/12}
      prefix-lists: {infra: 10.0.0.0/30}
      groups:
        admins: {network: prod, environment: production, intra-group: isolate, members: 10.3.0.0/24}
        guests: {members: 192.168.0.0/16, type: advanced, intra-group: isolate, ingress: , egress: []}
        empty: {network: test, external: false, members: [172.16.0.0/12]}
      instances:
        a-1: {addresses: [10.2.0.1, 10.2.1.0/24], groups: [admins, admins], interface: tap3, public-addresses: 198.51.100.7}
        a-2: {addresses: "fd00::2", groups: admins, interface: eth0.7@if-_, description: second}
      expect:
      """
    let (loaded, diagnostics) = load(text)
    #expect(diagnostics.isEmpty)
    let policy = try #require(loaded)
    let options = policy.options
    #expect((options.unmanaged, options.intraGroupEgress, options.log) == (.drop, .allow, .denied))
    #expect(options.logGroup == 65535)
    #expect(options.exemptTo == set("100.100.100.200", "10.0.0.0/30"))
    #expect(options.exemptFrom.isEmpty)
    #expect(options.keep.map(\.from) == [[.group(0)]] && options.keep.map(\.to) == [[.any]])
    #expect(options.keep[0].services == [.ports(.tcp, PortRange(22))])
    #expect(policy.groups.map(\.network) == [0, nil, 1])
    #expect(policy.groups[0].environment == "production")
    #expect(policy.groups.map(\.intraGroup) == [.isolate, .isolate, .allow])
    #expect(policy.groups[0].members == set("10.3.0.0/24", "10.2.0.1", "10.2.1.0/24", "fd00::2"))
    #expect(policy.instances.map(\.groups) == [[0], [0]])
    #expect(policy.instances.map(\.interface) == ["tap3", "eth0.7@if-_"])
    #expect(policy.instances[0].publicAddresses == set("198.51.100.7"))
  }

  @Test func servicesNameServices() throws {
    let text = """
      services:
        one: [two, tcp/1]
        two: [three, http, three]
        three: [udp/3]
        http: tcp/8080
      groups: {web: {members: 10.0.0.1, ingress: [{allow: [one, http], from: any}]}}
      """
    let policy = try #require(load(text).policy)
    #expect(policy.services[0].terms.map(\.description) == ["udp/3", "tcp/8080", "tcp/1"])
    #expect(policy.groups[0].ingress[0].services.map(\.description) == ["udp/3", "tcp/8080", "tcp/1"])
  }

  @Test func severalFilesAreOnePolicy() throws {
    let (policy, diagnostics) = load(
      "groups: {web: {ingress: [{allow: app, from: db}]}}", "services: {app: tcp/9}\n", "# nothing\n",
      "groups: {db: {members: 10.0.0.2}}\ninstances: {w: {addresses: 10.0.0.1, groups: web}}")
    #expect(diagnostics.isEmpty)
    #expect(policy?.groups[0].ingress[0].peers == [.group(1)])
    #expect(policy?.groups[1].range.file == 3)
  }

  private func set(_ texts: String...) -> AddressSet { AddressSet(texts.map { range($0) }) }

  private func range(_ text: String) -> AddressRange {
    let parts = text.split(separator: "/")
    let address = IPAddress(parts[0])!
    return parts.count == 1 ? AddressRange(address) : AddressRange(prefix: address, length: Int(parts[1])!)
  }

  private func name(_ peer: Peer, _ policy: Policy) -> String {
    switch peer {
    case .any: "any"
    case .addresses(let range): range.description
    case .prefixList(let index): policy.prefixLists[index].name
    case .group(let index): policy.groups[index].name
    case .instance(let index): policy.instances[index].name
    }
  }
}
