// Stage 2, report -> admission -> journal -> broadcast: when each address must be looked at next.

import HeapModule
import Wire

/// Times at which something of an address ends. One that no longer holds stays until it comes, and who looks at the address then passes
/// it over; when such are the most, who knows the present ones makes all anew, so that they stay bounded by the number of addresses.
struct DueTimes {
    private struct Due: Comparable {
        var time: Int64
        var address: Address

        static func < (a: Due, b: Due) -> Bool { a.time < b.time }
    }

    private var heap: Heap<Due>

    /// - Parameter times: in milliseconds since the epoch, in any order.
    init(_ times: [(time: Int64, address: Address)] = []) {
        heap = Heap(times.map { Due(time: $0.time, address: $0.address) })
    }

    /// How many there are, those too that no longer hold.
    var count: Int { heap.count }

    /// The earliest.
    var first: Timestamp? { heap.min.map { Timestamp(milliseconds: $0.time) } }

    /// The address must be looked at then.
    /// - Parameter time: milliseconds since the epoch.
    mutating func note(_ time: Int64, _ address: Address) { heap.insert(Due(time: time, address: address)) }

    /// Takes the earliest out; `nil` when its time is not come.
    mutating func next(now: Timestamp) -> Address? {
        guard let first = heap.min, first.time <= now.milliseconds else { return nil }
        heap.removeMin()
        return first.address
    }
}
