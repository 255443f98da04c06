// Tests of what travels: reads ABNF (RFC 5234, with %s"…" of RFC 7405) and says whether bytes match a rule of it.

/// A grammar, to hold what a document says against what the code does.
struct Grammar {
    indirect enum Element {
        case rule(String)
        case literal([UInt8], isCaseSensitive: Bool)
        case range(ClosedRange<UInt8>)
        case sequence([Element])
        case choice([Element])
        case repetition(ClosedRange<Int>, Element)
    }

    struct Malformed: Error {
        var rule: String
        var rest: String
    }

    /// By their names in lower case, since names are case-insensitive.
    private(set) var rules: [String: Element] = [:]

    /// The rules of RFC 5234, appendix B, that are used.
    private static let core = """
        ALPHA = %x41-5A / %x61-7A
        DIGIT = %x30-39
        HEXDIG = DIGIT / "A" / "B" / "C" / "D" / "E" / "F"
        LF = %x0A
        """

    /// - Parameter text: rules, each beginning at the start of a line and going on in indented ones.
    init(_ text: String) throws(Malformed) {
        var statements: [String] = []
        for line in (Grammar.core + "\n" + text).split(separator: "\n") {
            // No literal of ours has a semicolon.
            let line = String(line.prefix { $0 != ";" })
            guard line.contains(where: { $0 != " " }) else { continue }
            if line.hasPrefix(" "), !statements.isEmpty { statements[statements.count - 1] += line } else { statements.append(line) }
        }
        for statement in statements {
            guard let equals = statement.firstIndex(of: "=") else { throw Malformed(rule: statement, rest: "") }
            let name = statement[..<equals].filter { $0 != " " }.lowercased()
            var reader = Reader(text: Array(statement[statement.index(after: equals)...].utf8))
            guard let element = reader.choice(), reader.atEnd, rules.updateValue(element, forKey: name) == nil else {
                throw Malformed(rule: name, rest: reader.rest)
            }
        }
    }

    /// Names that are used and not defined.
    var undefined: Set<String> {
        func names(_ element: Element) -> Set<String> {
            switch element {
            case .rule(let name): [name]
            case .literal, .range: []
            case .sequence(let parts), .choice(let parts): parts.reduce(into: []) { $0.formUnion(names($1)) }
            case .repetition(_, let part): names(part)
            }
        }
        let used = rules.values.reduce(into: Set<String>()) { $0.formUnion(names($1)) }
        return used.subtracting(rules.keys)
    }

    /// Whether all of `bytes` is what the rule allows.
    func matches(_ bytes: [UInt8], _ rule: String) -> Bool { ends(.rule(rule), [0], bytes).contains(bytes.count) }

    /// Where the element can end, when it begins at one of `starts`. All ways are followed at once, so that no text takes long.
    private func ends(_ element: Element, _ starts: Set<Int>, _ bytes: [UInt8]) -> Set<Int> {
        guard !starts.isEmpty else { return [] }
        switch element {
        case .rule(let name): return rules[name.lowercased()].map { ends($0, starts, bytes) } ?? []
        case .range(let range):
            return Set(starts.lazy.filter { $0 < bytes.count && range.contains(bytes[$0]) }.map { $0 + 1 })
        case .literal(let literal, let isCaseSensitive):
            return Set(
                starts.lazy.filter { start in
                    start + literal.count <= bytes.count
                        && literal.indices.allSatisfy { i in
                            let byte = bytes[start + i]
                            return byte == literal[i] || !isCaseSensitive && Grammar.lower(byte) == Grammar.lower(literal[i])
                        }
                }.map { $0 + literal.count })
        case .sequence(let parts): return parts.reduce(starts) { ends($1, $0, bytes) }
        case .choice(let parts): return parts.reduce(into: []) { $0.formUnion(ends($1, starts, bytes)) }
        case .repetition(let range, let part):
            var found: Set<Int> = range.lowerBound == 0 ? starts : []
            var reached = starts
            var count = 0
            while count < range.upperBound, !reached.isEmpty {
                reached = ends(part, reached, bytes)
                count += 1
                if count >= range.lowerBound {
                    reached.subtract(found)
                    found.formUnion(reached)
                }
            }
            return found
        }
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte + 0x20 : byte }

    /// Reads the right side of a rule. A method that returns `nil` has met something that is not ABNF, or not the part of it used here.
    private struct Reader {
        var text: [UInt8]
        var at = 0

        init(text: [UInt8]) { self.text = text }

        var rest: String { text[at...].map { $0 }.text }

        private var next: UInt8? { at < text.count ? text[at] : nil }

        private mutating func skipBlanks() { while next == UInt8(ascii: " ") { at += 1 } }

        var atEnd: Bool { text[at...].allSatisfy { $0 == UInt8(ascii: " ") } }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard next == UInt8(ascii: character) else { return false }
            at += 1
            return true
        }

        mutating func choice() -> Element? {
            var parts: [Element] = []
            repeat {
                guard let part = sequence() else { return nil }
                parts.append(part)
                skipBlanks()
            } while take("/")
            return parts.count == 1 ? parts[0] : .choice(parts)
        }

        private mutating func sequence() -> Element? {
            var parts: [Element] = []
            skipBlanks()
            while let next, next != UInt8(ascii: "/"), next != UInt8(ascii: ")"), next != UInt8(ascii: "]") {
                guard let part = repetition() else { return nil }
                parts.append(part)
                skipBlanks()
            }
            return parts.isEmpty ? nil : parts.count == 1 ? parts[0] : .sequence(parts)
        }

        private mutating func repetition() -> Element? {
            let from = number(radix: 10)
            let isRange = take("*")
            let to = isRange ? number(radix: 10) : from
            guard let element = element() else { return nil }
            guard isRange || from != nil else { return element }
            return .repetition((from ?? 0)...(to ?? .max), element)
        }

        private mutating func element() -> Element? {
            if take("(") {
                guard let inner = choice(), take(")") else { return nil }
                return inner
            }
            if take("[") {
                guard let inner = choice(), take("]") else { return nil }
                return .repetition(0...1, inner)
            }
            if next == UInt8(ascii: "\"") { return literal(isCaseSensitive: false) }
            if take("%") { return take("s") ? literal(isCaseSensitive: true) : take("x") ? range() : nil }
            let start = at
            while let next, Grammar.isNameByte(next) { at += 1 }
            return at > start ? .rule(text[start..<at].map { $0 }.text.lowercased()) : nil
        }

        private mutating func literal(isCaseSensitive: Bool) -> Element? {
            guard take("\"") else { return nil }
            let start = at
            while let next, next != UInt8(ascii: "\"") { at += 1 }
            let bytes = Array(text[start..<at])
            return take("\"") ? .literal(bytes, isCaseSensitive: isCaseSensitive) : nil
        }

        private mutating func range() -> Element? {
            guard let first = number(radix: 16) else { return nil }
            guard let last = take("-") ? number(radix: 16) : first, first <= last, last <= 255 else { return nil }
            return .range(UInt8(first)...UInt8(last))
        }

        private mutating func number(radix: Int) -> Int? {
            let start = at
            while let next, Character(Unicode.Scalar(next)).isHexDigit, radix == 16 || (0x30...0x39).contains(next) { at += 1 }
            return Int(text[start..<at].map { $0 }.text, radix: radix)
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "-")
    }
}
