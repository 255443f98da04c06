// The harness: threads, since a socket of libzmq stays on the one that made it.

import Foundation
import Synchronization

/// A thread that works until it has a result.
final class Worker<Result: Sendable>: Sendable {
    private let outcome = Mutex<Swift.Result<Result, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ work: @escaping @Sendable () throws -> Result) {
        let thread = Thread { [self] in
            let result = Swift.Result { try work() }
            outcome.withLock { $0 = result }
            done.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Waits for the result. May be asked once.
    func result() throws -> Result {
        done.wait()
        guard let result = outcome.withLock({ $0 }) else { throw BenchError("a thread ended without a result") }
        return try result.get()
    }
}

/// A gate that opens once, for all who wait at it.
final class Gate: Sendable {
    private let isOpen = Mutex(false)
    private let waiting: DispatchSemaphore

    init() { waiting = DispatchSemaphore(value: 0) }

    func open() {
        isOpen.withLock { $0 = true }
        waiting.signal()
    }

    func pass() {
        waiting.wait()
        waiting.signal()
    }

    /// Whether it is open, without waiting.
    var stands: Bool { isOpen.withLock { $0 } }
}

/// Waits until so many have counted.
final class Countdown: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let number: Int

    init(_ number: Int) { self.number = number }

    func count() { semaphore.signal() }

    func wait() { for _ in 0..<number { semaphore.wait() } }
}
