// Promises of the log: one message is one line, whatever is in it, and a warning that repeats does not flood it.

import Glibc
import Testing
import Wire

@testable import Daemon

@Suite struct LogTextTests {
    @Test(arguments: [
        ("plain text", "plain text"), ("a\nb", "a\\nb"), ("a\r\nb", "a\\r\\nb"), ("a\tb", "a\\tb"), ("\u{1b}[31mred", "\\x1b[31mred"),
        ("\u{0}", "\\x00"),
        ("\u{7f}", "\\x7f"), ("\u{85}", "\\x85"), ("a\u{2028}b", "a\\u{2028}b"), ("\u{202e}txt", "\\u{202e}txt"), ("grüße", "grüße"),
    ])
    func whatCouldForgeALineIsEscaped(text: String, safe: String) {
        #expect(LogText.escaped(text) == safe)
    }

    @Test func aLongMessageIsCut() {
        let cut = LogText.escaped(String(repeating: "x", count: 100_000))
        #expect(cut.utf8.count < LogText.longest + 10)
        #expect(cut.hasSuffix("…"))
    }

    @Test func timesForPeopleAreInUTC() {
        #expect(Timestamp(milliseconds: 1_795_334_400_999).utcText == "2026-11-22T08:00:00Z")
        #expect(Timestamp(milliseconds: 0).utcText == "1970-01-01T00:00:00Z")
        #expect(Timestamp.latest.utcText == "9999-12-31T23:59:59Z")
    }

    @Test func timesHaveMillisecondsAndTheirZone() {
        let text = LogText.time(timespec(tv_sec: 1_795_212_000, tv_nsec: 7_900_000))
        #expect(text.contains(/^2026-11-2[01]T\d\d:\d\d:00\.007[+-]\d\d:\d\d$/))
    }
}

@Suite struct RateLimitTests {
    private let start = ContinuousClock.now

    @Test func aBurstPassesAndTheRestIsCounted() {
        var limit = RateLimit(burst: 2, interval: .seconds(10))
        #expect(limit.admit(at: start) == 0)
        #expect(limit.admit(at: start) == 0)
        #expect(limit.admit(at: start) == nil)
        #expect(limit.admit(at: start + .seconds(9)) == nil)
        #expect(limit.admit(at: start + .seconds(10)) == 2)
        #expect(limit.admit(at: start + .seconds(11)) == nil)
    }

    @Test func aQuietTimeAllowsABurstAgainAndNotMore() {
        var limit = RateLimit(burst: 2, interval: .seconds(10))
        for _ in 0..<5 { _ = limit.admit(at: start) }
        let later = start + .seconds(1_000_000)
        #expect(limit.admit(at: later) == 3)
        #expect(limit.admit(at: later) == 0)
        #expect(limit.admit(at: later) == nil)
    }

    @Test func oneAnIntervalPassesHoweverOftenItIsAsked() {
        var limit = RateLimit(interval: .seconds(1))
        let passed = (0..<1000).count { limit.admit(at: start + .milliseconds(10 * $0)) != nil }
        #expect(passed == 10)
    }
}
