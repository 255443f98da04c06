// What travels: an operator's order to ban addresses, to lift every ban of them, to allow them, or to undo all that one host did.

/// An order stands above the holds of hosts. Only keys with the role operator may give one.
public struct Order: Sendable, Equatable {
    public enum Command: String, Sendable {
        /// Ban the addresses until `end`.
        case ban
        /// End all present holds and orders of the addresses.
        case unban
        /// The same, and no host's ban of them counts until `end`.
        case allow
        /// End all that one host holds.
        case withdraw
    }

    public var command: Command
    /// The sender's clock when the order was sent.
    public var now: Timestamp
    /// When a ban or an allowance ends, on the sender's clock. A ban's may be unknown: the publisher's `maxbantime`. One that has passed
    /// ends an allowance.
    public var end: BanEnd
    /// The operator's reason, for the history; one line.
    public var note: String
    /// What is banned, unbanned or allowed; empty for `withdraw`.
    public var addresses: [Address]
    /// Whose holds `withdraw` ends; `nil` for the others.
    public var host: Hostname?

    /// The most addresses in one order, so that it fits the body; who has more sends more orders.
    public static let addressLimit = 1000

    public init(_ command: Command, now: Timestamp, end: BanEnd = .unknown, note: String = "", addresses: [Address]) {
        self.command = command
        self.now = now
        self.end = end
        self.note = note
        self.addresses = addresses
    }

    /// Ends all that a host holds.
    public init(withdrawing host: Hostname, now: Timestamp, note: String = "") {
        self.init(.withdraw, now: now, note: note, addresses: [])
        self.host = host
    }

    /// - Throws: when a field is missing or bad, or an address is not one: an order is done whole or not at all.
    public init(_ message: Message) throws(MessageError) {
        guard message.verb == .order else { throw .verb }
        guard let command = message.header["command"].flatMap(Command.init(rawValue:)) else { throw .malformed("command") }
        guard let now = message.header.time("now") else { throw .malformed("now") }
        guard let end = message.header["end"].flatMap({ BanEnd(bytes: Array($0.utf8).span) }), command != .allow || end != .unknown else {
            throw .malformed("end")
        }
        var addresses: [Address] = []
        try message.forEachBodyLine { (line) throws(MessageError) in
            guard let address = Address(bytes: line) else { throw .malformed("address in line \(addresses.count + 1)") }
            addresses.append(address)
        }
        let limits = command == .withdraw ? 0...0 : 1...Order.addressLimit
        guard limits.contains(addresses.count) else { throw .malformed("\(addresses.count) addresses") }
        self.init(command, now: now, end: end, note: message.header["note"] ?? "", addresses: addresses)
        guard command == .withdraw else { return }
        guard let host = message.header["host"].flatMap({ Hostname($0) }) else { throw .malformed("host") }
        self.host = host
    }

    public var message: Message {
        var body: [UInt8] = []
        for address in addresses {
            address.append(to: &body)
            body.append(UInt8(ascii: "\n"))
        }
        var header: Header = ["command": command.rawValue, "now": now.description, "end": end.description, "note": note]
        header["host"] = host?.description
        return Message(.order, header, body: body)
    }
}
