import PacketSpace

extension TextWriter {
  /// A rule's expressions and comment.
  ///
  /// - Parameter indent: where the rule's line begins, for the lines of a set that needs several; nil to stay on one line.
  mutating func writeExpressions(_ rule: Rule, indent: Int?) {
    var context = TransportContext()
    var isFirst = true
    for (i, expression) in rule.expressions.enumerated() {
      let next = i + 1 < rule.expressions.count ? rule.expressions[i + 1] : nil
      guard context.enter(expression, next: next) else { continue }
      if !isFirst { output.write(" ") }
      isFirst = false
      writeExpression(expression, context, indent)
    }
    if let comment = rule.comment {
      output.write(" comment \"")
      output.write(comment, where: SafeText.isQuoted)
      output.write("\"")
    }
  }

  private mutating func writeExpression(_ expression: Expression, _ context: TransportContext, _ indent: Int?) {
    switch expression {
    case .match(let match):
      writeMatch(match, context, indent)
    case .lookup(let lookup):
      writeKey(lookup.key, context)
      output.write(" vmap ")
      switch lookup.source {
      case .named(let name):
        output.write("@")
        output.write(name: name)
      case .anonymous(let elements):
        writeElements(elements, lookup.key.fields.map(\.dataType), indent: indent)
      }
    case .verdict(let verdict):
      writeVerdict(verdict)
    case .namedLimit(let name):
      output.write("limit name \"")
      output.write(name: name)
      output.write("\"")
    case .limit(let packetsPerSecond):
      output.write("limit rate ")
      output.write(packetsPerSecond)
      output.write("/second")
    case .log(let prefix, let group):
      output.write("log")
      if !prefix.isEmpty {
        output.write(" prefix \"")
        output.write(prefix, where: SafeText.isQuoted)
        output.write("\"")
      }
      if let group {
        output.write(" group ")
        output.write(group)
      }
    case .counter:
      output.write("counter")
    case .unknown(let text):
      precondition(indent == nil, "only what Cordon makes is written")
      output.write(text) { (0x20...0x7E).contains($0) }
    }
  }

  private mutating func writeKey(_ key: Key, _ context: TransportContext) {
    switch key {
    case .field(let field):
      writeField(context.spell(field))
    case .concatenation(let fields):
      for (i, field) in fields.enumerated() {
        if i > 0 { output.write(" . ") }
        writeField(context.spell(field))
      }
    }
  }

  private mutating func writeField(_ field: SpelledField) {
    switch field {
    case .meta(let name):
      // nft lists the two names of links without their `meta`
      if name.utf8Start[0] == UInt8(ascii: "i") || name.utf8Start[0] == UInt8(ascii: "o") {
        output.write(name)
      } else {
        output.write("meta ")
        output.write(name)
      }
    case .ct(let name):
      output.write("ct ")
      output.write(name)
    case .payload(let header, let name):
      output.write(header)
      output.write(" ")
      output.write(name)
    }
  }

  private mutating func writeMatch(_ match: Match, _ context: TransportContext, _ indent: Int?) {
    writeKey(match.key, context)
    output.write(match.isNegated ? " != " : " ")
    switch match.operand {
    case .value(let value):
      guard case .field(let field) = match.key else { preconditionFailure("a concatenation is looked up in a set") }
      writeValue(value, field.dataType)
    case .anonymous(let elements):
      if match.isStateList {
        for (i, state) in elements.intervals.enumerated() {
          if i > 0 { output.write(",") }
          writeValue(state, .connectionState)
        }
      } else {
        writeElements(elements, match.key.fields.map(\.dataType), indent: indent)
      }
    case .named(let name):
      output.write("@")
      output.write(name: name)
    }
  }

  mutating func writeVerdict(_ verdict: Verdict) {
    switch verdict {
    case .accept: output.write("accept")
    case .drop: output.write("drop")
    case .return: output.write("return")
    case .continue: output.write("continue")
    case .jump(let chain):
      output.write("jump ")
      output.write(name: chain)
    case .goto(let chain):
      output.write("goto ")
      output.write(name: chain)
    }
  }

  // MARK: - Elements

  /// `{ 22, 80-90 }`: on this line where it fits or `indent` is nil, else as many on a line as fit.
  mutating func writeElements(_ elements: Elements, _ types: [DataType], indent: Int?) {
    writeBraced(elements.count, indent, perLine: false) { $0.writeElement(elements[$1], types) }
  }

  /// `{ tcp . 22 : accept, … }`: on this line where it fits or `indent` is nil, else one on a line.
  mutating func writeElements(_ elements: VerdictElements, _ types: [DataType], indent: Int?) {
    writeBraced(elements.count, indent, perLine: true) {
      $0.writeElement(elements.keys[$1], types)
      $0.output.write(" : ")
      $0.writeVerdict(elements.verdicts[$1])
    }
  }

  private mutating func writeBraced(
    _ count: Int, _ indent: Int?, perLine: Bool, _ writeElement: (inout TextWriter, Int) -> Void
  ) {
    precondition(count > 0, "an anonymous set must not be empty")
    let start = output.count
    output.write("{ ")
    var fits = true
    for i in 0..<count {
      if i > 0 { output.write(", ") }
      writeElement(&self, i)
      // what fits must leave room for the brace
      if indent != nil, output.column > TextWriter.lineLength - 2 {
        fits = false
        break
      }
    }
    if fits {
      output.write(" }")
      return
    }
    guard let indent else { return }
    output.truncate(to: start)
    output.write("{")
    output.newline()
    self.indent(indent + 2)
    for i in 0..<count {
      let before = output.count
      writeElement(&self, i)
      if i + 1 < count { output.write(",") }
      let isFirstOfLine = before == output.count - output.column + indent + 2
      if !isFirstOfLine, output.column > TextWriter.lineLength { output.breakLine(at: before, indent: indent + 2) }
      if i + 1 < count {
        if perLine {
          output.newline()
          self.indent(indent + 2)
        } else {
          output.write(" ")
        }
      }
    }
    output.newline()
    self.indent(indent)
    output.write("}")
  }

  mutating func writeElement(_ element: ArraySlice<Interval>, _ types: [DataType]) {
    var i = element.startIndex
    for type in types {
      if i > element.startIndex { output.write(" . ") }
      writeValue(element[i], type)
      i += 1
    }
  }

  private mutating func writeValue(_ value: Interval, _ type: DataType) {
    switch type {
    case .ipv4Address:
      output.write(AddressRange(.ipv4, value.lower, value.upper))
    case .ipv6Address:
      output.write(AddressRange(.ipv6, value.lower, value.upper))
    case .interfaceName:
      switch LinkPattern(value) {
      case .name(let name):
        output.write("\"")
        output.write(bytes: name)
        output.write("\"")
      case .prefix(let name):
        output.write("\"")
        output.write(bytes: name)
        output.write("*\"")
      case nil:
        preconditionFailure("a link is a name or a name's beginning")
      }
    case .nfproto, .inetProto, .inetService, .icmpType, .icmpCode, .icmpv6Type, .icmpv6Code, .connectionState:
      if value.isSingle, let symbol = type.symbol(value.lower) {
        output.write(symbol)
      } else {
        output.write(UInt64(value.lower))
        if !value.isSingle {
          output.write("-")
          output.write(UInt64(value.upper))
        }
      }
    }
  }
}

extension Match {
  /// Whether it is of several connection states, none of them negated: nft's `ct state established,related`, which needs no set.
  var isStateList: Bool {
    guard case .field(.connectionState) = key, case .anonymous(let states) = operand else { return false }
    return !isNegated && states.count > 0 && states.intervals.allSatisfy(\.isSingle)
  }
}
