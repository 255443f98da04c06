// The way between the stages: what libzmq refused to do, for whom, and what an operator can do about it.

import CZeroMQ
import Glibc

/// A call of libzmq that failed.
public struct ZeroMQError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The error number: one of errno(3), or one of libzmq's own (`EFSM`, `ETERM`, …).
    public let code: Int32
    /// What was tried and where, as `bind tcp://*:5678`.
    public let what: String

    public init(code: Int32, what: String) {
        self.code = code
        self.what = what
    }

    /// The error of the libzmq call that this thread made last.
    static func last(_ what: @autoclosure () -> String) -> ZeroMQError {
        let code = zmq_errno()
        return ZeroMQError(code: code, what: what())
    }

    /// One sentence: what was tried, why it failed, and the hint where there is one.
    public var description: String {
        let reason = String(cString: zmq_strerror(code))
        return hint.map { "\(what): \(reason) (\($0))" } ?? "\(what): \(reason)"
    }

    /// What to do about it; `nil` where nothing general can be said.
    public var hint: String? {
        switch code {
        case EADDRINUSE: "another process listens there; is another publisher running? `ss -ltnp` shows it"
        case EACCES: "a port below 1024 needs the capability CAP_NET_BIND_SERVICE; choose a higher one or grant it"
        case EADDRNOTAVAIL, ENODEV: "this host has no such address; `ip address` lists those it has, `*` means all"
        case EINVAL where what.hasPrefix("bind ") || what.hasPrefix("connect "), EPROTONOSUPPORT: "an endpoint reads tcp://ADDRESS:PORT"
        case EMFILE: "too many open files or sockets; raise LimitNOFILE of the service"
        case ENOTSUP: "this libzmq was built without CURVE encryption; install the distribution's libzmq5"
        case EHOSTUNREACH: "the peer is not connected any more"
        default: nil
        }
    }
}
