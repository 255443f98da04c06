// The operator's command: addresses given as arguments, or one a line on standard input.

import ArgumentParser
import Daemon
import Wire

/// ADDRESS…, which `ban` and `unban` take.
struct AddressArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "IPv4 or IPv6 addresses or prefixes; - reads them from standard input, separated by blanks.", valueName: "address"))
    var addresses: [String]

    /// The addresses, checked; each one once.
    func parse() throws -> [Address] {
        var texts: [String] = []
        for text in addresses {
            guard text == "-" else {
                texts.append(text)
                continue
            }
            while let line = readLine() { texts += line.split(whereSeparator: \.isWhitespace).map(String.init) }
        }
        var seen: Set<Address> = []
        var result: [Address] = []
        for text in texts {
            guard let address = Address(text) else {
                throw ServiceError("`\(text)` is not an IPv4 or IPv6 address or prefix", exitStatus: .usage)
            }
            if seen.insert(address).inserted { result.append(address) }
        }
        guard !result.isEmpty else { throw ServiceError("no address given", exitStatus: .usage) }
        return result
    }
}
