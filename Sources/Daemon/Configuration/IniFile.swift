// What the daemons share: the text of one configuration file as sections, keys and values, in fail2ban's dialect.

/// One file, parsed as Python's configparser does for fail2ban: `key = value` or `key: value` under `[section]`, keys in any
/// case, full-line comments with `#` or `;`, inline comments with either after a blank, and a line that is indented deeper
/// than its key continues the value.
///
/// Beyond configparser: text in double quotes holds `#` and `;`, and inline `#` begins a comment, as files of
/// fail2ban-zmq-tools have it. There is no interpolation and no `[DEFAULT]`.
struct IniFile {
    struct Entry: Equatable {
        let section: String
        let key: String
        /// As written, quotes included; the lines of a continued value are joined with newlines.
        var value: String
        let place: Place
    }

    struct Header: Equatable {
        let name: String
        let place: Place
    }

    private(set) var entries: [Entry] = []
    private(set) var headers: [Header] = []
    private(set) var problems: [ConfigurationProblem] = []

    private let path: String
    private var section: String?
    /// Where in `entries` the key is that an indented line continues.
    private var open: Int?
    private var indent = 0

    init(bytes: [UInt8], path: String) {
        self.path = path
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let text = bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...]
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            read(line, at: Place(file: path, line: number + 1))
        }
        refuseRepeats()
    }

    private mutating func read(_ line: ArraySlice<UInt8>, at place: Place) {
        let trimmed = trim(line)
        guard let first = trimmed.first else { return }
        if first == UInt8(ascii: "#") || first == UInt8(ascii: ";") { return }
        guard let end = commentStart(trimmed) else {
            problems.append(ConfigurationProblem(at: place, "a quote is not closed", allowed: "a value, or \"a value\" in double quotes"))
            return
        }
        let content = trim(trimmed[..<end])
        guard !content.contains(where: { $0 < 0x20 && $0 != UInt8(ascii: "\t") || $0 == 0x7f }),
            let text = String(validating: content, as: UTF8.self),
            // The second block of control characters, which terminals obey as well.
            !text.unicodeScalars.contains(where: { (0x80..<0xa0).contains($0.value) })
        else {
            problems.append(ConfigurationProblem(at: place, "the line has control characters or is not UTF-8 text"))
            return
        }
        let depth = trimmed.startIndex - line.startIndex
        if let open, depth > indent {
            entries[open].value += entries[open].value.isEmpty ? text : "\n" + text
            return
        }
        indent = depth
        if first == UInt8(ascii: "[") {
            readHeader(text, at: place)
        } else {
            readKey(text, at: place)
        }
    }

    private mutating func readHeader(_ text: String, at place: Place) {
        open = nil
        guard text.utf8.last == UInt8(ascii: "]"), text.utf8.count > 2 else {
            problems.append(ConfigurationProblem(at: place, "`\(text)` is not a section header", allowed: "[section]"))
            return
        }
        let name = String(text.dropFirst().dropLast())
        section = name
        headers.append(Header(name: name, place: place))
    }

    private mutating func readKey(_ text: String, at place: Place) {
        open = nil
        guard let delimiter = text.utf8.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") }),
            delimiter > text.startIndex
        else {
            problems.append(
                ConfigurationProblem(
                    at: place, "\(beginning(of: text)) is neither a key nor a section", allowed: "key = value, or [section]"))
            return
        }
        guard let section else {
            problems.append(
                ConfigurationProblem(
                    at: place, "\(beginning(of: text)) comes before any section", hint: "put it under a [section]"))
            return
        }
        let key = String(decoding: trim(Array(text[..<delimiter].utf8)[...]), as: UTF8.self).lowercased()
        let value = String(decoding: trim(Array(text[text.utf8.index(after: delimiter)...].utf8)[...]), as: UTF8.self)
        open = entries.count
        entries.append(Entry(section: section, key: key, value: value, place: place))
    }

    /// configparser refuses a key that a file has twice; so do we, since one of the two would be silently without effect.
    private mutating func refuseRepeats() {
        var seen: [String: [String: Place]] = [:]
        for entry in entries {
            if let before = seen[entry.section]?[entry.key] {
                problems.append(
                    ConfigurationProblem(
                        at: entry.place, subject: "[\(entry.section)] \(entry.key)", "stands on line \(before.line) already",
                        hint: "delete one of the two"))
            }
            seen[entry.section, default: [:]][entry.key] = entry.place
        }
    }
}

/// What is shown of a line that can't be read: its first word, if something follows. That may be a secret, and so may a word that stands
/// alone.
private func beginning(of text: String) -> String {
    let word = text.prefix { !" \t=:".contains($0) }
    return word.isEmpty || word.endIndex == text.endIndex ? "the line" : "`\(word)`"
}

private func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte) }

private func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) }) else { return [] }
    return bytes[first...last]
}

/// Where the inline comment of a line begins, or the line's end; `nil` when a quote is not closed.
///
/// A quote counts only where a word begins, so that a token may hold one.
private func commentStart(_ line: ArraySlice<UInt8>) -> Int? {
    var quoted = false
    var previous = UInt8(ascii: " ")
    for i in line.indices {
        let byte = line[i]
        if quoted {
            quoted = byte != UInt8(ascii: "\"")
        } else if byte == UInt8(ascii: "\""),
            isBlank(previous) || [UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: ",")].contains(previous)
        {
            quoted = true
        } else if byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";"), isBlank(previous) {
            return i
        }
        previous = byte
    }
    return quoted ? nil : line.endIndex
}
