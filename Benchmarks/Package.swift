// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "fail2ban-cluster", path: "..")],
    targets: [
        .executableTarget(
            name: "latency",
            dependencies: [
                .product(name: "Wire", package: "fail2ban-cluster"), .product(name: "ZeroMQ", package: "fail2ban-cluster"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")])
    ]
)
