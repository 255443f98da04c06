// Test support: a thread for what blocks, so that it takes none of those that run the other tests.

import Glibc

/// Runs `body` on a thread of its own, which ends with it.
public func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let work = Unmanaged.passRetained(Work { continuation.resume(with: Swift.Result(catching: body)) })
        var id = pthread_t()
        let code = pthread_create(
            &id, nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, work.toOpaque())
        if code == 0 {
            pthread_detach(id)
        } else {
            work.release()
            continuation.resume(throwing: LabError(command: "pthread_create", output: LabOutput(text: "", exitCode: Int(code))))
        }
    }
}

/// The same in a network namespace: its sockets, and those of the threads that it makes, are there.
///
/// - Parameter namespace: the file that names it, as ``LabHost/networkNamespace``.
public func onThread<Result: Sendable>(
    in namespace: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await onThread {
        guard enterNetwork(namespace) else {
            throw LabError(command: "setns \(namespace)", output: LabOutput(text: "", exitCode: Int(errno)))
        }
        return try body()
    }
}

/// Moves the present thread into a network namespace: setns(2), which Swift's Glibc lacks.
public func enterNetwork(_ namespace: String) -> Bool {
    let descriptor = open(namespace, O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    guard descriptor >= 0, let symbol = dlsym(nil, "setns") else { return false }
    let setns = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
    // CLONE_NEWNET of sched.h.
    return setns(descriptor, 0x4000_0000) == 0
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
