// Stage 2, report -> admission -> journal -> broadcast: whether the journal is whole, before anything is built on it.

import GRDB
import Glibc

extension Journal {
    /// Looks at the structure of the whole file: `PRAGMA quick_check` (sqlite.org/pragma.html#pragma_quick_check), 0.3 s for a million
    /// rows. `integrity_check` takes half as long again and finds only that an index lacks a row, which nobody's bans depend on.
    static func check(_ db: Database, path: String) throws {
        let finding = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "it can't be checked"
        guard finding != "ok" else { return }
        // Above it is a line that names the database.
        throw JournalError(.damaged, "open \(path)", finding.split(separator: "\n").last.map(String.init) ?? finding)
    }
}

/// The write-ahead log beside a database (sqlite.org/fileformat2.html#walformat), looked at before SQLite takes it in.
///
/// SQLite takes a log up to the first frame whose checksum is wrong and silently drops the rest: a transaction that was being written
/// when the power went. That is right for the last one, which was not acknowledged. But each transaction is on disk before the next one
/// begins, so when more than one follows, the disk has lost what was acknowledged.
struct WriteAheadLog {
    private static let headerSize = 32
    private static let frameHeaderSize = 24

    /// Transactions that SQLite takes in.
    private(set) var whole = 0
    /// Transactions of the same log behind the first frame that is damaged, as far as their ends can be seen.
    private(set) var behindDamage = 0

    /// Whether something is lost that was on disk.
    var isDamaged: Bool { behindDamage > 1 }

    /// Reads a log; one that is missing or empty is whole.
    ///
    /// - Throws: ``JournalError`` when it can't be read.
    init(path: String) throws(JournalError) {
        guard let file = fopen(path, "re") else {
            if errno == ENOENT { return }
            throw JournalError(.unusable, "read \(path)", String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        var header = [UInt8](repeating: 0, count: WriteAheadLog.headerSize)
        guard fread(&header, 1, header.count, file) == header.count else { return }
        let pageSize = Int(word(header, 8))
        var sum = Checksum(isBigEndian: header[3] & 1 == 1)
        sum.add(header[..<24])
        // A log of another page size is not one of a journal, nor is one whose header is damaged: then its frames tell.
        var isWhole = sum.matches(header, at: 24) && word(header, 0) & ~1 == 0x377f_0682
        var salt: [UInt8]? = isWhole ? Array(header[16..<24]) : nil
        let size = isWhole && (512...65_536).contains(pageSize) ? pageSize : 4096
        var frame = [UInt8](repeating: 0, count: WriteAheadLog.frameHeaderSize + size)
        while fread(&frame, 1, frame.count, file) == frame.count {
            let own = Array(frame[8..<16])
            if salt == nil { salt = own }
            sum.add(frame[..<8])
            sum.add(frame[24...])
            // What is left of an earlier log has another salt.
            guard own == salt else {
                isWhole = false
                continue
            }
            isWhole = isWhole && sum.matches(frame, at: 16)
            let isEnd = word(frame, 4) != 0
            if isEnd, isWhole { whole += 1 }
            if isEnd, !isWhole { behindDamage += 1 }
        }
        if ferror(file) != 0 { throw JournalError(.unusable, "read \(path)", "it can't be read") }
    }

    /// The running sum of SQLite's log: of pairs of 32-bit words.
    private struct Checksum {
        var isBigEndian: Bool
        var a: UInt32 = 0
        var b: UInt32 = 0

        mutating func add(_ bytes: ArraySlice<UInt8>) {
            bytes.withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                    let first = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                    let second = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    a = a &+ (isBigEndian ? UInt32(bigEndian: first) : UInt32(littleEndian: first)) &+ b
                    b = b &+ (isBigEndian ? UInt32(bigEndian: second) : UInt32(littleEndian: second)) &+ a
                }
            }
        }

        func matches(_ bytes: [UInt8], at place: Int) -> Bool { word(bytes, place) == a && word(bytes, place + 4) == b }
    }
}

/// Four bytes as a number, the most significant first.
private func word(_ bytes: [UInt8], _ place: Int) -> UInt32 { bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) } }
