// The nftables enforcer against the real kernel, in a network namespace of the test's own, and the nft tool that tells what it did.

import Daemon
import Glibc
import Logging
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Subscriber

/// Use it within ``PrivateNetwork/with(_:)``.
final class TableUnderTest {
    /// Why it can't be tested here, as one sentence; nil when it can.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "nftables needs root: run scripts/test as root" }
        return access("/usr/sbin/nft", X_OK) == 0 ? nil : "nft is missing: run scripts/install-packages lab"
    }()

    static let table = "inet fail2ban_cluster"

    private(set) var enforcer: NftablesEnforcer
    var wanted = WantedSet(origin: start)
    private let folder: TemporaryFolder
    private let lines: LogLines
    private let reconcile: Duration

    init(reconcile: Duration = .seconds(300)) throws {
        folder = try TemporaryFolder()
        lines = LogLines()
        self.reconcile = reconcile
        enforcer = NftablesEnforcer(reconcile: reconcile, log: lines.logger)
    }

    /// What the enforcer logged.
    var log: [String] { lines.all }

    // MARK: The subscriber's side

    func announce(_ events: Event...) { for event in events { apply(event) } }

    func apply(_ event: Event) {
        let outcome = wanted.apply(event, publisherNow: publisherStart.advanced(byMilliseconds: elapsed), now: .now, refusal: nobodyRefused)
        if case .changed(let change) = outcome { enforcer.take(change) }
    }

    /// The publisher's clock goes on.
    private var elapsed: Int64 { start.duration(to: .now).milliseconds }

    /// A ban from now on; ten hours, so that a busy machine's minute shows in no hour.
    func ban(_ text: String, for duration: Duration? = .seconds(36_000)) throws {
        var event = try SubscriberTests.ban(text)
        event.end = duration.map { .at(publisherStart.advanced(byMilliseconds: elapsed + $0.milliseconds)) } ?? .permanent
        apply(event)
    }

    /// A ban of ten hours.
    func announce(_ address: Address) throws {
        var event = try SubscriberTests.ban("192.0.2.1", for: .seconds(36_000))
        event.address = address
        apply(event)
    }

    /// There are no other bans than those that are wanted.
    func complete() {
        for change in wanted.withdrawAll(except: Set(wanted.addresses), isCertain: true, now: .now) { enforcer.take(change) }
    }

    /// A subscriber that was ended and comes back: it knows nothing.
    func restart() {
        wanted = WantedSet(origin: start)
        enforcer = NftablesEnforcer(reconcile: reconcile, log: lines.logger)
    }

    /// Runs the enforcer as the loop does until `condition` holds.
    ///
    /// - Returns: how long it took.
    @discardableResult
    func run(
        until expectation: Comment, within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () throws -> Bool
    ) throws -> Duration {
        let began = ContinuousClock.now
        while true {
            turn(upTo: .milliseconds(20))
            if try condition() { return began.duration(to: .now) }
            guard began.duration(to: .now) < limit else {
                Issue.record("not within \(limit): \(expectation); the log: \(log.suffix(10))", sourceLocation: sourceLocation)
                return limit
            }
        }
    }

    /// One turn of the loop, which waits for `pause` at most.
    func turn(upTo pause: Duration) {
        for change in wanted.expire(now: .now, limit: 10_000) { enforcer.take(change) }
        enforcer.advance(wanted: wanted, now: .now)
        var polled = PollSet()
        enforcer.add(to: &polled)
        let latest = ContinuousClock.now + pause
        _ = try? polled.wait(until: min(enforcer.deadline ?? latest, wanted.nextExpiry ?? latest, latest))
        enforcer.advance(wanted: wanted, now: .now)
    }

    /// Until the kernel was compared and agreed, and nothing is under way.
    func settle(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try run(until: "it settles", sourceLocation: sourceLocation) { enforcer.isSettled && enforcer.isWritten }
    }

    /// Takes the notices of what others did.
    func settleNotices() { for _ in 0..<1000 { turn(upTo: .milliseconds(1)) } }

    /// How many notices for a socket of netlink the kernel had no room for (proc_pid_net(5), /proc/net/netlink).
    func droppedNotices(_ port: UInt32) throws -> Int {
        let file = try #require(fopen("/proc/thread-self/net/netlink", "r"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
            // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode; 12 is NETLINK_NETFILTER.
            if words.count > 8, words[2] == "\(port)", words[1] == "12" { return Int(words[8]) ?? 0 }
        }
        return 0
    }

    /// Changes the table as the enforcer does, but behind its back.
    func meddle(_ writes: [NftablesWrite]) throws {
        let writer = try #require(enforcer.kernel?.writer)
        for write in writes { try writer.perform(write) }
    }

    // MARK: The nft tool's side

    /// What `nft` printed.
    @discardableResult
    func nft(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let words = arguments.map { "'\($0)'" }.joined(separator: " ")
        // Into a file: a list may be longer than a pipe holds.
        let file = folder("nft")
        var child = try ChildProcess(["sh", "-c", "exec nft \(words) > \(file) 2>&1"], input: false)
        var polled = PollSet()
        let end = polled.add(descriptor: child.endDescriptor)
        try polled.wait(until: .now + .seconds(120))
        try #require(polled.isReadable(end), "nft \(words) does not end", sourceLocation: sourceLocation)
        let text = folder.read("nft") ?? ""
        #expect(child.reap() == .exited(0), "nft \(words): \(text)", sourceLocation: sourceLocation)
        return text
    }

    /// Has `nft -f` carry out a script.
    func load(_ script: String) throws { try nft("-f", folder.write("script", script)) }

    /// The elements of a set, with what the tool says of each, by the address or range.
    func elements(_ set: String) throws -> [String: String] {
        let text = try nft("list", "set", "inet", "fail2ban_cluster", set)
        guard let list = text.firstRange(of: "elements = {").map({ text[$0.upperBound...].prefix { $0 != "}" } }) else { return [:] }
        let words = list.split(separator: ",").map { $0.split(whereSeparator: \.isWhitespace) }
        return Dictionary(words.compactMap { w in w.first.map { (String($0), w.dropFirst().joined(separator: " ")) } }) { first, _ in first
        }
    }

    func addresses(_ set: String) throws -> Set<String> { Set(try elements(set).keys) }
}

extension NftablesReader {
    /// All elements of a set.
    func all(of set: NftablesSet) throws -> [NftablesElement] {
        var page = try read(.begin(set))
        var elements = page.elements
        while !page.isLast {
            page = try read(.goOn(set))
            elements += page.elements
        }
        return elements
    }
}

/// What was logged, for one thread.
private final class LogLines: @unchecked Sendable {
    // Sendable: the enforcer logs on the test's thread only.
    private(set) var all: [String] = []

    var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self) }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { lines.all.append("\(event.level): \(event.message)") }
    }
}
