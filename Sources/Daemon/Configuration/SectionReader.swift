// What the daemons share: one section of the merged configuration, read key by key into a settings struct.

/// Hands out the values of one section. A key that is missing gives its default; a bad value gives its default and a problem,
/// so that one look finds everything that is wrong. Keys nobody asked for are unknown; see ``unknownKeys``.
struct SectionReader {
    let section: Configuration.Section
    private let entries: [String: IniFile.Entry]
    /// Every key that was asked for, in the order of asking.
    private(set) var keys: [String] = []
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []

    init(_ section: Configuration.Section, entries: [String: IniFile.Entry]) {
        self.section = section
        self.entries = entries
    }

    var unknownKeys: [IniFile.Entry] {
        entries.values.filter { !keys.contains($0.key) }.sorted { ($0.place.file, $0.place.line) < ($1.place.file, $1.place.line) }
    }

    /// Whether a file sets the key, if only to nothing.
    func has(_ key: String) -> Bool { entries[key] != nil }

    mutating func refuse(_ key: String, _ text: String, allowed: String? = nil, hint: String? = nil) {
        problems.append(problem(key, text, allowed: allowed, hint: hint))
    }

    mutating func warn(_ key: String, _ text: String, hint: String? = nil) {
        warnings.append(problem(key, text, allowed: nil, hint: hint))
    }

    private func problem(_ key: String, _ text: String, allowed: String?, hint: String?) -> ConfigurationProblem {
        ConfigurationProblem(at: entries[key]?.place, subject: section.subject(key), text, allowed: allowed, hint: hint)
    }

    /// The value as text without its quotes; `nil` when no file sets the key, or its lines cannot be one value.
    private mutating func text(_ key: String) -> String? {
        keys.append(key)
        guard let entry = entries[key] else { return nil }
        guard !entry.value.utf8.contains(UInt8(ascii: "\n")) else {
            refuse(key, "is continued by the indented lines after it", allowed: "one value", hint: "remove the blanks before those lines")
            return nil
        }
        return unquote(entry.value)
    }

    /// A single value. `parse` gives `nil` for one that is not `allowed`.
    mutating func value<V>(_ key: String, default fallback: V, allowed: String, _ parse: (String) -> V?) -> V {
        optional(key, default: fallback, none: nil, allowed: allowed, parse) ?? fallback
    }

    /// A single value that may be none.
    ///
    /// - Parameter none: the text that stands for none, in any case; `nil`: there is none such.
    mutating func optional<V>(
        _ key: String, default fallback: V? = nil, none: String? = "", allowed: String, _ parse: (String) -> V?
    ) -> V? {
        guard let text = text(key) else { return fallback }
        if let none, text.lowercased() == none { return nil }
        if let value = parse(text) { return value }
        refuse(key, text.isEmpty ? "has no value" : "`\(text)` is not allowed", allowed: allowed)
        return fallback
    }

    /// A list. `parse` gives `nil` for an item that is not `allowed`.
    ///
    /// - Parameter isSecret: Whether items are not shown, whatever is wrong with them.
    mutating func list<V>(
        _ key: String, default fallback: [V], at separator: ListSeparator = .commasAndBlanks, allowed: String, isSecret: Bool = false,
        _ parse: (String) -> V?
    ) -> [V] {
        keys.append(key)
        guard let entry = entries[key] else { return fallback }
        guard let items = splitList(entry.value, at: separator) else {
            refuse(key, "a quote is not closed", allowed: allowed)
            return fallback
        }
        var values: [V] = []
        for item in items {
            if let value = parse(item) {
                values.append(value)
            } else {
                refuse(key, isSecret ? "an item is not allowed" : "`\(item)` is not allowed", allowed: allowed)
            }
        }
        return values
    }

    mutating func boolean(_ key: String, default fallback: Bool) -> Bool {
        value(key, default: fallback, allowed: "yes, no, true, false, on, off, 1 or 0", parseBoolean)
    }

    mutating func number(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        value(key, default: fallback, allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), range.contains(number) else { return nil }
            return number
        }
    }

    mutating func duration(_ key: String, default fallback: Duration, in range: ClosedRange<Duration>) -> Duration {
        value(key, default: fallback, allowed: durations(range)) { parseDuration($0, in: range) }
    }

    /// As ``duration(_:default:in:)``, where -1 is for ever: `nil`.
    mutating func durationOrEver(_ key: String, default fallback: Duration?, in range: ClosedRange<Duration>) -> Duration? {
        optional(key, default: fallback, none: "-1", allowed: durations(range) + ", or -1 for ever") { parseDuration($0, in: range) }
    }

    private func durations(_ range: ClosedRange<Duration>) -> String {
        "\(DurationText.text(range.lowerBound)) to \(DurationText.text(range.upperBound)), in seconds or as 10m, 1h, 1d 12h, 1w"
    }

    /// A file or folder by its full name.
    mutating func path(_ key: String, default fallback: String) -> String {
        value(key, default: fallback, allowed: "a full path that begins with /") { isFullPath($0) ? $0 : nil }
    }

    /// One value out of few.
    mutating func choice<V: RawRepresentable<String> & CaseIterable>(_ key: String, default fallback: V) -> V {
        value(key, default: fallback, allowed: choices(V.self)) { V(rawValue: $0.lowercased()) }
    }
}

private func parseDuration(_ text: String, in range: ClosedRange<Duration>) -> Duration? {
    guard let seconds = DurationText.seconds(text), range.contains(.seconds(seconds)) else { return nil }
    return .seconds(seconds)
}

/// The raw values of an enum for a message: `debug, info or notice`.
func choices<V: RawRepresentable<String> & CaseIterable>(_: V.Type) -> String {
    let names = V.allCases.map(\.rawValue)
    return names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
}

/// Whether the text is the full name of a file, no longer than Linux allows (PATH_MAX).
func isFullPath(_ text: String) -> Bool {
    text.utf8.first == UInt8(ascii: "/") && text.utf8.count < 4096 && !text.utf8.contains { $0 < 0x20 || $0 == 0x7f }
}
