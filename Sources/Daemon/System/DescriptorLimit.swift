// What the daemons share: how many descriptors a process may have, for a server with many connections.

import Glibc

/// The limit of open files, RLIMIT_NOFILE of getrlimit(2).
public enum DescriptorLimit {
    /// Raises the soft limit, which is 1024 for most processes, to the hard one. Only for a process without children: a program that
    /// uses select(2) fails with descriptors beyond 1023.
    ///
    /// Without descriptors libzmq accepts no connection, and tries again at once, without end.
    public static func raise() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Allowed to everyone; should it fail all the same, the process works with what it has.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
