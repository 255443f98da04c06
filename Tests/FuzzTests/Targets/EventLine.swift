// Fuzzing: an event's line, and the address in it, which the system's own reader must see alike.

import Glibc
import Wire

extension FuzzTarget {
    /// One line `host|jail|action|address|number|seen|admitted|end|cause`, or one address.
    static let eventLine = FuzzTarget(name: "event-line", longest: Event.longestLine + 8) { input in
        try checkAddress(input)
        guard let event = try? Event(line: input.span) else { return }
        try checkLine(of: event)
    }
}

/// What has been read from a line is printed as a line that says the same.
func checkLine(of event: Event) throws(Finding) {
    var line: [UInt8] = []
    event.appendLine(to: &line)
    try require(line.count <= Event.longestLine, "\(line.count) bytes: \(line.text)")
    try require(line.allSatisfy { (0x20...0x7e).contains($0) }, "not printable: \(line.text)")
    try require((try? Event(line: line.span)) == event, "means something else: \(line.text)")
    try checkAddress(Array(event.address.description.utf8))
}

/// An address is read as inet_pton(3) reads it, and printed so that both read it again.
private func checkAddress(_ text: [UInt8]) throws(Finding) {
    let address = Address(bytes: text.span)
    let isPrefix = text.contains(UInt8(ascii: "/"))
    if !isPrefix, !text.contains(0) {
        let systems = systemsAddress(text.text)
        try require(
            address == systems, "\(text.text): \(address.map { "\($0)" } ?? "nothing") and not \(systems.map { "\($0)" } ?? "nothing")")
    }
    guard let address else { return }
    let printed = address.description
    try require(printed.utf8.count <= Address.longestText && Address(printed) == address, "\(text.text): \(printed)")
    try require(address.contains(address) && address.isSingle != printed.contains("/"), printed)
    try require((0...address.family.width).contains(address.prefixLength), "\(address.prefixLength) bits: \(printed)")
    if let outer = Address(String(printed.prefix { $0 != "/" })) { try require(address.contains(outer), "\(outer) is not in \(printed)") }
}

/// What the C library makes of a text.
private func systemsAddress(_ text: String) -> Address? {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return Address(ipv4: UInt32(bigEndian: four.s_addr)) }
    guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
    let halves = withUnsafeBytes(of: &six) { bytes in
        (bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    return Address(ipv6High: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
}
