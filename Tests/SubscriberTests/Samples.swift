// Values that the subscriber's tests share.

import Daemon
import Glibc
import Logging
import Testing
import Wire

@testable import Subscriber

let start = ContinuousClock.now

/// The publisher's clock at `start`, on purpose far from any real one.
let publisherStart = Timestamp(milliseconds: 1_795_212_000_000)

func address(_ text: String) throws -> Address { try #require(Address(text)) }

func addresses(_ texts: String...) throws -> [Address] { try texts.map { try address($0) } }

/// The `index`-th of many different addresses.
func numbered(_ index: Int) throws -> Address { try #require(Address(ipv4: 0x0a00_0000 + UInt32(index))) }

func ban(_ text: String, for duration: Duration? = .seconds(600), number: UInt64? = nil, host: String = "web1") throws -> Event {
    let end = duration.map { BanEnd.at(publisherStart.advanced(byMilliseconds: $0.milliseconds)) } ?? .permanent
    return Event(
        host: try #require(Hostname(host)), jail: try #require(Jail("sshd")), action: .ban, address: try address(text), number: number,
        end: end, cause: .detected)
}

func unban(_ text: String, number: UInt64? = nil, host: String = "web1", cause: Event.Cause = .lifted) throws -> Event {
    Event(
        host: try #require(Hostname(host)), jail: try #require(Jail("sshd")), action: .unban, address: try address(text), number: number,
        cause: cause)
}

func nobodyRefused(_: Address) -> String? { nil }

/// A generator whose numbers are the same in each run.
struct FixedRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// A log that nobody reads.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A folder of a test, which is removed with it.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/fail2ban-cluster-test-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        guard let child = try? ChildProcess(["rm", "-rf", path], input: false) else { return }
        try? awaitReadable(child.endDescriptor)
    }

    func write(_ text: String, to name: String) throws {
        let full = "\(path)/\(name)"
        if let slash = name.lastIndex(of: "/") { mkdir("\(path)/\(name[..<slash])", 0o700) }
        let file = try #require(fopen(full, "w"), "cannot write \(full)")
        fputs(text, file)
        fclose(file)
    }

    func read(_ name: String) throws -> String {
        let file = try #require(fopen("\(path)/\(name)", "r"), "cannot read \(path)/\(name)")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
