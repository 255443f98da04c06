// The peers: the machine's own limits, by the bare libraries and system calls, taken in the same run as what they are compared with.

import CSQLite
import CZeroMQ
import Foundation
import ZeroMQ

enum Limits {
    // MARK: libzmq

    /// Round trips of a small request, REQ to REP, encrypted, on loopback, each with the next one behind it.
    static func roundTrips(_ count: Int) throws -> Sample {
        let server = try KeyPair.generate()
        let endpoint = Gate()
        let place = Place()
        let answering = Worker { () throws -> Bool in
            let socket = try RawSocket(ZMQ_REP)
            try socket.set(ZMQ_CURVE_SERVER, 1)
            try socket.set(ZMQ_CURVE_SECRETKEY, server.secretKey.z85)
            guard zmq_bind(socket.handle, "tcp://127.0.0.1:*") == 0 else { throw BenchError("can't bind") }
            place.text = socket.lastEndpoint
            endpoint.open()
            var buffer = [UInt8](repeating: 0, count: 256)
            while true {
                let size = zmq_recv(socket.handle, &buffer, buffer.count, 0)
                guard size >= 0, zmq_send(socket.handle, buffer, Int(size), 0) == size else { throw BenchError("an echo failed") }
                if size == 1 { return true }
            }
        }
        endpoint.pass()
        let socket = try RawSocket(ZMQ_REQ)
        let own = try KeyPair.generate()
        try socket.set(ZMQ_CURVE_SERVERKEY, server.publicKey.z85)
        try socket.set(ZMQ_CURVE_PUBLICKEY, own.publicKey.z85)
        try socket.set(ZMQ_CURVE_SECRETKEY, own.secretKey.z85)
        guard zmq_connect(socket.handle, place.text) == 0 else { throw BenchError("can't connect to \(place.text)") }
        // A report of one line has about as many bytes.
        let request = [UInt8](repeating: 0x61, count: 160)
        var buffer = [UInt8](repeating: 0, count: 256)
        var times: [Duration] = []
        for turn in 0..<(count + 20) {
            let start = ContinuousClock.now
            guard zmq_send(socket.handle, request, request.count, 0) > 0, zmq_recv(socket.handle, &buffer, buffer.count, 0) > 0 else {
                throw BenchError("a round trip failed")
            }
            if turn >= 20 { times.append(.now - start) }
        }
        guard zmq_send(socket.handle, request, 1, 0) == 1, zmq_recv(socket.handle, &buffer, buffer.count, 0) == 1 else {
            throw BenchError("a round trip failed")
        }
        _ = try answering.result()
        return Sample(times)
    }

    // MARK: The disk

    /// Syncs of a file to which 4 KiB were added, as a commit does to a write-ahead log.
    static func syncs(_ count: Int, in folder: String) throws -> Sample {
        let path = folder + "/sync"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw BenchError("can't make \(path)") }
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 0x61, count: 4096)
        var times: [Duration] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            guard write(file, page, page.count) == page.count, fdatasync(file) == 0 else { throw BenchError("can't sync \(path)") }
            times.append(.now - start)
        }
        return Sample(times)
    }

    // MARK: SQLite

    struct Rows {
        /// A second.
        let rate: Double
        /// Microseconds of a processor for one, which a busy machine changes less than the rate.
        let work: Double
    }

    /// Rows appended as the publisher's journal has them, with their index, in transactions of so many, each synced.
    static func rows(_ count: Int, batch: Int, in folder: String) throws -> Rows {
        let database = try RawDatabase(path: folder + "/raw.sqlite")
        let (start, begin) = (ContinuousClock.now, threadTime)
        for first in stride(from: 0, to: count, by: batch) { try database.append(first..<min(first + batch, count)) }
        let work = threadTime - begin
        return Rows(rate: Double(count) / (.now - start).seconds, work: work.milliseconds * 1000 / Double(count))
    }

    /// What this thread has used of a processor.
    private static var threadTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// A text that one thread sets before a ``Gate`` opens, and others read behind it.
private final class Place: @unchecked Sendable {
    // The gate orders the one write before every read.
    var text = ""
}

/// A socket of libzmq without anything of ours around it.
private final class RawSocket {
    let handle: UnsafeMutableRawPointer
    private let context: RawContext

    init(_ kind: Int32) throws {
        self.context = try RawContext()
        guard let handle = zmq_socket(self.context.handle, kind) else { throw BenchError("can't make a socket") }
        self.handle = handle
        try set(ZMQ_LINGER, 100)
    }

    deinit { zmq_close(handle) }

    func set(_ option: Int32, _ value: Int32) throws {
        let status = withUnsafeBytes(of: value) { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
        guard status == 0 else { throw BenchError("can't set option \(option)") }
    }

    func set(_ option: Int32, _ key: String) throws {
        guard zmq_setsockopt(handle, option, key, key.utf8.count) == 0 else { throw BenchError("can't set option \(option)") }
    }

    var lastEndpoint: String {
        var text = [CChar](repeating: 0, count: 256)
        var size = text.count
        guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &size) == 0 else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

private final class RawContext {
    let handle: UnsafeMutableRawPointer

    init() throws {
        guard let handle = zmq_ctx_new() else { throw BenchError("can't make a context") }
        self.handle = handle
    }

    deinit { zmq_ctx_term(handle) }
}

/// SQLite as the journal uses it, without anything of ours around it.
private final class RawDatabase {
    private let database: OpaquePointer
    private let insert: OpaquePointer
    private let path: String

    init(path: String) throws {
        self.path = path
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        var opened: OpaquePointer?
        guard sqlite3_open(path, &opened) == SQLITE_OK, let opened else { throw BenchError("can't open \(path)") }
        let schema = """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE event (row INTEGER PRIMARY KEY, number INTEGER, kind TEXT NOT NULL, admitted INTEGER NOT NULL, seen INTEGER,
                host TEXT NOT NULL, jail TEXT, action TEXT, address TEXT, end INTEGER, cause TEXT, plain INTEGER NOT NULL,
                move INTEGER NOT NULL, line TEXT, refusal TEXT) STRICT;
            CREATE UNIQUE INDEX event_number ON event (number) WHERE number IS NOT NULL;
            """
        var statement: OpaquePointer?
        guard sqlite3_exec(opened, schema, nil, nil, nil) == SQLITE_OK,
            sqlite3_prepare_v2(opened, "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", -1, &statement, nil)
                == SQLITE_OK, let statement
        else { throw BenchError("can't make \(path)") }
        (database, insert) = (opened, statement)
    }

    deinit {
        sqlite3_finalize(insert)
        sqlite3_close(database)
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }

    func append(_ numbers: Range<Int>) throws {
        try run("BEGIN IMMEDIATE")
        var text: [UInt8] = []
        for number in numbers {
            text.removeAll(keepingCapacity: true)
            Workload.append(number, to: &text)
            integer(1, Int64(number + 1))
            integer(2, Int64(number + 1))
            constant(3, "admitted")
            integer(4, 1_795_212_000_140)
            integer(5, 1_795_212_000_123)
            constant(6, "web1")
            constant(7, "sshd")
            constant(8, "Ban")
            text.withUnsafeBytes { bytes in
                _ = sqlite3_bind_text(insert, 9, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), transient)
            }
            integer(10, 1_795_215_600_123)
            constant(11, "detected")
            integer(12, 0)
            integer(13, 0)
            guard sqlite3_step(insert) == SQLITE_DONE, sqlite3_reset(insert) == SQLITE_OK else {
                throw BenchError("can't append to \(path)")
            }
        }
        try run("COMMIT")
    }

    private func integer(_ column: Int32, _ value: Int64) { sqlite3_bind_int64(insert, column, value) }

    private func constant(_ column: Int32, _ text: StaticString) {
        text.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                // A constant stays where it is, so SQLite need not copy it.
                _ = sqlite3_bind_text(insert, column, $0.baseAddress, Int32($0.count), nil)
            }
        }
    }

    private func run(_ statement: String) throws {
        guard sqlite3_exec(database, statement, nil, nil, nil) == SQLITE_OK else { throw BenchError("\(statement) failed on \(path)") }
    }
}

/// SQLITE_TRANSIENT: the bytes are copied at once. The C macro is a cast that Swift doesn't take over.
private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
