// What the daemons share: telling systemd, or whoever else listens on NOTIFY_SOCKET, that a daemon is ready, reloads or stops.

import Glibc

/// The service manager's socket: sd_notify(3) without libsystemd. Without NOTIFY_SOCKET nothing is sent.
struct ServiceManager {
    private let socket: String?

    /// - Parameter socket: a Unix socket's path, or `@` and its abstract name, as NOTIFY_SOCKET has it.
    init(socket: String?) { self.socket = socket }

    /// Takes the socket out of the environment, so that children don't speak for the daemon. Call it before threads start.
    static func fromEnvironment() -> ServiceManager {
        defer { unsetenv("NOTIFY_SOCKET") }
        return ServiceManager(socket: getenv("NOTIFY_SOCKET").map { String(cString: $0) })
    }

    func ready() { send("READY=1") }

    /// - Parameter now: microseconds of CLOCK_MONOTONIC, by which the manager tells this reload's READY=1 from an earlier one.
    func reloading(now: UInt64 = ServiceManager.monotonicMicroseconds()) { send("RELOADING=1\nMONOTONIC_USEC=\(now)") }

    func stopping() { send("STOPPING=1") }

    static func monotonicMicroseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    /// A datagram; what cannot be sent is lost, since a daemon must work without a manager too.
    private func send(_ text: String) {
        guard let socket else { return }
        var name = Array(socket.utf8)
        var address = sockaddr_un()
        guard let first = name.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"), name.count > 1,
            name.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return }
        // An abstract name begins with a zero byte (unix(7)).
        if first == UInt8(ascii: "@") { name[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        // Abstract names are as long as the length says, so the padding must not count.
        let offset = MemoryLayout.offset(of: \sockaddr_un.sun_path) ?? MemoryLayout<sa_family_t>.size
        let length = socklen_t(offset + name.count + (first == UInt8(ascii: "/") ? 1 : 0))
        guard let descriptor = OwnedDescriptor(Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)) else { return }
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                _ = sendto(descriptor.number, bytes, bytes.count, Int32(MSG_NOSIGNAL), target, length)
            }
        }
    }
}
