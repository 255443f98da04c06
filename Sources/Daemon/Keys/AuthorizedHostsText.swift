// What the daemons share: reading `authorized_hosts`, and saying with file and line what is wrong with it.

import Wire
import ZeroMQ

extension AuthorizedHosts {
    /// Parses the text of a file.
    ///
    /// - Parameter file: Its name, for messages.
    /// - Throws: All lines that are wrong, each with its place.
    public init(parsing text: String, file: String) throws(ConfigurationError) {
        var lines: [Line] = []
        var problems: [ConfigurationProblem] = []
        var keys: [PublicKey: Int] = [:]
        var names: [Hostname: (line: Int, roles: Set<Role>)] = [:]
        // A Character of its own is CRLF, so the bytes are split.
        for (offset, bytes) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            var line = String(decoding: bytes, as: UTF8.self)
            if line.utf8.last == UInt8(ascii: "\r") { line.unicodeScalars.removeLast() }
            let number = offset + 1
            switch AuthorizedHosts.parse(line) {
            case .success(let host):
                lines.append(Line(text: line, host: host))
                guard let host else { continue }
                let problem: String? =
                    if let other = keys[host.key] {
                        "the key stands in line \(other) already"
                    } else if let other = names[host.name], other.roles != host.roles {
                        "\(host.name) has other roles in line \(other.line); all its lines must have the same"
                    } else {
                        nil
                    }
                if let problem { problems.append(ConfigurationProblem(at: Place(file: file, line: number), problem)) }
                if keys[host.key] == nil { keys[host.key] = number }
                if names[host.name] == nil { names[host.name] = (number, host.roles) }
            case .failure(let error):
                problems.append(ConfigurationProblem(at: Place(file: file, line: number), error.text, allowed: error.allowed))
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        // The newline at the end of the last line is no empty line.
        if lines.last?.text.isEmpty == true { lines.removeLast() }
        self.init(lines: lines)
    }

    private struct LineError: Error {
        let text: String
        var allowed: String?
    }

    /// The host of a line; `nil` for a comment or a line of blanks.
    private static func parse(_ line: String) -> Result<Host?, LineError> {
        let fields = line.split { $0 == " " || $0 == "\t" }
        if line.hasPrefix("#") || fields.isEmpty { return .success(nil) }
        guard (3...4).contains(fields.count) else {
            return .failure(
                LineError(
                    text: "has \(fields.count) of the 3 or 4 fields", allowed: "host roles key [addresses,…], and `#` in the first column"))
        }
        guard let name = Hostname(String(fields[0])) else {
            return .failure(
                LineError(text: "`\(printable(fields[0]))` is no host name", allowed: "letters, digits, inner hyphens, and dots"))
        }
        guard let roles = AuthorizedHosts.roles(fields[1]) else {
            return .failure(
                LineError(text: "`\(printable(fields[1]))` are no roles", allowed: "\(allRoles), separated by commas without blanks"))
        }
        guard let key = PublicKey(z85: String(fields[2])) else {
            return .failure(LineError(text: "the third field is no key", allowed: "40 characters of Z85, as in the host's host.pub"))
        }
        var addresses: [Address] = []
        for text in fields.count < 4 ? [] : fields[3].split(separator: ",", omittingEmptySubsequences: false) {
            guard let address = Address(text) else {
                return .failure(
                    LineError(
                        text: "`\(printable(text))` is no address", allowed: "addresses and prefixes as 192.0.2.0/24, separated by commas"))
            }
            addresses.append(address)
        }
        return .success(Host(name: name, roles: roles, key: key, addresses: addresses))
    }

    /// At most 60 characters, without those that could act on a terminal.
    private static func printable(_ text: Substring) -> String {
        String(text.unicodeScalars.prefix(60).map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? "?" : Character($0) })
    }
}
