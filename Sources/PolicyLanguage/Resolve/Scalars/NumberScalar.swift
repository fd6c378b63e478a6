/// Whole numbers in decimal.
enum NumberScalar {
  /// What stands where a number could.
  enum Reading: Hashable {
    case value(Int)
    /// Digits only, but more than `limit`.
    case tooLarge
    case notANumber
  }

  /// Reads digits; leading zeros mean nothing.
  static func read(_ bytes: ScalarBytes, limit: Int) -> Reading {
    guard bytes.isDigits else { return .notANumber }
    var value = 0
    for byte in bytes {
      value = value * 10 + Int(byte - 0x30)
      if value > limit { return .tooLarge }
    }
    return .value(value)
  }

  static func value(_ bytes: ScalarBytes, limit: Int) -> Int? {
    if case .value(let value) = read(bytes, limit: limit) { value } else { nil }
  }
}
