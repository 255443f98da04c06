// Plain TCP beside ZeroMQ: a peer that speaks none of it or only its beginning, and a listener that takes a port.

import Glibc
import Testing

/// A TCP connection that never blocks: what the other side doesn't take at once is not sent.
final class RawConnection {
    private let descriptor: Int32

    /// Connects to `tcp://127.0.0.1:PORT`.
    init(_ endpoint: String) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) }).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        try #require(code == 0 || errno == EINPROGRESS)
        wait(for: POLLOUT)
    }

    fileprivate init(accepted descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// What the other side says next; nothing if it ends the connection or says nothing by then.
    func receive(within milliseconds: Int32 = 20_000) -> [UInt8] {
        wait(for: POLLIN, milliseconds)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    /// Whether the other side ends its handshake with READY, and not with ERROR or the end of the connection.
    var isAdmitted: Bool {
        var said: [UInt8] = []
        while true {
            let more = receive()
            said += more
            // Behind the greeting comes the flag of a command, its length, and that of its name.
            let name = said.dropFirst(64 + 3).prefix(5)
            if more.isEmpty || name.count == 5 { return name.elementsEqual("READY".utf8) }
        }
    }

    /// Whether the other side ends the connection by then. What it says before is passed over.
    func isClosed(by deadline: ContinuousClock.Instant) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while ContinuousClock.now < deadline {
            wait(for: POLLIN)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 || (count < 0 && errno != EAGAIN) { return true }
        }
        return false
    }

    private func wait(for events: Int32, _ milliseconds: Int32 = 200) {
        var waited = [pollfd(fd: descriptor, events: Int16(events), revents: 0)]
        poll(&waited, 1, milliseconds)
    }

    /// The first 64 bytes of a ZMTP 3.1 peer (RFC 37): signature, version, mechanism, whether it is a server, filler.
    static func greeting(_ mechanism: String) -> [UInt8] {
        let name = Array(mechanism.utf8)
        return [0xff] + [UInt8](repeating: 0, count: 7) + [1, 0x7f, 3, 1] + name + [UInt8](repeating: 0, count: 20 - name.count)
            + [UInt8](repeating: 0, count: 32)
    }

    /// A ZMTP command: flags 4, the length of what follows, the length of the name, the name, the data.
    static func command(_ name: String, _ data: [UInt8]) -> [UInt8] {
        [4, UInt8(1 + name.utf8.count + data.count), UInt8(name.utf8.count)] + Array(name.utf8) + data
    }

    /// A ZMTP frame of a message, at most 255 bytes.
    static func frame(_ data: [UInt8], more: Bool) -> [UInt8] { [more ? 1 : 0, UInt8(data.count)] + data }

    /// The READY command of a socket of this type.
    static func ready(_ type: String) -> [UInt8] {
        command("READY", [11] + Array("Socket-Type".utf8) + [0, 0, 0, UInt8(type.utf8.count)] + Array(type.utf8))
    }
}

/// A port of 127.0.0.1 on which the test listens.
final class TakenPort {
    let number: UInt16
    private var descriptor: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound && listen(descriptor, 1) == 0)
        self.descriptor = descriptor
        number = UInt16(bigEndian: address.sin_port)
    }

    deinit { giveBack() }

    /// The next who connects; it waits for that, 30 s at most.
    func accept() throws -> RawConnection {
        var waited = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        poll(&waited, 1, 30_000)
        let accepted = Glibc.accept(descriptor, nil, nil)
        try #require(accepted >= 0 && fcntl(accepted, F_SETFD, FD_CLOEXEC) == 0 && fcntl(accepted, F_SETFL, O_NONBLOCK) == 0)
        return RawConnection(accepted: accepted)
    }

    func giveBack() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
