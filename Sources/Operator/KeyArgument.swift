// The operator's command: keys on the command line, where Z85 may look like an option or like something of the shell's.

import ArgumentParser
import Daemon
import Glibc
import Wire
import ZeroMQ

/// The arguments with a key that begins with `-` moved to the end, behind `--`, where nothing is an option.
///
/// A key is the last of the positional arguments, so their order stays; what follows an earlier `--` is no option anyway. One that is the
/// value of `--key` is joined to it by `=`, since it may look like anything there too.
func keyLast(_ arguments: [String]) -> [String] {
    var options = Array(arguments.prefix { $0 != "--" })
    let rest = arguments[options.endIndex...].dropFirst()
    let hasRest = options.count < arguments.count
    if let place = options.firstIndex(of: keyOption), place + 1 < options.count {
        options.replaceSubrange(place...place + 1, with: ["\(keyOption)=\(options[place + 1])"])
    }
    guard let place = options.firstIndex(where: looksLikeOption) else { return hasRest ? options + ["--"] + rest : options }
    let key = options.remove(at: place)
    return options + ["--"] + rest + [key]
}

/// The option whose value is a key.
let keyOption = "--key"

/// Whether a key would be read as an option. No real option is 40 characters of Z85, except one that is given its value by `=`.
private func looksLikeOption(_ argument: String) -> Bool {
    guard argument.hasPrefix("-"), PublicKey(z85: argument) != nil else { return false }
    return !["--config=", "--roles="].contains { argument.hasPrefix($0) }
}

/// The key that an argument is, or with `-` the one on standard input.
func keyArgument(_ argument: String) throws -> PublicKey {
    guard argument == "-" else {
        guard let key = PublicKey(z85: argument) else {
            throw ValidationError("KEY is not 40 characters of Z85, as `keygen` prints them, in quotes.")
        }
        return key
    }
    // Longer than a key with blanks around it is no key.
    var text = [UInt8](repeating: 0, count: 256)
    var filled = 0
    while filled < text.count {
        let count = text[filled...].withUnsafeMutableBytes { read(0, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        filled += count
    }
    let words = String(decoding: text[..<filled], as: UTF8.self).split { $0.isWhitespace }
    guard words.count == 1, let key = PublicKey(z85: String(words[0])) else {
        throw ServiceError("Standard input holds no key", hint: "Give it one line of 40 characters of Z85, as a host's host.pub has it.")
    }
    return key
}

/// The command that authorises a host, ready to be pasted into a shell: the key stands in quotes.
func authorizeCommand(_ name: Hostname, _ key: PublicKey, roles: Set<AuthorizedHosts.Role> = AuthorizedHosts.defaultRoles) -> String {
    let option = roles == AuthorizedHosts.defaultRoles ? "" : " --roles \(AuthorizedHosts.text(of: roles, separator: ","))"
    return "fail2ban-cluster authorize \(name)\(option) '\(key.z85)'"
}

/// The command that gives a host a second key, in the same way.
func addKeyCommand(_ name: Hostname, _ key: PublicKey) -> String { "fail2ban-cluster authorize \(name) --add '\(key.z85)'" }

/// The command that takes one of a host's keys away, in the same way.
func revokeKeyCommand(_ name: Hostname, _ key: PublicKey) -> String { "fail2ban-cluster revoke \(name) \(keyOption)='\(key.z85)'" }

/// What a command that is to be run on this host needs behind it: `-c FILE`, unless it is the default one.
func configurationArgument(_ configuration: Configuration) -> String {
    configuration.path == Configuration.defaultPath ? "" : " -c \(shellQuoted(configuration.path))"
}

/// An argument that names a host.
func hostArgument(_ argument: String) throws -> Hostname {
    guard let name = Hostname(argument) else {
        throw ValidationError("HOST is not a host name: letters, digits and inner hyphens, in parts joined by dots.")
    }
    return name
}
