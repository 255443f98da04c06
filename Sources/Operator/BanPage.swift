// The operator's command: a page of what is banned or allowed, read from a publisher's JSON.

import Daemon
import Foundation
import Wire

/// The answer to `QUERY what=bans` or `what=allowed`; fields that this program doesn't know are ignored. A publisher is not trusted with
/// the operator's terminal: what is shown are addresses, names and times, and nothing else that it says.
struct BanPage {
    struct Ban {
        struct Holder {
            var host: Hostname
            var jail: Jail
            /// When its log told of it; `nil` of a publisher that doesn't say so.
            var seen: Timestamp?
            /// `nil` is permanent.
            var end: Timestamp?
        }

        var address: Address
        /// `nil` is permanent.
        var end: Timestamp?
        var holders: [Holder]
    }

    struct Allowed {
        var address: Address
        /// `nil` is permanent.
        var end: Timestamp?
    }

    /// The publisher's clock.
    var now: Timestamp
    var bans: [Ban]
    var allowed: [Allowed]
    /// Where the next page begins; `nil` on the last one.
    var next: Address?

    /// - Parameters:
    ///   - json: the body of the answer; ``Wire/Message/sizeLimit`` limits it, and JSONDecoder how deep it may be.
    ///   - after: where the page was to begin. The next one must be further on, or there would be no end.
    init(json: [UInt8], after: Address? = nil) throws(ServiceError) {
        do {
            self = try JSONDecoder().decode(BanPage.self, from: Data(json))
        } catch {
            throw ServiceError("the publisher's answer is not understood", hint: "does it have another version than this program?")
        }
        if let next, let after, next <= after { throw ServiceError("the publisher's list does not come to an end") }
    }

    /// What `bans --allowed` prints.
    ///
    /// - Parameter width: see ``TextTable/text(width:)``.
    func allowedTable(width: Int?) -> String {
        guard !allowed.isEmpty else { return "nothing is allowed\n" }
        var table = TextTable("ADDRESS", "ALLOWED FOR")
        table.rows = allowed.map { one in
            [one.address.description, one.end.map { TimeSpan.text(seconds: max($0.milliseconds(since: now), 0) / 1000) } ?? "ever"]
        }
        return table.text(width: width)
    }
}

extension BanPage: Decodable {
    private enum Key: String, CodingKey { case now, bans, allowed, next }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        now = Timestamp(milliseconds: try members.decode(Int64.self, forKey: .now))
        bans = try members.decodeIfPresent([Ban].self, forKey: .bans) ?? []
        allowed = try members.decodeIfPresent([Allowed].self, forKey: .allowed) ?? []
        next = try members.contains(.next) && !members.decodeNil(forKey: .next) ? members.value(.next) { Address($0) } : nil
    }
}

extension BanPage.Ban: Decodable {
    private enum Key: String, CodingKey { case address, end, holders }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        address = try members.value(.address) { Address($0) }
        end = try members.decodeIfPresent(Int64.self, forKey: .end).map { Timestamp(milliseconds: $0) }
        holders = try members.decode([Holder].self, forKey: .holders)
    }
}

extension BanPage.Ban.Holder: Decodable {
    private enum Key: String, CodingKey { case host, jail, seen, end }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        host = try members.value(.host) { Hostname($0) }
        jail = try members.value(.jail) { Jail($0) }
        seen = try members.decodeIfPresent(Int64.self, forKey: .seen).map { Timestamp(milliseconds: $0) }
        end = try members.decodeIfPresent(Int64.self, forKey: .end).map { Timestamp(milliseconds: $0) }
    }
}

extension BanPage.Allowed: Decodable {
    private enum Key: String, CodingKey { case address, end }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        address = try members.value(.address) { Address($0) }
        end = try members.decodeIfPresent(Int64.self, forKey: .end).map { Timestamp(milliseconds: $0) }
    }
}

extension KeyedDecodingContainer {
    /// A member that is text of a form.
    fileprivate func value<Value>(_ key: Key, _ parse: (String) -> Value?) throws -> Value {
        guard let value = parse(try decode(String.self, forKey: key)) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "not of its form")
        }
        return value
    }
}
