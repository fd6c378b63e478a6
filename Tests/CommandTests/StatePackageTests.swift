import Glibc
import TestSupport
import Testing

/// What is installed beside the command.
@Suite("packages") struct StatePackageTests {
  static func has(_ command: String) -> Bool { (try? Shell.run(["sh", "-c", "command -v \(command)"]).status) == 0 }

  /// Runs it at the repository's top, and returns the standard output.
  @discardableResult
  static func run(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let done = try Shell.run(arguments, directory: Fixtures.repository)
    expectStatus(done, 0, arguments.joined(separator: " "), sourceLocation: sourceLocation)
    return done.stdout + done.stderr
  }

  @Test("systemd takes the unit", .enabled(if: has("make") && has("systemd-analyze")))
  func unit() throws {
    try Files.withTemporaryFolder { folder in
      try StatePackageTests.run("make", "-s", "install-files", "PREFIX=\(folder)", "CORDON=\(Cordon.path)")
      let said = try StatePackageTests.run("systemd-analyze", "verify", "\(folder)/lib/systemd/system/cordon.service")
      #expect(!said.contains("cordon"), "\(said)")
      expectStatus(try Cordon.run("compile", "\(folder)/share/doc/cordon/example.yaml"), 0)
      let linted = try Cordon.run("lint", "--strict", "\(folder)/share/doc/cordon/example.yaml")
      #expect(linted.status == 0 && linted.stdout + linted.stderr == "")
    }
  }

  @Test(
    "the Debian package holds what is installed, needs its libraries, and can be purged",
    .enabled(if: has("make") && has("dpkg-deb")))
  func package() throws {
    try Files.withTemporaryFolder { folder in
      let path = try StatePackageTests.run("packaging/build-deb", Cordon.path, folder).split(separator: "\n").map { String($0) }
      let file = try #require(path.last)
      let files = try StatePackageTests.run("dpkg-deb", "--contents", file).split(separator: "\n").filter { !$0.hasSuffix("/") }
      #expect(
        Set(files.compactMap { $0.split(separator: " ").last }) == [
          "./usr/bin/cordon", "./usr/lib/systemd/system/cordon.service", "./usr/share/doc/cordon/changelog.gz",
          "./usr/share/doc/cordon/copyright", "./usr/share/doc/cordon/example.yaml", "./usr/share/doc/cordon/operations.md",
        ])
      #expect(files.allSatisfy { $0.contains(" root/root ") })
      let depends = try StatePackageTests.run("dpkg-deb", "--field", file, "Depends")
      for package in ["libc6", "libnftables1", "libnetfilter-conntrack3"] { #expect(depends.contains("\(package) (>= ")) }
      if Requirement.networkNamespaces.isMet { try StatePackageTests.purge(folder) }
    }
  }

  /// Removing the package that is in the folder keeps the states, and purging it leaves nothing: in a file system laid over the
  /// machine's own, in a mount namespace.
  private static func purge(_ folder: String) throws {
    let done = try Shell.run([
      "unshare", "--mount", "--net", "sh", "-c",
      """
      cd "$0" && mkdir over && mount -t tmpfs over over && cd over && mkdir upper work root &&
      mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root && mount -t proc proc root/proc || exit 99
      cp ../*.deb root/tmp/ && exec chroot root sh -ec "$1"
      """, folder,
      """
      rm -rf /var/lib/cordon
      dpkg -i /tmp/cordon_*.deb >/dev/null
      mkdir -p /var/lib/cordon/initial/cordon
      touch /var/lib/cordon/initial/cordon/index
      systemctl is-enabled cordon || true
      dpkg -r cordon >/dev/null
      ls /var/lib/cordon /usr/bin/cordon || true
      dpkg -P cordon >/dev/null
      find /var/lib /etc /usr/bin /usr/lib/systemd /usr/share/doc -name '*cordon*'
      """,
    ])
    // 99: no file system can be laid over this one
    if done.status == 99 {
      if getenv("CI") != nil { Issue.record("CI: purging a package needs an overlay file system\n\(done.stderr)") }
      return print("SKIPPED: purging a package\n\(done.stderr)")
    }
    expectStatus(done, 0)
    let enabled = has("systemctl") ? "enabled\n" : ""
    #expect(done.stdout == "\(enabled)/var/lib/cordon:\ninitial\n", "\(done.stdout)\(done.stderr)")
  }
}
