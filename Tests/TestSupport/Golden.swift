import Glibc
public import Testing

/// Whether this run rewrites goldens instead of comparing with them.
public let isRewritingGoldens = getenv("CORDON_UPDATE_GOLDENS").map { String(cString: $0) } == "1"

/// Expects `actual` to be what the file `path` in fixtures/ holds; on a difference the issue shows the lines that part.
///
/// Where CORDON_UPDATE_GOLDENS is 1 the file is written instead, and the expectation holds.
public func expectGolden(_ actual: String, at path: String, sourceLocation: SourceLocation = #_sourceLocation) {
  if isRewritingGoldens {
    do {
      if Fixtures.text(path) != actual { try Files.write(Array(actual.utf8), to: Fixtures.path(path)) }
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
    }
    return
  }
  guard let expected = Fixtures.text(path) else {
    Issue.record(
      "fixtures/\(path) is missing; CORDON_UPDATE_GOLDENS=1 makes it, of:\n\(actual)", sourceLocation: sourceLocation)
    return
  }
  if expected != actual {
    Issue.record(
      "fixtures/\(path) (-) is not what came out (+):\n\(lineDifference(from: expected, to: actual))",
      sourceLocation: sourceLocation)
  }
}

/// The lines that part two texts, with `-` and `+` before them and up to two common lines around; at most 200 lines.
public func lineDifference(from old: String, to new: String) -> String {
  let oldLines = old.split(separator: "\n", omittingEmptySubsequences: false)
  let newLines = new.split(separator: "\n", omittingEmptySubsequences: false)
  var removed = Set<Int>()
  var inserted = Set<Int>()
  for change in newLines.difference(from: oldLines) {
    switch change {
    case .remove(let offset, _, _): removed.insert(offset)
    case .insert(let offset, _, _): inserted.insert(offset)
    }
  }

  // every line once, in reading order, and whether it is a change
  var lines: [(text: String, isChange: Bool)] = []
  var i = 0
  var j = 0
  while i < oldLines.count || j < newLines.count {
    if removed.contains(i) {
      lines.append(("- \(oldLines[i])", true))
      i += 1
    } else if inserted.contains(j) {
      lines.append(("+ \(newLines[j])", true))
      j += 1
    } else {
      lines.append(("  \(oldLines[i])", false))
      i += 1
      j += 1
    }
  }

  let context = 2
  var shown: [String] = []
  var last = -1
  for at in lines.indices {
    let around = max(0, at - context)...min(lines.count - 1, at + context)
    guard lines[around].contains(where: \.isChange) else { continue }
    if at != last + 1 { shown.append("  …") }
    shown.append(lines[at].text)
    last = at
    if shown.count == 200 {
      shown.append("  … and more")
      break
    }
  }
  return shown.joined(separator: "\n")
}
