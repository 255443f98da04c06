// Fuzzing: a log that gzip has compressed, or something else in its place.

@testable import Monitor

extension FuzzTarget {
    /// The bytes of a .gz file.
    static let rotatedLog = FuzzTarget(name: "rotated-log", longest: 2048) { input in
        let file = try MemoryFile(input)
        let whole = try decompressed(file.descriptor, from: 0, pieces: 32 * 1024)
        for (start, pieces) in [(0, 1000), (whole.count / 2, 4096), (whole.count + 1, 100)] {
            let part = try decompressed(file.descriptor, from: start, pieces: pieces)
            try require(part == Array(whole.dropFirst(start)), "from \(start) in pieces of \(pieces) it is another text")
        }
    }
}

/// What follows `start`, at most 256 KiB of it.
private func decompressed(_ descriptor: Int32, from start: Int, pieces: Int) throws(Finding) -> [UInt8] {
    let most = 256 * 1024
    let stream = GzipStream(descriptor: descriptor)
    var turns = 0
    while true {
        var budget = 10_000
        if stream.skip(to: Int64(start), budget: &budget) { break }
        turns += 1
        try require(turns <= most / 10_000 + 1, "it does not come to its place")
    }
    var text: [UInt8] = []
    while start + text.count < most {
        let room = min(pieces, most - start - text.count)
        let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            count = stream.read(into: UnsafeMutableBufferPointer(rebasing: buffer[..<room]), at: Int64(start + text.count))
        }
        text += piece
        try require(piece.count == room || stream.ending != nil, "less than there is room for, and not at the end")
        if piece.count < room { break }
    }
    return text
}
