// The operator's command: questions to the publisher whose answers are JSON, page by page.

import ArgumentParser
import Daemon
import Foundation
import Wire

extension Conversation {
    /// Asks a `QUERY`.
    ///
    /// - Throws: ``Daemon/ServiceError`` when there is no answer, or one that can't be read.
    mutating func query<Answer: Decodable>(_ question: Header, as _: Answer.Type = Answer.self) throws -> Answer {
        let answer = try ask { Message(.query, question) }
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(answer.body))
        } catch {
            throw ServiceError(
                "the publisher's answer can't be read: \(error)", hint: "see that it has the version of this program, \(packageVersion)")
        }
    }

    /// How the publisher and all hosts are doing.
    mutating func status() throws -> ClusterStatus {
        var status = try statusPage(["what": "status"])
        while let next = status.next {
            let page = try statusPage(["what": "status", "after": next])
            if let further = page.next, further <= next { throw ServiceError("the publisher's list of hosts does not come to an end") }
            status.hosts += page.hosts
            status.next = page.next
        }
        return status
    }

    private mutating func statusPage(_ question: Header) throws -> ClusterStatus {
        var page = try query(question, as: ClusterStatus.self)
        page.bound()
        return page
    }
}

/// `--json`, which every command takes that has something to show.
struct JSONOption: ParsableArguments {
    @Flag(help: "Print JSON, one object on a line: docs/cli-json.md.")
    var json = false
}

/// What `--json` prints.
enum JSONOutput {
    /// One object on one line, members sorted by name, as docs/cli-json.md has it.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return safe(String(decoding: try encoder.encode(value), as: UTF8.self)) + "\n"
    }

    /// JSONEncoder leaves U+007F and what follows as it is, and some of it drives a terminal or reorders its text. Outside of texts, JSON
    /// is ASCII.
    private static func safe(_ json: String) -> String {
        guard json.utf8.contains(where: { $0 >= 0x7f }) else { return json }
        var safe = ""
        for scalar in json.unicodeScalars {
            guard scalar.value >= 0x7f, LogText.escaped(String(scalar)) != String(scalar) else {
                safe.unicodeScalars.append(scalar)
                continue
            }
            // RFC 8259, 7: what lies beyond U+FFFF is two of them.
            for unit in UTF16.encode(scalar) ?? .init() {
                let digits = String(unit, radix: 16)
                safe += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return safe
    }
}

/// What an order did, with `--json`.
struct OrderOutput: Encodable {
    /// `ban`, `unban` or `allow`.
    var order: String
    var addresses: [String]
}
