// Stage 3, enforcement: what someone who keeps no list of bans still has to be told, at most one thing for each address.

import Wire

/// Changes by address in the order in which the addresses first changed. A ban that is lifted before it was told is nothing.
struct LatestChanges: Sendable {
    private var order = ChangeQueue()
    private var latest: [Address: Entry] = [:]

    private struct Entry: Sendable {
        var change: WantedSet.Change
        /// Whether a ban was told before, or may have been.
        let wasTold: Bool
    }

    var isEmpty: Bool { latest.isEmpty }
    var count: Int { latest.count }

    mutating func take(_ change: WantedSet.Change) {
        let wasTold = latest[change.address]?.wasTold ?? (change.kind != .banned)
        guard wasTold || change.kind != .lifted else {
            latest[change.address] = nil
            order.remove(change.address)
            return
        }
        latest[change.address] = Entry(change: change, wasTold: wasTold)
        order.append(change.address)
    }

    mutating func popFirst() -> WantedSet.Change? {
        let change = order.popFirst().flatMap { latest.removeValue(forKey: $0)?.change }
        // Room for a million changes is not kept for the next few.
        if latest.isEmpty, latest.capacity > 1024 { latest = [:] }
        return change
    }
}
