// What the daemons share: the folder of a host's keys, and on the publisher's host of the cluster's.

import Glibc
import Wire
import ZeroMQ

/// `keydir`: `host.key` and `host.pub` are this host's, `publisher.pub` is the publisher's; on the publisher's host there are
/// `publisher.key` and `authorized_hosts` too. While a key is replaced, the new one is beside it under a name that ends with `.new`, and
/// `publisher.pub` has two lines.
///
/// Everything is read anew by each call. Secrets that others may read, and files or a folder that others may change, are refused with the
/// command that mends it.
public struct KeyDirectory: Hashable, Sendable {
    /// Of the largest `authorized_hosts`, in bytes: some 80,000 hosts.
    static let longestAuthorizedHosts = 8 << 20

    public let path: String

    public init(_ path: String) { self.path = path }

    var hostKey: KeyFile { file("host.key", .secret, "run: fail2ban-cluster keygen") }
    var hostPublicKey: KeyFile { file("host.pub", .open, "run: fail2ban-cluster keygen") }
    var nextHostKey: KeyFile { file("host.key.new", .secret, "run: fail2ban-cluster rekey") }
    var nextHostPublicKey: KeyFile { file("host.pub.new", .open, "run: fail2ban-cluster rekey") }
    var publisherKey: KeyFile { file("publisher.key", .secret, "on the publisher's host run: fail2ban-cluster init") }
    var publisherPublic: KeyFile { file("publisher.pub", .open, "copy it from the folder of keys of the publisher's host", mostKeys: 2) }
    var nextPublisherKey: KeyFile { file("publisher.key.new", .secret, "run: fail2ban-cluster rekey --publisher") }
    private var authorized: KeyFile { file("authorized_hosts", .open, "it is on the publisher's host; there run: fail2ban-cluster init") }

    private func file(_ name: String, _ kind: KeyFile.Kind, _ origin: String, mostKeys: Int = 1) -> KeyFile {
        KeyFile(path: "\(path)/\(name)", kind: kind, origin: origin, mostKeys: mostKeys)
    }

    /// This host's key pair; its public half is computed, so that `host.pub` need not be trusted.
    public func hostKeys() throws(ConfigurationError) -> KeyPair { try pair(of: hostKey) }

    /// What this host's key is to be replaced by; `nil` when it is not.
    public func nextHostKeys() throws(ConfigurationError) -> KeyPair? { nextHostKey.isThere ? try pair(of: nextHostKey) : nil }

    /// What the publisher proves to be; while its key is replaced it may prove to be the second one too.
    public func publisherPublicKeys() throws(ConfigurationError) -> (current: PublicKey, next: PublicKey?) {
        try check()
        let keys = try publisherPublic.readKeys { PublicKey(z85: $0) }
        return (keys[0], keys.dropFirst().first)
    }

    /// What the publisher proves itself with.
    public func publisherSecretKey() throws(ConfigurationError) -> SecretKey {
        try check()
        return try publisherKey.readKey { SecretKey(z85: $0) }
    }

    /// Who belongs to the cluster.
    public func authorizedHosts() throws(ConfigurationError) -> AuthorizedHosts {
        try check()
        return try AuthorizedHosts(parsing: try authorized.read(longest: KeyDirectory.longestAuthorizedHosts), file: authorized.path)
    }

    /// Changes when `authorized_hosts` does; `nil` while there is none.
    public var authorizedHostsStamp: FileStamp? { FileStamp(path: authorized.path) }

    func pair(of file: KeyFile) throws(ConfigurationError) -> KeyPair {
        try check()
        let secret = try file.readKey { SecretKey(z85: $0) }
        do {
            return try KeyPair(secretKey: secret)
        } catch {
            throw ConfigurationError([ConfigurationProblem(subject: file.path, error.description)])
        }
    }

    /// Who may change the folder may put other keys into it. A folder that is missing shows by its files.
    private func check() throws(ConfigurationError) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o022 != 0 else { return }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        throw ConfigurationError([
            ConfigurationProblem(
                subject: path, "is a folder of keys that others may change (mode \(mode))", hint: "run: chmod go-w \(shellQuoted(path))")
        ])
    }
}

/// What the operator's command does with it.
extension KeyDirectory {
    /// A key pair, and the files that were made; those that were there stay as they are.
    public struct Made: Sendable {
        public let keys: KeyPair
        public let paths: [String]
    }

    /// Makes this host's keys, and the folder, as far as they are missing.
    public func makeHostKeys() throws(ConfigurationError) -> Made { try make(hostKey, hostPublicKey) }

    /// Makes the publisher's keys, and the folder, as far as they are missing.
    ///
    /// - Throws: When `publisher.pub` is another publisher's: the host belongs to a cluster already.
    public func makePublisherKeys() throws(ConfigurationError) -> Made { try make(publisherKey, publisherPublic) }

    /// - Parameter predecessor: The secret whose place the new one is to take, if any.
    func make(_ secret: KeyFile, _ open: KeyFile, after predecessor: KeyFile? = nil) throws(ConfigurationError) -> Made {
        try makeFolder()
        try check()
        var paths: [String] = []
        if !secret.isThere {
            guard !open.isThere else {
                throw ConfigurationError(
                    [
                        ConfigurationProblem(
                            subject: open.path, "is there without its secret half, so it is the key of something else",
                            hint: "if nothing needs it any more, remove it first")
                    ], exitStatus: .failed)
            }
            try secret.create(try newSecret() + "\n", after: predecessor)
            paths.append(secret.path)
        }
        let keys = try pair(of: secret)
        if !open.isThere {
            try open.create(keys.publicKey.z85 + "\n")
            paths.append(open.path)
        } else if try !open.readKeys({ PublicKey(z85: $0) }).contains(keys.publicKey) {
            throw ConfigurationError(
                [
                    ConfigurationProblem(
                        subject: open.path, "is not the public half of \(secret.path)",
                        hint: "remove the one that is wrong, and run this again")
                ], exitStatus: .failed)
        }
        return Made(keys: keys, paths: paths)
    }

    func newSecret() throws(ConfigurationError) -> String {
        do {
            return try KeyPair.generate().secretKey.z85
        } catch {
            throw ConfigurationError([ConfigurationProblem(error.description)], exitStatus: .failed)
        }
    }

    /// Changes `authorized_hosts`, one process at a time; nothing is written when `change` throws or changes nothing.
    ///
    /// - Parameter creating: Whether a file that is missing counts as an empty one.
    public func changeAuthorizedHosts<Result>(
        creating: Bool = false, _ change: (inout AuthorizedHosts) throws -> Result
    ) throws -> Result {
        if creating { try makeFolder() }
        return try locked {
            let isNew = creating && !authorized.isThere
            let before = isNew ? AuthorizedHosts.withHeading : try authorizedHosts()
            var after = before
            let result = try change(&after)
            if isNew || after != before { try authorized.replace(after.text) }
            return result
        }
    }

    /// Runs `body` while no other process changes the folder.
    func locked<Result>(_ body: () throws -> Result) throws -> Result {
        // The lock is the folder's, since a file is another one after each change. It ends with its descriptor.
        guard let lock = OwnedDescriptor(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) else {
            if errno == ENOENT { return try body() }
            throw ConfigurationError.system(path, "cannot be opened")
        }
        while flock(lock.number, LOCK_EX) != 0 {
            guard errno == EINTR else { throw ConfigurationError.system(path, "cannot be locked") }
        }
        return try body()
    }

    func makeFolder() throws(ConfigurationError) {
        guard mkdir(path, 0o755) != 0 else {
            // Whatever the umask: the secrets in it are 0600.
            chmod(path, 0o755)
            return
        }
        guard errno == EEXIST else { throw .system(path, "cannot be made") }
    }
}

extension AuthorizedHosts {
    /// An empty file that says how its lines read.
    static let withHeading = AuthorizedHosts(lines: [
        Line(text: "# Who belongs to the cluster: host roles key [addresses,…]", host: nil),
        Line(text: "# roles: \(allRoles); a comment begins in the first column; `fail2ban-cluster authorize` writes here", host: nil),
    ])
}
