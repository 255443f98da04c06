// Stage 2, report -> admission -> journal -> broadcast: how far each host's reports have come, so that a repeat changes nothing.

import Wire

/// The positions of all streams that are on disk. What batches change of them comes as a parameter, until it is on disk too. A value.
struct StreamPositions {
    /// Streams of one host that are kept, the latest: a host begins one when it can't go on with the one before.
    static let mostOfHost = 64

    private var positions: [Ledger.Stream: UInt64] = [:]
    /// The streams of each host, in the order in which they began.
    private var streams: [Hostname: [Ledger.Stream]] = [:]

    /// - Parameter positions: those that the journal has.
    init(_ positions: [Ledger.Stream: UInt64] = [:]) {
        self.positions = positions
        for stream in positions.keys.sorted(by: { $0.name < $1.name }) { streams[stream.host, default: []].append(stream) }
    }

    /// The highest position of a stream, those of the batches included; `nil` when it was never heard of, or is forgotten with the batch
    /// that is being written.
    func position(of stream: Ledger.Stream, pending: Ledger.Batch, sealed: Ledger.Batch?) -> UInt64? {
        if let position = pending.positions[stream] { return position }
        if let sealed {
            if sealed.forgotten.contains(stream) { return nil }
            if let position = sealed.positions[stream] { return position }
        }
        return positions[stream]
    }

    /// Has the pending batch take the stream to a position. The host's oldest stream is forgotten when there are too many.
    func advance(_ stream: Ledger.Stream, to position: UInt64, pending: inout Ledger.Batch, sealed: Ledger.Batch?) {
        if self.position(of: stream, pending: pending, sealed: sealed) == nil {
            pending.begun.append(stream)
            let begun = (sealed?.begun ?? []) + pending.begun
            let all = streams[stream.host, default: []] + begun.filter { $0.host == stream.host }
            let excess = all.count - StreamPositions.mostOfHost
            if excess > 0 { pending.forgotten.append(all[excess - 1]) }
        }
        pending.positions[stream] = position
    }

    /// The batch is on disk.
    mutating func keep(_ batch: Ledger.Batch) {
        positions.merge(batch.positions) { $1 }
        for stream in batch.begun { streams[stream.host, default: []].append(stream) }
        for stream in batch.forgotten {
            streams[stream.host]?.removeAll { $0 == stream }
            positions[stream] = nil
        }
    }
}
