// What the daemons share: a small JSON object as text, for what a daemon tells of itself.

/// Members in the order in which they are given (RFC 8259). Without Foundation, whose encoder costs a daemon megabytes.
public struct JSONText: Sendable, Equatable {
    private var members = ""

    public init() {}

    public mutating func set(_ key: String, _ value: String?) { add(key, value.map(JSONText.quoted) ?? "null") }
    public mutating func set(_ key: String, _ value: Int64?) { add(key, value.map { String($0) } ?? "null") }
    public mutating func set(_ key: String, _ value: UInt64?) { add(key, value.map { String($0) } ?? "null") }
    public mutating func set(_ key: String, _ value: Int?) { add(key, value.map { String($0) } ?? "null") }
    public mutating func set(_ key: String, _ value: Bool) { add(key, value ? "true" : "false") }
    public mutating func set(_ key: String, _ values: [String]) { add(key, "[" + values.map(JSONText.quoted).joined(separator: ",") + "]") }
    public mutating func set(_ key: String, _ object: JSONText?) { add(key, object?.text ?? "null") }
    public mutating func set(_ key: String, _ objects: [JSONText]) { add(key, "[" + objects.map(\.text).joined(separator: ",") + "]") }
    /// - Parameter json: a value that is JSON already; it is not looked at.
    public mutating func set(_ key: String, verbatim json: String) { add(key, json) }

    /// `{"key":"value"}`
    public var text: String { "{\(members)}" }
    public var bytes: [UInt8] { Array(text.utf8) }

    private mutating func add(_ key: String, _ value: String) {
        if !members.isEmpty { members += "," }
        members += JSONText.quoted(key) + ":" + value
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
