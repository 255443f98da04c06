// The way between the stages: which connections of a listening socket begin and end.

import Glibc
import Testing
import ZeroMQ

@Suite struct ConnectionWatchTests {
    /// Waits for the next event, while this thread is also the server's.
    private func next(_ watch: borrowing ConnectionWatch, _ authenticator: inout Authenticator, _ server: borrowing Socket) throws
        -> ConnectionWatch.Event?
    {
        let deadline = ContinuousClock.now + patience
        var polled = PollSet()
        while ContinuousClock.now < deadline {
            try authenticator.answerWaiting { _ in .admit(userID: "web1") }
            if let event = try watch.next() { return event }
            polled.removeAll()
            authenticator.add(to: &polled)
            polled.add(server)
            watch.add(to: &polled)
            try polled.wait(until: deadline)
        }
        return nil
    }

    /// Who is at the other end can be asked by what it tells.
    @Test func aConnectionIsToldByItsOwnDescriptorFromItsBeginningToItsEnd() throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Socket(.router, in: context)
        try server.zapDomain("plain")
        let watch = try ConnectionWatch(of: server, in: context)
        let endpoint = try server.bind("tcp://127.0.0.1:*")
        let client = try Socket(.dealer, in: context)
        try client.connect(endpoint)
        guard case .accepted(let descriptor) = try next(watch, &authenticator, server) else {
            Issue.record("no connection")
            return
        }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        #expect(code == 0)
        _ = consume client
        #expect(try next(watch, &authenticator, server) == .ended(descriptor: descriptor))
    }
}
