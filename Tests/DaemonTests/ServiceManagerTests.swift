// Promises of what a service manager hears: sd_notify(3) on a socket of the test.

import Glibc
import TestSupport
import Testing

@testable import Daemon

@Suite struct ServiceManagerTests {
    @Test func itHearsReadyReloadingAndStopping() throws {
        let folder = try TemporaryFolder()
        let listener = try NotifyListener(folder("notify"))
        let manager = ServiceManager(socket: folder("notify"))
        manager.ready()
        manager.reloading(now: 42)
        manager.stopping()
        #expect([listener.next(), listener.next(), listener.next()] == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=42", "STOPPING=1"])
    }

    @Test func anAbstractNameIsReached() throws {
        let name = "daemon-tests-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let listener = try NotifyListener("\u{0}" + name)
        ServiceManager(socket: "@" + name).ready()
        #expect(listener.next() == "READY=1")
    }

    @Test(arguments: [nil, "", "relative", "/", "/nowhere/socket", "@" + String(repeating: "x", count: 200)])
    func withoutAUsableSocketNothingHappens(socket: String?) {
        ServiceManager(socket: socket).ready()
    }
}

/// A service manager's datagram socket.
final class NotifyListener {
    private let descriptor: Int32

    /// - Parameter name: a path, or a zero character and an abstract name.
    init(_ name: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.utf8.count)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(code == 0)
    }

    deinit { close(descriptor) }

    /// The next message; empty when none came.
    func next() -> String {
        var waited = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        guard awaitReadable(&waited, until: .now + .seconds(30)) else { return "" }
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
