// The way between the stages: the loop's wait, with descriptors, deadlines and signals.

import Glibc
import Testing
import ZeroMQ

@Suite struct PollSetTests {
    @Test func aDeadlineThatHasPassedOnlyLooks() throws {
        let context = try Context()
        let socket = try Socket(.router, in: context)
        var polled = PollSet()
        let index = polled.add(socket)
        try polled.wait(until: ContinuousClock.now - .seconds(3600))
        #expect(!polled.isReadable(index))
    }

    @Test func theWaitNeverEndsBeforeItsDeadline() throws {
        let deadline = ContinuousClock.now + .microseconds(2300)
        var polled = PollSet()
        try polled.wait(until: deadline)
        #expect(ContinuousClock.now >= deadline)
    }

    @Test func aDescriptorAndASocketAreToldApart() throws {
        let context = try Context()
        let socket = try Socket(.router, in: context)
        try socket.bind("inproc://quiet")
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]) }
        var polled = PollSet()
        let quiet = polled.add(socket)
        let reading = polled.add(descriptor: ends[0])
        let writing = polled.add(descriptor: ends[1], .writable)
        try polled.wait(until: .now + patience)
        #expect(!polled.isReadable(quiet) && !polled.isReadable(reading) && polled.isWritable(writing))
        #expect(write(ends[1], "x", 1) == 1)
        close(ends[1])
        polled.removeAll()
        let again = polled.add(descriptor: ends[0])
        try polled.wait(until: nil)
        #expect(polled.isReadable(again))
    }

    @Test func theEndOfAPipeIsReadable() throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]) }
        close(ends[1])
        var polled = PollSet()
        let index = polled.add(descriptor: ends[0])
        try polled.wait(until: .now + patience)
        #expect(polled.isReadable(index))
    }

    @Test func aSignalEndsTheWaitWithNothingReady() throws {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        var oldAction = sigaction()
        #expect(sigaction(SIGURG, &action, &oldAction) == 0)
        defer { sigaction(SIGURG, &oldAction, nil) }
        // Threads of the concurrency runtime block signals.
        var urgent = sigset_t()
        sigemptyset(&urgent)
        sigaddset(&urgent, SIGURG)
        var oldMask = sigset_t()
        #expect(pthread_sigmask(SIG_UNBLOCK, &urgent, &oldMask) == 0)
        defer { pthread_sigmask(SIG_SETMASK, &oldMask, nil) }
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer {
            close(ends[0])
            close(ends[1])
        }
        let waiter = pthread_self()
        var sender = pthread_t()
        let rounds = UnsafeMutablePointer<pthread_t>.allocate(capacity: 1)
        rounds.pointee = waiter
        defer { rounds.deallocate() }
        // The signal is sent until the wait has ended, since one that comes before it begins is lost.
        pthread_create(
            &sender, nil,
            { target in
                guard let target else { return nil }
                let waiter = target.assumingMemoryBound(to: pthread_t.self).pointee
                var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
                for _ in 0..<200 {
                    pthread_kill(waiter, SIGURG)
                    nanosleep(&pause, nil)
                }
                return nil
            }, rounds)
        var polled = PollSet()
        let index = polled.add(descriptor: ends[0])
        let deadline = ContinuousClock.now + patience
        try polled.wait(until: deadline)
        #expect(ContinuousClock.now < deadline)
        #expect(!polled.isReadable(index))
        pthread_join(sender, nil)
    }
}
