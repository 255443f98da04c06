// swift-tools-version: 6.2
import PackageDescription

// What is measured is built with what measures it, so that both are of the same source.
let programs: [Target.Dependency] = ["monitor", "publisher", "subscriber", "cluster"].map {
    .product(name: "fail2ban-\($0)", package: "fail2ban-cluster")
}

let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "fail2ban-cluster", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // The SQLite that GRDB links too, for the raw limit.
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CNetlink"),
        .executableTarget(
            name: "bench",
            dependencies: [
                "CNetlink", "CSQLite", .product(name: "Wire", package: "fail2ban-cluster"), .product(name: "ZeroMQ", package: "fail2ban-cluster"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + programs,
            swiftSettings: [
                .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
            ]),
    ]
)
