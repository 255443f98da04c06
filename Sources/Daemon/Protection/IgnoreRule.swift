// What the daemons share: one item of ignoreip, as fail2ban has it: an address, a prefix or a name.

import Wire

/// An item of `ignoreip`. Host bits of a prefix are cleared (`127.0.0.1/8`), as fail2ban does.
public enum IgnoreRule: Hashable, Sendable, CustomStringConvertible {
    case address(Address)
    /// A DNS name, to be resolved at start, on reload and at an interval.
    case name(Hostname)

    /// `nil` for what is neither, such as `999.1.1.1`, which reads like a name and cannot be one.
    public init?(_ text: String) {
        if let address = Address(text) {
            self = .address(address)
        } else if let name = Hostname(text), !looksLikeBrokenAddress(text) {
            self = .name(name)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .address(let address): address.description
        case .name(let name): name.description
        }
    }

    static let allowed = "addresses, prefixes as 192.0.2.0/24, and names, separated by blanks or commas"
}
