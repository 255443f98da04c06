// Test support: a network namespace of a test's own, for what is tested within this process. It ends with the test.

import CNamespaces
import Glibc
import Synchronization
import Testing

/// A thread in a network namespace of its own, on which a test's body runs. Sockets and threads that it makes, and programs that it starts
/// by ``posix_spawn``, are in that namespace; the machine's own network, and other tests, are not touched.
public final class PrivateNetwork: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isOver = false
    }

    private let state = Mutex(State())
    /// Posted once for each job, and for the end.
    // Semaphores are for any thread (sem_overview(7)).
    nonisolated(unsafe) private let wakeUps: UnsafeMutablePointer<sem_t>

    private init() {
        wakeUps = .allocate(capacity: 1)
        sem_init(wakeUps, 0, 0)
    }

    deinit {
        sem_destroy(wakeUps)
        wakeUps.deallocate()
    }

    /// Runs `body` in a namespace without any interface that is up.
    public static func with<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        let network = PrivateNetwork()
        let box = Unmanaged.passRetained(network)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<PrivateNetwork>.fromOpaque(pointer).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        try #require(code == 0)
        pthread_detach(thread)
        defer { network.end() }
        return try await withTaskExecutorPreference(network) {
            try #require(unshare(Int32(CNAMESPACES_NEWNET)) == 0, "unshare(2): \(String(cString: strerror(errno)))")
            return try await body()
        }
    }

    /// Takes CAP_NET_ADMIN (capabilities(7)) from the thread, and from those that it starts from now on.
    ///
    /// - Returns: whether it is gone.
    public static func dropPrivilege() -> Bool {
        var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
        var sets = [__user_cap_data_struct](repeating: __user_cap_data_struct(), count: 2)
        guard capget(&header, &sets) == 0 else { return false }
        sets[0].effective &= ~(1 << UInt32(CAP_NET_ADMIN))
        sets[0].permitted &= ~(1 << UInt32(CAP_NET_ADMIN))
        return capset(&header, &sets) == 0
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        sem_post(wakeUps)
    }

    private func end() {
        state.withLock { $0.isOver = true }
        sem_post(wakeUps)
    }

    private func run() {
        while true {
            sem_wait(wakeUps)
            let (job, isOver) = state.withLock { ($0.jobs.isEmpty ? nil : $0.jobs.removeFirst(), $0.isOver) }
            if let job {
                job.runSynchronously(on: asUnownedTaskExecutor())
            } else if isOver {
                return
            }
        }
    }
}
