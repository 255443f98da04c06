// What travels: the two shapes of text that every message is made of, lines of a body and fields of a line.

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

/// The bytes as text; `nil` when they are not printable ASCII, which is all that may travel in a field.
func asciiText(_ bytes: Span<UInt8>) -> String? {
    for i in bytes.indices where !(0x20...0x7e).contains(bytes[i]) { return nil }
    return bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
}

/// Calls `body` with each line of `text` without its newline. A last line without a newline counts too; empty lines do not.
public func forEachLine<E: Error>(of text: Span<UInt8>, _ body: (Span<UInt8>) throws(E) -> Void) throws(E) {
    var start = 0
    for i in text.indices where text[i] == UInt8(ascii: "\n") {
        if i > start { try body(text.extracting(start..<i)) }
        start = i + 1
    }
    if start < text.count { try body(text.extracting(start..<text.count)) }
}
