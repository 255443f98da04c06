// What fail2ban says of its log.

import Daemon
import Testing

@Suite struct ServerSettingsTests {
    private let start = ContinuousClock.now

    private func answered(_ question: ServerSettings.Question, _ text: String) -> ServerSettings {
        var settings = ServerSettings()
        settings.answered(question, Array(text.utf8))
        return settings
    }

    @Test(arguments: [
        ("Current logging level is 'INFO'\n", "INFO"), ("Current logging level is WARNING\n", "WARNING"),
        ("warning: something\nCurrent logging level is 'DEBUG'\n", "DEBUG"),
    ])
    func theLogLevelIsTheLastWord(_ text: String, _ level: String) { #expect(answered(.logLevel, text).logLevel == level) }

    @Test(arguments: [
        ("Current logging target is:\n`- /var/log/fail2ban.log\n", "/var/log/fail2ban.log"),
        ("Current logging target is:\n`- SYSTEMD-JOURNAL\n", "SYSTEMD-JOURNAL"),
    ])
    func theLogTargetIsTheLastWord(_ text: String, _ target: String) { #expect(answered(.logTarget, text).logTarget == target) }

    @Test func noAnswerIsNoValue() {
        #expect(answered(.logLevel, "") == ServerSettings())
        #expect(answered(.logTarget, "Failed to access socket path: /run/x.sock. Is fail2ban running?\n").logTarget == nil)
    }

    @Test func bothAreAskedForAtOnceAndAgainAfterTheInterval() {
        var settings = ServerSettings()
        #expect(settings.deadline == nil)
        var asked: [ServerSettings.Question] = []
        while let question = settings.next(now: start) { asked.append(question) }
        #expect(Set(asked) == Set(ServerSettings.Question.allCases) && asked.count == 2)
        #expect(settings.deadline == start + ServerSettings.interval)
        #expect(settings.next(now: start + ServerSettings.interval) != nil)
        settings.outdate()
        #expect(settings.next(now: start) != nil)
    }
}
