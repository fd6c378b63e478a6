// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with: the Swift 6 language mode, imports that don't leak, warnings as errors.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "cordon",
  products: [.executable(name: "cordon", targets: ["cordon"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // floor 0: nothing of ours below but what C has of Linux
    .target(name: "Diagnostics", swiftSettings: strict),
    .target(name: "PacketSpace", dependencies: ["CLinux"], swiftSettings: strict),
    // floor 1: two semantics that can't see each other
    .target(name: "PolicyLanguage", dependencies: ["Diagnostics", "PacketSpace"], swiftSettings: strict),
    .target(name: "Nftables", dependencies: ["PacketSpace"], swiftSettings: strict),
    // floor 2: what joins them, and the kernel
    .target(
      name: "PolicyCompiler", dependencies: ["Diagnostics", "PacketSpace", "PolicyLanguage", "Nftables"],
      swiftSettings: strict),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CNftables", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
    .systemLibrary(
      name: "CConntrack", pkgConfig: "libnetfilter_conntrack", providers: [.apt(["libnetfilter-conntrack-dev"])]),
    .target(
      name: "NftablesKernel", dependencies: ["CLinux", "CNftables", "CConntrack", "Nftables", "PacketSpace"],
      swiftSettings: strict),
    // floor 3: the command
    .executableTarget(
      name: "cordon",
      dependencies: [
        "Diagnostics", "PacketSpace", "PolicyLanguage", "Nftables", "PolicyCompiler", "NftablesKernel",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      packageAccess: false, swiftSettings: strict),

    .target(
      name: "TestSupport",
      dependencies: ["CLinux", "NftablesKernel", "PacketSpace", "PolicyCompiler", "PolicyLanguage", "Diagnostics", "Nftables"],
      path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "PacketSpaceTests", dependencies: ["CLinux", "PacketSpace", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "PolicyLanguageTests",
      dependencies: ["PolicyLanguage", "Diagnostics", "PacketSpace", "TestSupport", .product(name: "Yams", package: "Yams")],
      swiftSettings: strict),
    .testTarget(name: "NftablesTests", dependencies: ["Nftables", "PacketSpace", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "PolicyCompilerTests",
      dependencies: ["PolicyCompiler", "PolicyLanguage", "Nftables", "Diagnostics", "PacketSpace", "TestSupport"],
      swiftSettings: strict),
    .testTarget(name: "CordonTests", dependencies: ["cordon", "PacketSpace", "PolicyLanguage"], swiftSettings: strict),
    .testTarget(name: "CommandTests", dependencies: ["NftablesKernel", "PacketSpace", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "KernelTests",
      dependencies: [
        "NftablesKernel", "Nftables", "PolicyCompiler", "PolicyLanguage", "Diagnostics", "PacketSpace", "TestSupport",
      ],
      swiftSettings: strict),
  ]
)
