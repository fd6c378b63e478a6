import PacketSpace

extension JSONWriter {
  mutating func writeExpression(_ expression: Expression, _ context: TransportContext) {
    switch expression {
    case .match(let match):
      writeMatch(match, context)
    case .lookup(let lookup):
      output.write("{\"vmap\": {\"key\": ")
      writeKey(lookup.key, context)
      output.write(", \"data\": ")
      switch lookup.source {
      case .named(let name): writeReference(name)
      case .anonymous(let elements):
        precondition(!elements.isEmpty, "an anonymous map must not be empty")
        output.write("{\"set\": ")
        writeElements(elements, lookup.key.fields.map(\.dataType))
        output.write("}")
      }
      output.write("}}")
    case .verdict(let verdict):
      writeVerdict(verdict)
    case .namedLimit(let name):
      output.write("{\"limit\": \"")
      output.write(name: name)
      output.write("\"}")
    case .limit(let packetsPerSecond):
      output.write("{\"limit\": {\"rate\": ")
      output.write(packetsPerSecond)
      output.write(", \"per\": \"second\", \"burst\": 5}}")
    case .log(let prefix, let group):
      writeLog(prefix, group)
    case .counter:
      output.write("{\"counter\": null}")
    case .unknown:
      preconditionFailure("only what Cordon makes is written")
    }
  }

  private mutating func writeLog(_ prefix: String, _ group: UInt16?) {
    if prefix.isEmpty, group == nil {
      output.write("{\"log\": null}")
      return
    }
    output.write("{\"log\": {")
    if !prefix.isEmpty {
      output.write("\"prefix\": \"")
      output.write(prefix, where: SafeText.isQuoted)
      output.write("\"")
    }
    if let group {
      output.write(prefix.isEmpty ? "\"group\": " : ", \"group\": ")
      output.write(group)
    }
    output.write("}}")
  }

  private mutating func writeMatch(_ match: Match, _ context: TransportContext) {
    output.write("{\"match\": {\"op\": \"")
    output.write(match.isNegated ? "!=" : match.isStateTest ? "in" : "==")
    output.write("\", \"left\": ")
    writeKey(match.key, context)
    output.write(", \"right\": ")
    switch match.operand {
    case .value(let value):
      guard case .field(let field) = match.key else { preconditionFailure("a concatenation is looked up in a set") }
      writeValue(value, field.dataType)
    case .anonymous(let elements):
      precondition(!elements.isEmpty, "an anonymous set must not be empty")
      let types = match.key.fields.map(\.dataType)
      if match.isStateList {
        writeList(elements.count) { $0.writeElement(elements[$1], types) }
      } else {
        output.write("{\"set\": ")
        writeList(elements.count) { $0.writeElement(elements[$1], types) }
        output.write("}")
      }
    case .named(let name):
      writeReference(name)
    }
    output.write("}}")
  }

  private mutating func writeReference(_ name: String) {
    output.write("\"@")
    output.write(name: name)
    output.write("\"")
  }

  private mutating func writeKey(_ key: Key, _ context: TransportContext) {
    switch key {
    case .field(let field):
      writeField(context.spell(field))
    case .concatenation(let fields):
      output.write("{\"concat\": ")
      writeList(fields.count) { $0.writeField(context.spell(fields[$1])) }
      output.write("}")
    }
  }

  private mutating func writeField(_ field: SpelledField) {
    switch field {
    case .meta(let name):
      output.write("{\"meta\": {\"key\": \"")
      output.write(name)
    case .ct(let name):
      output.write("{\"ct\": {\"key\": \"")
      output.write(name)
    case .payload(let header, let name):
      output.write("{\"payload\": {\"protocol\": \"")
      output.write(header)
      output.write("\", \"field\": \"")
      output.write(name)
    }
    output.write("\"}}")
  }

  private mutating func writeVerdict(_ verdict: Verdict) {
    switch verdict {
    case .accept: output.write("{\"accept\": null}")
    case .drop: output.write("{\"drop\": null}")
    case .return: output.write("{\"return\": null}")
    case .continue: output.write("{\"continue\": null}")
    case .jump(let chain):
      output.write("{\"jump\": {\"target\": \"")
      output.write(name: chain)
      output.write("\"}}")
    case .goto(let chain):
      output.write("{\"goto\": {\"target\": \"")
      output.write(name: chain)
      output.write("\"}}")
    }
  }

  // MARK: - Elements

  mutating func writeElements(_ elements: VerdictElements, _ types: [DataType]) {
    writeList(elements.count) {
      $0.output.write("[")
      $0.writeElement(elements.keys[$1], types)
      $0.output.write(", ")
      $0.writeVerdict(elements.verdicts[$1])
      $0.output.write("]")
    }
  }

  mutating func writeElement(_ element: ArraySlice<Interval>, _ types: [DataType]) {
    if types.count == 1 {
      writeValue(element[element.startIndex], types[0])
      return
    }
    output.write("{\"concat\": ")
    writeList(types.count) { $0.writeValue(element[element.startIndex + $1], types[$1]) }
    output.write("}")
  }

  private mutating func writeValue(_ value: Interval, _ type: DataType) {
    switch type {
    case .ipv4Address: writeAddresses(AddressRange(.ipv4, value.lower, value.upper))
    case .ipv6Address: writeAddresses(AddressRange(.ipv6, value.lower, value.upper))
    case .interfaceName:
      output.write("\"")
      switch LinkPattern(value) {
      case .name(let name): output.write(bytes: name)
      case .prefix(let name):
        output.write(bytes: name)
        output.write("*")
      case nil: preconditionFailure("a link is a name or a name's beginning")
      }
      output.write("\"")
    case .nfproto, .inetProto, .inetService, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code, .connectionState:
      if value.isSingle, let symbol = type.symbol(value.lower) {
        output.write("\"")
        output.write(symbol)
        output.write("\"")
      } else if value.isSingle {
        output.write(UInt64(value.lower))
      } else {
        output.write("{\"range\": [")
        output.write(UInt64(value.lower))
        output.write(", ")
        output.write(UInt64(value.upper))
        output.write("]}")
      }
    }
  }

  private mutating func writeAddresses(_ range: AddressRange) {
    if range.isSingle {
      output.write("\"")
      output.write(range)
      output.write("\"")
    } else if let length = range.prefixLength {
      output.write("{\"prefix\": {\"addr\": \"")
      output.write(AddressRange(range.lowerAddress))
      output.write("\", \"len\": ")
      output.write(UInt(length))
      output.write("}}")
    } else {
      output.write("{\"range\": [\"")
      output.write(AddressRange(range.lowerAddress))
      output.write("\", \"")
      output.write(AddressRange(range.upperAddress))
      output.write("\"]}")
    }
  }
}

extension Match {
  /// Whether nft's text means a test of bits: `ct state new`, `ct state established,related`.
  fileprivate var isStateTest: Bool {
    guard case .field(.connectionState) = key, !isNegated else { return false }
    switch operand {
    case .value: return true
    case .anonymous: return isStateList
    case .named: return false
    }
  }
}
