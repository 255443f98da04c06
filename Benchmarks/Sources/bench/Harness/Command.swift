// The harness: a program that runs to its end.

import Foundation

enum Command {
    /// Runs it, found on the PATH or by its path, and returns what it says on standard output.
    ///
    /// - Parameter input: what it reads from standard input.
    @discardableResult
    static func run(_ words: [String], input: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        let stream = Pipe()
        process.standardInput = input == nil ? FileHandle.nullDevice : stream
        try process.run()
        // What it reads is shorter than what it says is long: from a thread of its own, so that neither waits for the other.
        let writing = input.map { input in
            Worker { () throws -> Bool in
                try stream.fileHandleForWriting.write(contentsOf: Data(input.utf8))
                try stream.fileHandleForWriting.close()
                return true
            }
        }
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        _ = try writing?.result()
        guard process.terminationStatus == 0 else { throw BenchError("\(words.joined(separator: " ").prefix(200)) failed") }
        return String(decoding: text, as: UTF8.self)
    }
}
