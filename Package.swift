// swift-tools-version: 6.2
import PackageDescription

// CI sets this so that a warning fails the build; a newer compiler's new warning must not stop a user's build.
let warnings: [SwiftSetting] = Context.environment["WARNINGS_AS_ERRORS"] == "1" ? [.treatAllWarnings(as: .error)] : []
// scripts/fuzz sets this: what is ours tells libFuzzer which ways an input took, and the sources of FuzzTests become the program `fuzz`.
let isFuzzing = Context.environment["FUZZING"] == "1"
let instruments = ["-sanitize=fuzzer,address"]
// scripts/sanitize sets this: a sanitizer's instruments cost several times less in optimised code, which is also what is shipped.
let isOptimised = isFuzzing || Context.environment["SANITIZING"] == "1"
let settings: [SwiftSetting] =
    [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility")]
    + warnings + (isFuzzing ? [.unsafeFlags(instruments)] : []) + (isOptimised ? [.unsafeFlags(["-O"])] : [])

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: settings)
}

let parsers: [Target.Dependency] = ["Wire", "ZeroMQ", "Daemon", "Monitor", "Publisher", "Subscriber", "Operator", grdb]
let fuzzing =
    isFuzzing
    ? Target.executableTarget(
        name: "fuzz", dependencies: parsers, path: "Tests/FuzzTests", exclude: ["Corpus", "CorpusTests.swift"], swiftSettings: settings,
        linkerSettings: [.unsafeFlags(instruments + ["-use-ld=lld"])])
    : tests("FuzzTests", parsers, exclude: ["Corpus", "main.swift"])

let package = Package(
    name: "fail2ban-cluster",
    products: [
        // For Benchmarks/, which measures from outside.
        .library(name: "Wire", targets: ["Wire"]),
        .library(name: "ZeroMQ", targets: ["ZeroMQ"]),
        .executable(name: "fail2ban-monitor", targets: ["fail2ban-monitor"]),
        .executable(name: "fail2ban-publisher", targets: ["fail2ban-publisher"]),
        .executable(name: "fail2ban-subscriber", targets: ["fail2ban-subscriber"]),
        .executable(name: "fail2ban-cluster", targets: ["fail2ban-cluster"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // No pkgConfig: libzmq's adds flags of its own dependencies; the module map links zmq.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CNetfilter", providers: [.apt(["libmnl-dev", "libnftnl-dev"])]),

        library("Wire", []),
        library("ZeroMQ", ["CZeroMQ"]),
        library("Daemon", ["Wire", "ZeroMQ", "CLinux", logging, argumentParser]),
        library("Monitor", ["Wire", "ZeroMQ", "Daemon", "CZlib", sqlite, logging, argumentParser]),
        library("Publisher", ["Wire", "ZeroMQ", "Daemon", grdb, sqlite, heap, logging, argumentParser]),
        library("Subscriber", ["Wire", "ZeroMQ", "Daemon", "CLinux", "CNetfilter", heap, logging]),
        library("Operator", ["Wire", "ZeroMQ", "Daemon", argumentParser]),

        program("fail2ban-monitor", ["Monitor"]),
        program("fail2ban-publisher", ["Publisher"]),
        program("fail2ban-subscriber", ["Subscriber"]),
        program("fail2ban-cluster", ["Operator"]),

        .systemLibrary(name: "CNamespaces", path: "Tests/CNamespaces"),
        .target(
            name: "TestSupport", dependencies: ["Wire", "ZeroMQ", "CNamespaces", subprocess], path: "Tests/TestSupport",
            swiftSettings: settings),
        tests("WireTests", ["Wire"]),
        tests("ZeroMQTests", ["ZeroMQ"]),
        .executableTarget(name: "SampleDaemon", dependencies: ["Daemon"], path: "Tests/SampleDaemon", swiftSettings: settings),
        tests("DaemonTests", ["Wire", "Daemon", "SampleDaemon", argumentParser, logging, subprocess]),
        tests("MonitorTests", ["Monitor", "Daemon", "Wire", "ZeroMQ", grdb], exclude: ["Corpus"]),
        tests("PublisherTests", ["Publisher"]),
        tests("SubscriberTests", ["Subscriber"]),
        tests("OperatorTests", ["Operator", argumentParser], exclude: ["Golden"]),
        tests("EndToEndTests", ["Wire", "ZeroMQ", grdb, subprocess], exclude: ["Documented/commands.txt", "Golden", "Rulesets"]),
        fuzzing,
    ]
)
