// Stage 3, enforcement: what becomes of the dialogue when a command fails: it is put back, and asked again after a pause.

import Daemon
import Wire

extension ClientDialogue {
    /// Takes the failure of the command that was told last, or of the program that was to carry it.
    mutating func failed(
        _ failure: ClientFailure, now: ContinuousClock.Instant, using random: inout some RandomNumberGenerator
    ) -> [Notice] {
        let command = underWay
        underWay = nil
        if case .refused(let reason) = failure, let command, !command.addresses.isEmpty {
            return refused(command, reason, now: now)
        }
        if let command {
            work.putBack(command)
            if case .ban(let addresses) = command, failure.mayBeDone { present.formUnion(addresses) }
        }
        version = nil
        listDue = nil
        limit.outdate()
        hasListed = false
        agreements = 0
        // A server that comes back may take them.
        work.rejected = []

        // A failure is told when it begins, and again when it is seen to last.
        let isNew = reported?.isAlike(failure) != true
        reported = failure
        if isNew { pause.reset() }
        var rest = pause.next(using: &random)
        let isPersistent = failure.needsPerson || pause.failures >= ClientDialogue.persistentFailures
        if isPersistent, failure != .down { rest = ClientDialogue.slowPause * Double.random(in: 0.75...1.25, using: &random) }
        restsUntil = now + rest
        if isNew || pause.failures == ClientDialogue.persistentFailures { return [.failing(failure, persistent: isPersistent)] }
        return []
    }

    private mutating func refused(_ command: ClientCommand, _ reason: String, now: ContinuousClock.Instant) -> [Notice] {
        let addresses = command.addresses
        if !command.unbanned.isEmpty, reason.contains("not banned") {
            // What was asked for is so. Versions before 0.10.5 call it an error.
            unbanned(addresses, command, count: 0, now: now)
            return [.told(command, count: 0, took: .zero)]
        }
        guard addresses.count > 1 else {
            work.rejected.formUnion(addresses)
            if retryDue == nil { retryDue = now + reconcile }
            return addresses.map { .rejected($0, reason: reason) }
        }
        work.divide(command)
        // What stood before the bad address was done.
        listDue = now
        return []
    }
}
