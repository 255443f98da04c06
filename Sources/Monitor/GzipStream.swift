// Stage 1, log line -> event: the bytes of a log that gzip has compressed (RFC 1952), in pieces, from its beginning on.

import CZlib
import Glibc

/// Decompresses an open file forwards only. Takes about 120 KiB whatever the file's size; a reader can go back within the last piece it
/// got.
final class GzipStream {
    enum Ending {
        case complete
        /// Not gzip's form, a wrong checksum, or an end too early.
        case damaged
    }

    private static let inputSize = 16 * 1024

    private let descriptor: Int32
    /// At a fixed address: zlib's state points back to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: GzipStream.inputSize)
    private var inputOffset: off_t = 0
    /// The piece handed out last, and where it begins among the decompressed bytes.
    private var last: [UInt8] = []
    private var lastStart: Int64 = 0
    /// Decompressed bytes so far.
    private var produced: Int64 = 0
    /// How it ended, once it has.
    private(set) var ending: Ending?

    /// - Parameter descriptor: of a file, and open for as long as this is used.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        stream.initialize(to: z_stream())
        // 15: the largest window; 16: the form of gzip and no other (zlib.h, inflateInit2). It only fails without memory.
        if inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) != Z_OK { ending = .damaged }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        input.deallocate()
    }

    /// Whether it ended before `offset`.
    func isShort(of offset: Int64) -> Bool { ending != nil && produced < offset }

    /// Goes on to `offset` among the decompressed bytes, within the budget.
    ///
    /// - Parameter budget: decompressed bytes that may still be made in this turn.
    /// - Returns: whether ``read(into:at:)`` can go on there; also when the file ends before.
    func skip(to offset: Int64, budget: inout Int) -> Bool {
        guard offset > produced else { return true }
        last = []
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32 * 1024) { scratch in
            while produced < offset, ending == nil {
                guard budget > 0 else { return false }
                let piece = UnsafeMutableBufferPointer(rebasing: scratch[..<Int(min(Int64(scratch.count), offset - produced))])
                budget -= inflate(into: piece)
            }
            return true
        }
    }

    /// Fills the buffer with what begins at `offset`; less only at the end.
    ///
    /// - Parameter offset: not before the piece handed out last, and not behind what was decompressed (see ``skip(to:budget:)``).
    func read(into buffer: UnsafeMutableBufferPointer<UInt8>, at offset: Int64) -> Int {
        let known = Int(offset - lastStart)
        var count = 0
        if !last.isEmpty, last.indices.contains(known) {
            count = buffer[...].update(fromContentsOf: last[known...].prefix(buffer.count))
        }
        // The end came before the place.
        guard offset + Int64(count) == produced || count == buffer.count else { return 0 }
        if count < buffer.count { count += inflate(into: UnsafeMutableBufferPointer(rebasing: buffer[count...])) }
        last = Array(buffer[..<count])
        lastStart = offset
        return count
    }

    /// - Returns: bytes made; fewer than there is room for only at the end.
    private func inflate(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = UInt32(buffer.count)
        while stream.pointee.avail_out > 0, ending == nil {
            // At the end of the file too: zlib has in hand what the buffer before had no room for.
            if stream.pointee.avail_in == 0 { fill() }
            switch CZlib.inflate(stream, Z_NO_FLUSH) {
            case Z_OK: continue
            case Z_STREAM_END: endMember()
            // Z_BUF_ERROR: a file that ends within a member, or has none.
            default: ending = .damaged
            }
        }
        let count = buffer.count - Int(stream.pointee.avail_out)
        produced += Int64(count)
        return count
    }

    /// Another member may follow, as after `cat a.gz b.gz`; anything else is passed over, as gzip does.
    private func endMember() {
        if stream.pointee.avail_in == 0, !fill() {
            ending = .complete
        } else if stream.pointee.next_in.pointee != 0x1f || inflateReset(stream) != Z_OK {
            ending = .complete
        }
    }

    /// - Returns: `false` at the end of the file, or when it can't be read.
    @discardableResult
    private func fill() -> Bool {
        while true {
            let count = pread(descriptor, input.baseAddress, input.count, inputOffset)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            inputOffset += off_t(count)
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(count)
            return true
        }
    }
}
