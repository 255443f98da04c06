// What a daemon costs on which nothing happens.

import TestSupport
import Testing

@Suite struct IdleTests {
    @Test(
        .enabled("there is no sqlite3 on this machine") { try await execute(["sh", "-c", "command -v sqlite3"]).status == 0 })
    func aMonitorHasNoThreadThatWakesUpByItself() async throws {
        try await LoneHost.with { host in
            try host.overlay("[general]\nfail2bandbpath = \(host.folder("db"))\n")
            let tables = "CREATE TABLE jails(name, enabled); CREATE TABLE bips(ip, jail, timeofban, bantime);"
            try #require(await host.shell("sqlite3 db '\(tables)'").status == 0)
            let monitor = try await host.start(.monitor)
            // Its own and two of libzmq; any more are libdispatch's, of which one wakes up each second.
            let expected = Sanitizer.hasThread ? 4 : 3
            #expect(try await host.shell("ls /proc/\(monitor)/task | wc -l").output == "\(expected)\n", "\(host.log)")
        }
    }
}
