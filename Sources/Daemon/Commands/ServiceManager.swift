// What the daemons share: telling systemd, or whoever else listens on NOTIFY_SOCKET, that a daemon is ready, is alive, reloads or stops.

import Glibc

/// The service manager's socket: sd_notify(3) without libsystemd. Without NOTIFY_SOCKET nothing is sent.
struct ServiceManager {
    private let socket: String?
    /// How often it wants to hear that the daemon is alive, in microseconds; `nil` when it does not.
    let aliveInterval: Int?

    /// - Parameters:
    ///   - socket: a Unix socket's path, or `@` and its abstract name, as NOTIFY_SOCKET has it.
    ///   - patience: after how many microseconds without a word it takes the daemon for hung (WatchdogSec=).
    init(socket: String?, patience: Int? = nil) {
        self.socket = socket
        // Half of it, as sd_watchdog_enabled(3) recommends.
        aliveInterval = patience.flatMap { $0 > 1 ? $0 / 2 : nil }
    }

    /// Takes it out of the environment, so that children don't speak for the daemon. Call it before threads start.
    static func fromEnvironment() -> ServiceManager {
        func take(_ name: String) -> String? {
            defer { unsetenv(name) }
            return getenv(name).map { String(cString: $0) }
        }
        // It may have told another process, which started this one, to be watched.
        let watched = take("WATCHDOG_PID").flatMap { pid_t($0) } ?? getpid()
        let patience = take("WATCHDOG_USEC").flatMap { Int($0) }
        return ServiceManager(socket: take("NOTIFY_SOCKET"), patience: watched == getpid() ? patience : nil)
    }

    /// From now on, if it wants to, the manager hears that the daemon is alive: SIGALRM comes as often as that, and who takes it from the
    /// ``SignalDescriptor``, the daemon's one loop, says so. A loop that hangs says nothing.
    func ready() {
        send("READY=1")
        guard let aliveInterval else { return }
        let interval = timeval(tv_sec: aliveInterval / 1_000_000, tv_usec: aliveInterval % 1_000_000)
        var timer = itimerval(it_interval: interval, it_value: interval)
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    }

    func alive() { send("WATCHDOG=1") }

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
