// swift-tools-version: 6.2
import PackageDescription

/// As in the package that is measured, which this one links nothing of: it must not share its mistakes.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "Benchmarks",
  targets: [
    .target(name: "Model", swiftSettings: strict),
    .executableTarget(name: "generate-policy", dependencies: ["Model"], swiftSettings: strict),
    .executableTarget(name: "plain-lowering", dependencies: ["Model"], swiftSettings: strict),
    .executableTarget(name: "pick-flows", dependencies: ["Model"], swiftSettings: strict),
    .systemLibrary(name: "CSockets"),
    .executableTarget(name: "send-flows", dependencies: ["CSockets"], swiftSettings: strict),
  ]
)
