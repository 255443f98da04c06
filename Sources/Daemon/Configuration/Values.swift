// What the daemons share: the small grammars of values: durations, booleans, lists, words.

/// Reads and prints times as fail2ban writes them.
public enum DurationText {
    /// Parses `90`, `10m`, `1h30m`, `1d 12h`, `2 weeks` or `1h + 30min` to whole seconds; a bare number is seconds.
    ///
    /// The units are those of fail2ban's str2seconds (server/mytime.py), in any case; a month is 30.4375 days and a year
    /// 365.25 days there too. Not accepted from it: fractions, subtraction and other arithmetic. `nil` for anything else, also
    /// for what exceeds 1000 years.
    public static func seconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        var total: Int64 = 0
        var i = 0
        var terms = 0
        skipBlanks(bytes, &i)
        while i < bytes.count {
            if terms > 0, bytes[i] == UInt8(ascii: "+") {
                i += 1
                skipBlanks(bytes, &i)
            }
            guard let number = digits(bytes, &i) else { return nil }
            skipBlanks(bytes, &i)
            let unit = letters(bytes, &i)
            guard let seconds = unit.isEmpty ? 1 : units[unit] else { return nil }
            let (product, tooMuch) = number.multipliedReportingOverflow(by: seconds)
            guard !tooMuch, product <= longest, total + product <= longest else { return nil }
            total += product
            terms += 1
            skipBlanks(bytes, &i)
        }
        return terms > 0 ? total : nil
    }

    /// The shortest exact text with one unit: `1w`, `36h`, `90` seconds as `90s`.
    public static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        for (unit, length) in [("w", week), ("d", day), ("h", 3600), ("m", 60)] as [(String, Int64)]
        where seconds != 0 && seconds % length == 0 {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }

    private static let day: Int64 = 86_400
    private static let week: Int64 = 604_800
    private static let longest: Int64 = 1000 * 31_557_600
    private static let units: [String: Int64] = {
        var units: [String: Int64] = [:]
        for (names, seconds) in [
            ("s ss se sec second seconds", 1), ("m mm mi min minute minutes", 60), ("h hh ho hou hour hours", 3600),
            ("d dd da day days", day),
            ("w ww we wee week weeks", week), ("mo mon month months", 2_629_800), ("y yy ye yea year years", 31_557_600),
        ] as [(String, Int64)] {
            for name in names.split(separator: " ") { units[String(name)] = seconds }
        }
        return units
    }()

    private static func skipBlanks(_ bytes: [UInt8], _ i: inout Int) {
        while i < bytes.count, bytes[i] == UInt8(ascii: " ") || bytes[i] == UInt8(ascii: "\t") { i += 1 }
    }

    private static func digits(_ bytes: [UInt8], _ i: inout Int) -> Int64? {
        let start = i
        var value: Int64 = 0
        while i < bytes.count, (0x30...0x39).contains(bytes[i]) {
            guard i - start < 12 else { return nil }
            value = value * 10 + Int64(bytes[i] - 0x30)
            i += 1
        }
        return i > start ? value : nil
    }

    private static func letters(_ bytes: [UInt8], _ i: inout Int) -> String {
        let start = i
        while i < bytes.count, (0x61...0x7a).contains(bytes[i] | 0x20) { i += 1 }
        return String(decoding: bytes[start..<i], as: UTF8.self).lowercased()
    }
}

/// yes, no, true, false, on, off, 1 or 0, in any case; `nil` for anything else.
func parseBoolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "yes", "true", "on", "1": true
    case "no", "false", "off", "0": false
    default: nil
    }
}

/// What separates the items of a list.
enum ListSeparator {
    /// Commas and newlines, and blanks around them mean nothing: for items that may hold blanks.
    case commas
    /// Commas, blanks, or both.
    case commasAndBlanks
    /// Blanks only: the words of a command.
    case blanks

    fileprivate func separates(_ character: Unicode.Scalar) -> Bool {
        switch self {
        case .commas: character == "," || character == "\n"
        case .commasAndBlanks: character == "," || isBlank(character)
        case .blanks: isBlank(character)
        }
    }
}

/// The items of a list without their quotes. Double quotes around an item, or a part of it, keep separators inside it;
/// items that are empty and not quoted are skipped. `nil` when a quote is not closed.
func splitList(_ text: String, at separator: ListSeparator) -> [String]? {
    var items: [String] = []
    var item = String.UnicodeScalarView()
    var quoted = false
    var wasQuoted = false
    func finished() -> String? {
        let trimmed = wasQuoted ? String(item) : trimBlanks(String(item))
        return trimmed.isEmpty && !wasQuoted ? nil : trimmed
    }
    for scalar in text.unicodeScalars {
        if scalar == "\"", quoted || item.allSatisfy(isBlank) || item.last == "=" {
            if !quoted, item.allSatisfy(isBlank) { item.removeAll() }
            quoted.toggle()
            wasQuoted = true
        } else if !quoted, separator.separates(scalar) {
            if let done = finished() { items.append(done) }
            item.removeAll()
            wasQuoted = false
        } else if !(wasQuoted && !quoted && isBlank(scalar)) {
            item.append(scalar)
        }
    }
    if let done = finished() { items.append(done) }
    return quoted ? nil : items
}

/// The value without the double quotes around it, if the whole of it is in them.
func unquote(_ text: String) -> String {
    guard text.utf8.count >= 2, text.hasPrefix("\""), text.hasSuffix("\""), !text.dropFirst().dropLast().contains("\"") else { return text }
    return String(text.dropFirst().dropLast())
}

private func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" }

private func trimBlanks(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isBlank($0) }), let last = scalars.lastIndex(where: { !isBlank($0) }) else { return "" }
    return String(scalars[first...last])
}
