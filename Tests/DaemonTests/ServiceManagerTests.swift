// Promises of what a service manager hears: sd_notify(3) on a socket of the test.

import Glibc
import Testing

@testable import Daemon

@Suite struct ServiceManagerTests {
    /// A bound datagram socket.
    private final class Listener {
        let descriptor: Int32

        init(_ name: [UInt8]) throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let length = socklen_t(2 + name.count)
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
            }
            try #require(code == 0)
        }

        deinit { close(descriptor) }

        func next() -> String {
            var buffer = [UInt8](repeating: 0, count: 512)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
    }

    @Test func itHearsReadyReloadingAndStopping() throws {
        let folder = try TemporaryFolder()
        let listener = try Listener(Array(folder("notify").utf8))
        let manager = ServiceManager(socket: folder("notify"))
        manager.ready()
        manager.reloading(now: 42)
        manager.stopping()
        #expect([listener.next(), listener.next(), listener.next()] == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=42", "STOPPING=1"])
    }

    @Test func anAbstractNameIsReached() throws {
        let name = "daemon-tests-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let listener = try Listener([0] + Array(name.utf8))
        ServiceManager(socket: "@" + name).ready()
        #expect(listener.next() == "READY=1")
    }

    @Test(arguments: [nil, "", "relative", "/", "/nowhere/socket", "@" + String(repeating: "x", count: 200)])
    func withoutAUsableSocketNothingHappens(socket: String?) {
        ServiceManager(socket: socket).ready()
    }
}
