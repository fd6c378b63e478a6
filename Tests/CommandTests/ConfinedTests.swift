import Glibc
import TestSupport
import Testing

/// In containers: the network namespace is the first process's and is another after each start, and root may lack rights.
@Suite("confined", .requireNamespaces) struct ConfinedTests {
  @Test("a container that was started anew is not taken for the one before, whatever its kernel counts")
  func startedAnew() throws {
    try StateTests.world { world in
      func container(_ script: String) throws -> Shell.Output {
        try Shell.run(
          ["unshare", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", script],
          environment: ["CORDON_STATE_DIR": world.stateFolder, "CORDON": Cordon.path], directory: world.folder)
      }
      let first = try container("$CORDON compile a.yaml --apply >/dev/null && $CORDON status")
      expectStatus(first, 0)
      #expect(try Shell.run(["ls", world.stateFolder]).stdout == "initial\n")
      // the numbers of the two namespaces meet somewhere on the way
      let second = try container(
        """
        for number in 1 2 3 4 5 6; do
          $CORDON status >/dev/null && echo "as applied, at $number"
          $CORDON diff a.yaml >/dev/null && echo "no difference, at $number"
          nft add table ip other-$number
        done
        $CORDON compile a.yaml --apply >/dev/null && $CORDON status && nft list chain inet cordon ingress/web >/dev/null && echo enforced
        """)
      #expect(second.stdout.hasSuffix("enforced\n") && !second.stdout.contains(", at "), "\(second.stdout)\(second.stderr)")
    }
  }

  @Test("what nobody confirmed is undone, and small changes are made, also without the right to make namespaces")
  func withoutNamespaces() throws {
    try StateTests.world { world in
      var policy = "groups:\n"
      for number in 1...12 { policy += "  g\(number): { ingress: [{ allow: tcp/81, from: any }] }\n" }
      policy += "instances:\n"
      for number in 1...12 { policy += "  i\(number): { addresses: 10.0.0.\(number), groups: g\(number) }\n" }
      try Files.write(Array(policy.utf8), to: "\(world.folder)/large.yaml")
      let other = policy.replacing("g7: { ingress: [{ allow: tcp/81", with: "g7: { ingress: [{ allow: tcp/82")
      try Files.write(Array(other.utf8), to: "\(world.folder)/other.yaml")
      let done = try world.shell(
        """
        confined="setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin --"
        $confined unshare --net true 2>/dev/null && echo "it has the right"
        $confined $CORDON compile large.yaml --apply >/dev/null; echo "first $?"
        $confined $CORDON compile other.yaml --apply >/dev/null; echo "small $?"
        $confined $CORDON compile b.yaml --apply --confirm 1 >/dev/null 2>&1; echo "guarded $?"
        """)
      #expect(done.stdout == "first 0\nsmall 0\nguarded 0\n", "\(done.stdout)\(done.stderr)")
      var waits = 0
      while try !nft("list", "table", "inet", "cordon").contains("chain ingress/g7"), waits < 100 {
        usleep(100_000)
        waits += 1
      }
      #expect(waits < 100)
      #expect(try nft("list", "chain", "inet", "cordon", "ingress/g7").contains("dport 82"))
      try world.expect(0, "status")
    }
  }

  @Test("a rollback puts back what it can't list")
  func unlistable() throws {
    try StateTests.world { world in
      try world.expect(0, "compile", "a.yaml", "--apply")
      try world.expect(0, "compile", "b.yaml", "--apply")
      let name: [UInt8] = Array("add rule inet cordon forward iifname \"a".utf8) + [0xFF] + Array("\" counter\n".utf8)
      let done = try Shell.run(["nft", "-f", "-"], stdin: name)
      #expect(done.status == 0, "\(done.stderr)")
      #expect(try world.expect(3, "status").contains("cannot list"))
      #expect(try world.expect(0, "rollback").contains("loaded whole"))
      #expect(try world.livePort() == "81")
      try world.expect(0, "status")
    }
  }
}
