// Test support: a folder that ends with the test.

import Glibc
import Testing

/// A folder of its own for one test, removed with everything in it when the value goes.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        var template = Array("/tmp/fail2ban-cluster-tests-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
        // Other users run programs in it in some tests.
        chmod(path, 0o755)
    }

    deinit { remove(path) }

    /// The full name of something in the folder.
    public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, and the folder it is in.
    @discardableResult
    public func write(_ name: String, _ text: String) throws -> String {
        let file = self(name)
        if name.contains("/") { mkdir(String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)]), 0o755) }
        let stream = try #require(fopen(file, "we"))
        defer { fclose(stream) }
        fputs(text, stream)
        return file
    }

    /// The text of a file; `nil` when there is none.
    public func read(_ name: String) -> String? { textOfFile(self(name)) }

    private func remove(_ folder: String) {
        for name in namesInFolder(folder) {
            let entry = "\(folder)/\(name)"
            if unlink(entry) != 0 { remove(entry) }
        }
        rmdir(folder)
    }
}

/// What is in a folder, sorted, without `.` and `..`; nothing when it can't be read.
public func namesInFolder(_ folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// The text of a file; `nil` when it can't be read.
public func textOfFile(_ path: String) -> String? {
    guard let stream = fopen(path, "re") else { return nil }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    while true {
        let byte = fgetc(stream)
        if byte == EOF { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(UInt8(byte))
    }
}

/// Whether there is something of this name.
public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
