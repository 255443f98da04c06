// The way between the stages: a loop for tests, on real sockets, which waits for events and never sleeps.

import Testing
import ZeroMQ

/// Longer than anything that works takes; a test that reaches it has failed.
let patience: Duration = .seconds(20)

struct TookTooLong: Error {}

/// Waits for a message on `socket`, and lets `authenticator` answer meanwhile.
func nextDelivery(
    on socket: borrowing Socket, _ authenticator: inout Authenticator,
    within limit: Duration = patience, _ decide: (Authenticator.Credentials) -> Authenticator.Verdict
) throws -> Delivery? {
    let deadline = ContinuousClock.now + limit
    var polled = PollSet()
    while ContinuousClock.now < deadline {
        if let delivery = try socket.receive() { return delivery }
        polled.removeAll()
        polled.add(socket)
        authenticator.add(to: &polled)
        try polled.wait(until: deadline)
        try authenticator.answerWaiting(decide)
    }
    return nil
}

/// Waits for a message on `socket`.
func nextDelivery(on socket: borrowing Socket, within limit: Duration = patience) throws -> Delivery {
    let deadline = ContinuousClock.now + limit
    var polled = PollSet()
    while ContinuousClock.now < deadline {
        if let delivery = try socket.receive() { return delivery }
        polled.removeAll()
        polled.add(socket)
        try polled.wait(until: deadline)
    }
    throw TookTooLong()
}

/// Sends, and waits until that is possible.
func send(_ frames: [[UInt8]], on socket: borrowing Socket) throws {
    let deadline = ContinuousClock.now + patience
    var polled = PollSet()
    while ContinuousClock.now < deadline {
        if try socket.send(frames) { return }
        polled.removeAll()
        polled.add(socket, .writable)
        try polled.wait(until: deadline)
    }
    throw TookTooLong()
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
