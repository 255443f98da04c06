// The operator's command: times, sizes and differences of clocks, as people read them.

/// How long something takes, took or will take.
enum TimeSpan {
    /// The two largest units: `6d 3h`, `12m 5s`; `0s` when there is nothing of any.
    static func text(seconds: Int64) -> String {
        let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
        let parts = units.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }
        return parts.isEmpty ? "0s" : parts.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }
}

/// Numbers of bytes for people.
enum ByteCount {
    /// `512 B`, `1.4 MB`: thousands, one digit behind the point.
    static func text(_ bytes: Int64) -> String {
        guard bytes >= 1000 else { return "\(bytes) B" }
        var value = bytes
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        while value >= 1_000_000 {
            value /= 1000
            unit += 1
        }
        return "\(value / 1000).\(value % 1000 / 100) \(units[unit + 1])"
    }
}

/// Differences of clocks for people.
enum Milliseconds {
    /// `+0.0 s`, `-3.2 s`.
    static func signed(_ milliseconds: Int64) -> String {
        let tenths = milliseconds.magnitude / 100
        return "\(milliseconds < 0 && tenths > 0 ? "-" : "+")\(tenths / 10).\(tenths % 10) s"
    }
}
