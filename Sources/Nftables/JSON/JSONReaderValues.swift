import PacketSpace

/// Values as libnftables lists them, by the type of what they are compared with.
///
///     22 · "tcp" · "10.0.0.1" · {"prefix": {"addr": "10.0.0.0", "len": 8}} · {"range": [80, 90]} · "tap*"
extension JSONTree {
  /// A value, prefix, range or wildcard; nil for whatever else stands there.
  func interval(_ node: Node, _ type: DataType) -> Interval? {
    if kind(node) == .object {
      guard let (key, value) = onlyMember(node) else { return nil }
      if self.is(key, "range") {
        let ends = elements(value)
        guard ends.count == 2, let lower = number(ends[0], type), let upper = number(ends[1], type), lower <= upper else {
          return nil
        }
        return Interval(lower, upper)
      }
      if self.is(key, "prefix") { return prefix(value, type) }
      return nil
    }
    if type == .interfaceName { return interface(node) }
    return number(node, type).map { Interval($0) }
  }

  /// One value, as its number.
  private func number(_ node: Node, _ type: DataType) -> UInt128? {
    switch type {
    case .ipv4Address: return address(node, .ipv4)
    case .ipv6Address: return address(node, .ipv6)
    case .interfaceName: return interface(node).flatMap { $0.isSingle ? $0.lower : nil }
    case .nfproto, .inetProto, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code:
      if let value = integer(node, as: UInt8.self) { return UInt128(value) }
    case .inetService:
      if let value = integer(node, as: UInt16.self) { return UInt128(value) }
    case .connectionState:
      if let value = integer(node, as: UInt32.self) { return UInt128(value) }
    }
    guard let name = string(node) else { return nil }
    return Symbols.number(name, type).map { UInt128($0) }
  }

  private func address(_ node: Node, _ family: IPFamily) -> UInt128? {
    withString(node) { bytes in
      guard let address = IPAddress(bytes: bytes), address.family == family else { return nil }
      return address.value
    }
  }

  private func prefix(_ node: Node, _ type: DataType) -> Interval? {
    let family: IPFamily
    switch type {
    case .ipv4Address: family = .ipv4
    case .ipv6Address: family = .ipv6
    case .nfproto, .inetProto, .inetService, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code, .interfaceName, .connectionState:
      return nil
    }
    guard let addressNode = self[node, "addr"], let value = address(addressNode, family), let lengthNode = self[node, "len"],
      let length = integer(lengthNode, as: Int.self), (0...family.width).contains(length)
    else { return nil }
    let range = AddressRange(prefix: IPAddress(family, value), length: length)
    return Interval(range.lower, range.upper)
  }

  /// A link's name, of letters that `TextWriter` writes; an asterisk at the end stands for any rest.
  private func interface(_ node: Node) -> Interval? {
    guard var name = string(node) else { return nil }
    let isWildcard = name.hasSuffix("*")
    if isWildcard { name.removeLast() }
    guard (1...15).contains(name.utf8.count), name.utf8.allSatisfy(SafeText.isLink) else { return nil }
    let value = Field.encode(interface: name)
    let open = UInt128(8 * (16 - name.utf8.count))
    return isWildcard ? Interval(value, value | ((1 << open) - 1)) : Interval(value)
  }

  /// A name of a chain, set or limit of letters that `TextWriter` writes.
  func name(_ node: Node) -> String? {
    guard let text = string(node), !text.isEmpty, text.utf8.allSatisfy(SafeText.isName) else { return nil }
    return text
  }

  /// An element's fields: one value, or a concatenation of as many as there are types.
  func element(_ node: Node, _ types: [DataType]) -> [Interval]? {
    if types.count == 1 { return interval(node, types[0]).map { [$0] } }
    guard let (key, value) = onlyMember(node), self.is(key, "concat") else { return nil }
    let parts = elements(value)
    guard parts.count == types.count else { return nil }
    var result: [Interval] = []
    for (part, type) in zip(parts, types) {
      guard let part = interval(part, type) else { return nil }
      result.append(part)
    }
    return result
  }

  func verdict(_ node: Node) -> Verdict? {
    guard let (key, value) = onlyMember(node) else { return nil }
    if kind(value) == .literalNull {
      if self.is(key, "accept") { return .accept }
      if self.is(key, "drop") { return .drop }
      if self.is(key, "return") { return .return }
      if self.is(key, "continue") { return .continue }
      return nil
    }
    guard let (targetKey, targetNode) = onlyMember(value), self.is(targetKey, "target"), let target = name(targetNode) else {
      return nil
    }
    if self.is(key, "jump") { return .jump(target) }
    if self.is(key, "goto") { return .goto(target) }
    return nil
  }
}
