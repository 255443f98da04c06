// What the daemons share: a thread of the process that nobody waits for.

import Glibc

/// Starts a thread that nobody waits for. It inherits the blocked signals.
///
/// - Throws: when the system has no more threads or memory: pthread_create(3).
func startThread(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let code = pthread_create(
        &thread, nil,
        { pointer in
            guard let pointer else { return nil }
            Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    guard code == 0 else {
        box.release()
        throw SystemError("start a thread", code: code)
    }
    pthread_detach(thread)
}
