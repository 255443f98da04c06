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

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
