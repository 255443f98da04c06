// What the daemons share: a value that several threads use, one at a time.

import Glibc

/// A value behind a lock, pthread_mutex_lock(3).
///
/// Synchronization.Mutex would do, but its lock is in the standard library's binary, where ThreadSanitizer (`scripts/sanitize thread`)
/// does not see it, so that each use would look like a race.
public final class Guarded<Value: ~Copyable>: @unchecked Sendable {
    // Sendable: the value is touched only while the lock is held.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    public init(_ value: consuming sending Value) {
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Calls `work` with the value, while nobody else uses it. Not to be called within `work`.
    public func withLock<Result: ~Copyable, Failure>(_ work: (inout Value) throws(Failure) -> sending Result) throws(Failure)
        -> sending Result
    {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try work(&value)
    }
}
