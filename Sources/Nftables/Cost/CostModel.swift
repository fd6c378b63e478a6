/// What nftables costs: the one place of the figures by which rulesets are judged and made.
///
/// Times of packets are nanoseconds of one core, measured with nft 1.0.6 on Linux 6.18 (x86-64 with AVX2 and retpolines): a UDP
/// packet through an output chain of 20 or 100 equal rules in a network namespace, the least of 400 rounds, less the same
/// without them. Times and bytes of a load are of `nft -f` on the same machine. Read them as ratios: equal
/// rules in a row keep caches warm and branches foreseen, and a chain of twelve different ones took twice their sum; another
/// machine has other times, in about the same proportion.
public enum CostModel {
  // MARK: - What a packet pays

  /// A rule among others that a packet isn't matched by: those that are left at an address or a port take 16, those that ask
  /// for both up to 26, and addresses with prefixes of 24 bits or of IPv6 25 more.
  package static let ruleInLine = 20.0

  /// To come to a rule, before its first expression: `counter` alone takes 10, `ip6 saddr` on an IPv4 packet 11.
  static let rule = 6.0
  /// What the kernel does without a call: `meta`, bytes of a header by 1, 2 or 4, an equality, a mask of 4 bytes, a verdict.
  static let inline = 2.5
  /// To load another number of bytes: three for a /24, six for a /48, sixteen for an IPv6 address.
  static let bytes = 25.0
  /// The name of a link.
  static let linkName = 22.0
  static let connectionState = 5.0
  /// One end of a range: `tcp dport 22-80` has two.
  static let order = 17.0
  /// `!=` a range.
  static let range = 25.0
  /// A mask of 16 bytes.
  static let wideMask = 12.0
  /// The change of byte order of a number of the machine's own, in front of a lookup among intervals.
  static let byteOrder = 3.0
  static let verdict = 5.0
  static let counter = 5.0
  static let limit = 70.0
  /// Beside what the log itself does with the packet, which isn't known here.
  static let log = 20.0

  /// A lookup in a hash of any size: 34 for keys of two bytes, which have a bitmap, to 52 for longer ones.
  static let hash = 45.0
  /// A lookup among intervals of one field is this and `treeLevel` for each doubling: 118 for 2, 290 for 100, 396 for 1,000,
  /// 546 for 10,000.
  static let tree = 80.0
  static let treeLevel = 33.0
  /// A lookup among concatenated intervals is this, `concatenatedElement` for each element, and `concatenatedRest` for each
  /// element whose first field holds the packet's: 100 elements take 115 where the first fields differ, 1,046 where they are
  /// all `udp`, and 1,000 elements 130 and 9,900. nft_set_pipapo.c looks the fields up one after the other, and carries each
  /// element that is still in question from one field to the next by itself.
  static let concatenated = 100.0
  static let concatenatedElement = 0.022
  static let concatenatedRest = 9.3

  static func tree(_ count: Int) -> Double {
    var levels = 0.0
    var rest = Double(max(1, count))
    // a logarithm without the C library, which this module doesn't see
    while rest >= 2 {
      rest /= 2
      levels += 1
    }
    return tree + treeLevel * (levels + rest - 1)
  }

  /// - Parameter crowd: how many elements hold the packet's value in their first field.
  static func concatenated(_ count: Int, crowd: Double) -> Double {
    concatenated + concatenatedElement * Double(count) + concatenatedRest * crowd
  }

  /// What a packet pays at worst that comes by a rule and isn't matched.
  package static func passing(_ expressions: [Expression]) -> Double {
    RuleTranslator().instructions(Rule(expressions)).reduce(rule) { $0 + ($1.kind == .verdict ? 0 : $1.worst.nanoseconds) }
  }

  // MARK: - What a load pays

  /// Seconds a rule, its chain with it: 30,700 rules took 1.15 s, 323,000 took 17 s.
  static let loadOfRule = 40e-6
  static let loadOfExactElement = 4e-6
  static let loadOfInterval = 10e-6
  static let loadOfConcatenation = 20e-6
  /// Seconds for n sets and maps are `loadOfSet` * n and `loadOfSetPair` * n²: names are found by walking the table's list,
  /// anonymous ones too. 1,000 take 0.1 s, 2,000 0.3 s, 5,000 1.3 s, 10,000 4.5 s.
  static let loadOfSet = 50e-6
  static let loadOfSetPair = 45e-9

  /// Bytes that nft takes for a rule (1.8 GB for 323,000), for an element, and for one of concatenated intervals.
  static let memoryOfRule = 5600.0
  static let memoryOfElement = 700.0
  static let memoryOfConcatenation = 1400.0

  /// Seconds that sets of this number take, beside their elements.
  static func load(sets count: Int) -> Double { (loadOfSet + loadOfSetPair * Double(count)) * Double(count) }

  /// From how many values on a set in the place of a rule each makes a table of `sets` sets load faster.
  package static func valuesOfSet(besides sets: Int, areIntervals: Bool) -> Int {
    let element = areIntervals ? loadOfInterval : loadOfExactElement
    let set = load(sets: sets + 1) - load(sets: sets)
    return Int(((loadOfRule + set) / (loadOfRule - element)).rounded(.up))
  }

  // MARK: - Limits

  /// Past so many elements a set of concatenated intervals is dear where the processor has no AVX2 (1 to 3.5 µs at 30,000), as
  /// on arm64.
  public static let mostConcatenated = 2000
  /// Past so many sets and maps a table takes longer for their names than for what is in them: 0.4 s, of which 0.3 are the
  /// walks.
  public static let mostSets = 2500
  /// Past so many elements that share a packet's first field, a lookup among concatenated intervals takes longer than 100
  /// rules.
  public static let mostCrowded = 200
}
