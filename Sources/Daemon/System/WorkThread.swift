// What the daemons share: work that may keep the kernel busy for long, done beside a loop on a thread of its own.

import Glibc

/// Does one job after the other on a thread of its own. The loop gives it jobs, polls ``descriptor`` and takes what came of them.
///
/// The thread starts with the first job and ends soon after its owner goes, when what it is doing is done.
public final class WorkThread<Job: Sendable, Outcome: Sendable>: Sendable {
    private let desk: Desk<Job, Outcome>

    /// - Parameter perform: Does one job; called on the thread.
    public init(perform: @escaping @Sendable (Job) -> Outcome) throws(SystemError) {
        desk = Desk(perform: perform, toThread: try WakeUp(), toLoop: try WakeUp())
    }

    deinit { desk.close() }

    /// Readable when outcomes wait.
    public var descriptor: Int32 { desk.toLoop.descriptor }

    /// Gives it one more job. Its queue has no bound of its own: who gives jobs waits for their outcomes.
    ///
    /// - Throws: when the thread cannot be started; then the job is not done.
    public func give(_ job: Job) throws(SystemError) { try desk.give(job) }

    /// Ends the thread, and waits for what it is doing. Jobs that it had not begun are not done, and no further ones are taken.
    public func end() { desk.end() }

    /// What came of the jobs since the last call, in their order.
    public func take() -> [Outcome] { desk.take() }
}

/// What the thread and the loop share.
private final class Desk<Job: Sendable, Outcome: Sendable>: Sendable {
    private struct State {
        var jobs: [Job] = []
        var outcomes: [Outcome] = []
        var isRunning = false
        var isClosed = false
    }

    let toLoop: WakeUp
    private let toThread: WakeUp
    private let perform: @Sendable (Job) -> Outcome
    private let state = Guarded(State())

    init(perform: @escaping @Sendable (Job) -> Outcome, toThread: WakeUp, toLoop: WakeUp) {
        self.perform = perform
        self.toThread = toThread
        self.toLoop = toLoop
    }

    func give(_ job: Job) throws(SystemError) {
        let mustStart = state.withLock { state in
            guard !state.isClosed else { return false }
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart {
            do throws(SystemError) {
                try startThread { self.run() }
            } catch {
                state.withLock { $0 = State() }
                throw error
            }
        }
        toThread.signal()
    }

    func take() -> [Outcome] {
        toLoop.clear()
        return state.withLock { state in
            defer { state.outcomes = [] }
            return state.outcomes
        }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        toThread.signal()
    }

    func end() {
        close()
        while state.withLock({ $0.isRunning }) {
            // The thread says when it is over, as it says that a job is done.
            var waited = [pollfd(fd: toLoop.descriptor, events: Int16(POLLIN), revents: 0)]
            _ = awaitReadable(&waited, until: .now + .seconds(86_400))
            toLoop.clear()
        }
    }

    private func run() {
        while true {
            toThread.clear()
            let (jobs, isClosed) = state.withLock { state in
                defer { state.jobs = [] }
                return (state.jobs, state.isClosed)
            }
            if isClosed {
                state.withLock { $0.isRunning = false }
                toLoop.signal()
                return
            }
            for job in jobs {
                let outcome = perform(job)
                state.withLock { $0.outcomes.append(outcome) }
                toLoop.signal()
            }
            guard jobs.isEmpty else { continue }
            var waited = [pollfd(fd: toThread.descriptor, events: Int16(POLLIN), revents: 0)]
            _ = awaitReadable(&waited, until: .now + .seconds(86_400))
        }
    }
}
