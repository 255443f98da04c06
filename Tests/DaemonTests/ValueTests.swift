// Promises of the small grammars of values: durations, lists, endpoints, items of ignoreip.

import Testing
import Wire

@testable import Daemon

@Suite struct DurationTextTests {
    /// The expected seconds are what `fail2ban-client --str2sec` of fail2ban 1.0.2 prints.
    @Test(arguments: [
        ("90", 90), ("10m", 600), ("1h", 3600), ("1d", 86_400), ("1w", 604_800), ("1d 12h", 129_600), ("1d12h", 129_600),
        ("1h 30min", 5400), ("1hour+30min", 5400), ("2 weeks", 1_209_600), ("1mo", 2_629_800), ("1 month", 2_629_800),
        ("1y", 31_557_600), ("1H", 3600), ("10 Minutes", 600), ("5 s", 5), ("1da", 86_400), ("1d 30", 86_430), ("0", 0), (" 7 d ", 604_800),
    ])
    func aDurationIsReadAsFail2banReadsIt(text: String, seconds: Int64) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test(arguments: ["", " ", "-1", "m", "1x", "1,5h", "1.5h", "+", "1h-5m", "10m!", "99999999999999", "5000y", "9999999999w"])
    func anythingElseIsNoDuration(text: String) {
        #expect(DurationText.seconds(text) == nil)
    }

    @Test(arguments: [("1w", 604_800), ("90d", 90 * 86_400), ("36h", 129_600), ("90m", 5400), ("59s", 59), ("0s", 0)])
    func aDurationIsPrintedWithOneUnit(text: String, seconds: Int64) {
        #expect(DurationText.text(.seconds(seconds)) == text)
    }
}

@Suite struct ListTests {
    @Test(arguments: [
        ("a b,c , d\ne", ["a", "b", "c", "d", "e"]), ("", []), (" , ,", []), ("\"a b\", c", ["a b", "c"]), ("\"\"", [""]),
        ("\"a,b\"", ["a,b"]),
    ])
    func itemsAreSeparatedByCommasOrBlanks(text: String, items: [String]) {
        #expect(splitList(text, at: .commasAndBlanks) == items)
    }

    @Test func itemsSeparatedByCommasMayHoldBlanks() {
        #expect(splitList("one two , three\n four", at: .commas) == ["one two", "three", "four"])
    }

    @Test func wordsOfACommandKeepWhatIsQuoted() {
        #expect(
            splitList("/bin/x --why=\"a b\" \"c d\" e,f \"\"", at: .blanks) == ["/bin/x", "--why=a b", "c d", "e,f", ""])
    }

    @Test func aQuoteThatIsNotClosedIsNoList() {
        #expect(splitList("a \"b", at: .commasAndBlanks) == nil)
    }
}

@Suite struct EndpointTests {
    @Test(arguments: [
        "tcp://127.0.0.1:5678", "tcp://publisher.example.org:5678", "tcp://[2001:db8::1]:5678", "tcp://[fe80::1%eth0]:1",
        "ipc:///run/x.sock",
        "ipc://@name", "tcp://web_1:65535",
    ])
    func anEndpointThatCanBeConnectedToIsAccepted(text: String) {
        #expect(Endpoint(connect: text)?.description == text)
    }

    @Test(arguments: ["tcp://*:5678", "tcp://eth0:5678", "tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://[::]:5678", "ipc:///run/x.sock"])
    func anEndpointThatCanBeBoundIsAccepted(text: String) {
        #expect(Endpoint(bind: text)?.description == text)
    }

    @Test(arguments: [
        "", "tcp://", "tcp://x", "tcp://x:", "tcp://:5678", "tcp://x:0", "tcp://x:65536", "tcp://x:05", "tcp://*:5678",
        "tcp://999.1.1.1:5678",
        "tcp://1.2.3:5678", "tcp://2001:db8::1:5678", "tcp://[2001:db8::1:5678", "tcp://[127.0.0.1]:1", "tcp://[::1/64]:1", "http://x:80",
        "tcp://a;b:5678", "tcp://a b:5678", "ipc://x", "ipc://", "inproc://x", "tcp://x:5678/", "TCP://x:5678", "tcp://x:-1",
    ])
    func anythingElseIsNoEndpointToConnectTo(text: String) {
        #expect(Endpoint(connect: text) == nil)
    }

    @Test func theHostOfAnEndpointCanBeProtected() throws {
        #expect(Endpoint(connect: "tcp://[2001:db8::1]:5678")?.protectedHost == IgnoreRule("2001:db8::1"))
        #expect(Endpoint(connect: "tcp://publisher.example.org:5678")?.protectedHost == IgnoreRule("publisher.example.org"))
        #expect(Endpoint(connect: "ipc:///run/x.sock")?.protectedHost == nil)
        #expect(Endpoint(bind: "tcp://*:5678")?.protectedHost == nil)
    }
}

@Suite struct IgnoreRuleTests {
    @Test func hostBitsOfAPrefixAreCleared() {
        #expect(IgnoreRule("127.0.0.1/8") == Address("127.0.0.0/8").map(IgnoreRule.address))
    }

    @Test func aNameIsAName() {
        #expect(IgnoreRule("Office.example.org")?.description == "office.example.org")
    }

    @Test(arguments: ["999.1.1.1", "1.2.3", "1", "1.2.3.4/33", "", "a/24", "a b", "-x", "2001:db8::g", "example.1"])
    func whatIsNeitherIsRefused(text: String) {
        #expect(IgnoreRule(text) == nil)
    }
}

@Suite struct SuggestionTests {
    @Test(arguments: [
        ("replybindulr", "replybindurl"), ("quorom", "quorum"), ("max_ban_time", "maxbantime"), ("pidfiel", "pidfile"), ("xyzzy", nil),
        ("a", nil), ("", nil),
    ])
    func aMisspeltWordFindsWhatWasMeant(word: String, meant: String?) {
        #expect(suggestion(for: word, among: ["replybindurl", "quorum", "maxbantime", "pidfile", "jail"]) == meant)
    }
}
