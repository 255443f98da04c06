// Stage 2, report -> admission -> journal -> broadcast: the fields of an operator's question.

import Wire

/// Each is `nil` when the question has no such field, and refused (`NAK malformed`) when it is there and can't be understood.
extension Header {
    func asked<T>(_ key: String, _ kind: String, _ parse: (String) -> T?) throws(RequestRefusal) -> T? {
        guard let text = self[key] else { return nil }
        guard let value = parse(text) else { throw RequestRefusal(.malformed, "\(key): not \(kind)") }
        return value
    }

    func askedAddress(_ key: String) throws(RequestRefusal) -> Address? { try asked(key, "an address") { Address($0) } }

    func askedHost(_ key: String) throws(RequestRefusal) -> Hostname? { try asked(key, "a host") { Hostname($0) } }

    func askedJail(_ key: String) throws(RequestRefusal) -> Jail? { try asked(key, "a jail") { Jail($0) } }

    func askedTime(_ key: String) throws(RequestRefusal) -> Timestamp? { try asked(key, "a time") { _ in time(key) } }

    func askedNumber(_ key: String) throws(RequestRefusal) -> UInt64? { try asked(key, "a number") { _ in number(key) } }
}
