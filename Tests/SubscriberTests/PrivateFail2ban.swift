// A real fail2ban server of a test's own: configuration, socket, database and log in a temporary folder, and an action that does nothing.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Subscriber

/// It runs beside the machine's own fail2ban, changes no firewall and needs no privilege.
final class PrivateFail2ban {
    static let isInstalled = access("/usr/bin/fail2ban-client", X_OK) == 0 || access("/usr/local/bin/fail2ban-client", X_OK) == 0

    private let folder: TemporaryFolder

    /// fail2ban-client for this server.
    var program: [String] { ["fail2ban-client", "-c", "\(folder.path)/etc", "-s", "\(folder.path)/socket", "-p", "\(folder.path)/pid"] }

    init() throws {
        folder = try TemporaryFolder()
        mkdir("\(folder.path)/etc", 0o700)
        try folder.write(
            "etc/fail2ban.conf",
            """
            [Definition]
            loglevel = DEBUG
            logtarget = \(folder.path)/log
            syslogsocket = auto
            socket = \(folder.path)/socket
            pidfile = \(folder.path)/pid
            dbfile = \(folder.path)/database
            dbpurgeage = 1d
            dbmaxmatches = 10
            allowipv6 = yes

            """)
        try folder.write("etc/action.d/nothing.conf", "[Definition]\nactionban =\nactionunban =\n")
        try folder.write(
            "etc/jail.conf",
            "[fail2ban-cluster]\nenabled = true\nfilter =\nbackend = polling\nbantime = 1d\naction = nothing\n"
                + "[sshd]\nenabled = true\nfilter =\nbackend = polling\nbantime = 1h\naction = nothing\n")
        mkdir("\(folder.path)/etc/filter.d", 0o700)
        try start()
    }

    deinit { _ = try? client("stop") }

    func start() throws { #expect(try client("start").contains("Server ready")) }

    func stop() throws { #expect(try client("stop").contains("Shutdown successful")) }

    /// What `fail2ban-client` prints.
    @discardableResult
    func client(_ arguments: String...) throws -> String {
        let child = try ChildProcess(program + arguments, input: false)
        try awaitReadable(child.endDescriptor)
        var bytes: [UInt8] = []
        _ = child.read(into: &bytes, limit: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Bans addresses by one call, as an administrator may.
    func ban(_ addresses: some Sequence<String>, in jail: String) throws {
        let child = try ChildProcess(program + ["set", jail, "banip"] + addresses, input: false)
        try awaitReadable(child.endDescriptor)
    }

    func banned(in jail: String = "fail2ban-cluster") throws -> Set<Address> {
        Set(try client("get", jail, "banip").split(whereSeparator: \.isWhitespace).compactMap { Address($0) })
    }

    func log() throws -> String { try #require(folder.read("log")) }
}
