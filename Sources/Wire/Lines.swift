// What travels: the text that every message is made of, lines of a body, fields of a line, numbers, and words for people.

/// What separates the fields of a line; no field may hold it.
let separator = UInt8(ascii: "|")

/// Where exactly `count` fields lie between the separators of a line; `nil` when the line has another number of fields.
func fieldRanges<let count: Int>(_ line: Span<UInt8>, count _: InlineArray<count, Range<Int>>.Type) -> InlineArray<count, Range<Int>>? {
    var ranges: InlineArray<count, Range<Int>> = .init(repeating: 0..<0)
    var found = 0
    var start = 0
    for i in line.indices where line[i] == separator {
        guard found < count - 1 else { return nil }
        ranges[found] = start..<i
        found += 1
        start = i + 1
    }
    guard found == count - 1 else { return nil }
    ranges[found] = start..<line.count
    return ranges
}

/// The bytes as text; `nil` when they are not printable ASCII, which is all that may travel in a field of an event.
func asciiText(_ bytes: Span<UInt8>) -> String? {
    for i in bytes.indices where !(0x20...0x7e).contains(bytes[i]) { return nil }
    return bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
}

/// Whether the bytes are this text.
func isText(_ bytes: Span<UInt8>, _ text: String) -> Bool {
    bytes.count == text.utf8.count && bytes.withUnsafeBufferPointer { $0.elementsEqual(text.utf8) }
}

/// The bytes as text for people, a reason or a note; `nil` when they are not UTF-8 or hold a control character.
func printableText(_ bytes: Span<UInt8>) -> String? {
    guard let text = bytes.withUnsafeBufferPointer({ String(validating: $0, as: UTF8.self) }),
        !text.unicodeScalars.contains(where: isControl)
    else { return nil }
    return text
}

/// Text for people as one line that ``printableText(_:)`` accepts: control characters become blanks.
func oneLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? " " : $0 }))
}

/// C0, DEL and C1: they end a line, or tell a terminal what to do (U+009B begins an escape sequence as ESC [ does).
private func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) }

/// One to nineteen decimal digits as a number up to `Int64.max`, which a journal's integer holds too; leading zeros are refused, since
/// every value has one text.
func parseDecimal(_ bytes: Span<UInt8>) -> UInt64? {
    guard (1...19).contains(bytes.count), bytes.count == 1 || bytes[0] != UInt8(ascii: "0") else { return nil }
    var value: UInt64 = 0
    for i in bytes.indices {
        let digit = bytes[i] &- UInt8(ascii: "0")
        guard digit <= 9 else { return nil }
        value = value * 10 + UInt64(digit)
    }
    return value <= UInt64(Int64.max) ? value : nil
}

/// The number of an announcement, from 1 on.
func parseNumber(_ bytes: Span<UInt8>) -> UInt64? { parseDecimal(bytes).flatMap { $0 > 0 ? $0 : nil } }

/// `-` is nothing; anything else must parse. The outer optional is `nil` when it does not.
func parseOptional<T>(_ field: Span<UInt8>, _ parse: (Span<UInt8>) -> T?) -> T?? {
    if field.count == 1, field[0] == UInt8(ascii: "-") { return .some(nil) }
    return parse(field).map(Optional.some)
}

/// Appends `value` in decimal, without a String in between.
func appendDecimal(_ value: UInt64, to text: inout [UInt8]) {
    var digits: InlineArray<20, UInt8> = .init(repeating: 0)
    var rest = value
    var start = digits.count
    repeat {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
    } while rest > 0
    digits.span.extracting(start..<digits.count).withUnsafeBufferPointer { text.append(contentsOf: $0) }
}

/// Appends `value` in decimal, or `-` for nothing.
func appendOptional(_ value: UInt64?, to text: inout [UInt8]) {
    if let value { appendDecimal(value, to: &text) } else { text.append(UInt8(ascii: "-")) }
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

func isLowerCase(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

func isUpperCase(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }

func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isLowerCase(byte) || isUpperCase(byte) }

/// Calls `body` with each line of `text` without its newline. A last line without a newline counts too; empty lines do not.
public func forEachLine<E: Error>(of text: Span<UInt8>, _ body: (Span<UInt8>) throws(E) -> Void) throws(E) {
    var start = 0
    for i in text.indices where text[i] == UInt8(ascii: "\n") {
        if i > start { try body(text.extracting(start..<i)) }
        start = i + 1
    }
    if start < text.count { try body(text.extracting(start..<text.count)) }
}
