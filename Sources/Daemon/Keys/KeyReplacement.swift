// What the daemons share: replacing a key step by step on disk; after a crash between any two of them the old or the new key works.

import ZeroMQ

extension KeyDirectory {
    /// A key that is being replaced, and the files that were written for that.
    public struct Replacement: Sendable {
        public let old: PublicKey
        public let new: PublicKey
        public let paths: [String]
    }

    // MARK: This host's key

    /// Makes the next key of this host, `host.key.new` and `host.pub.new`, as far as they are missing. Daemons use the old one first.
    ///
    /// - Throws: when the host has no key yet.
    public func beginHostKey() throws -> Replacement {
        try locked {
            let old = try hostKeys().publicKey
            try mendHostPublicKey(old)
            let made = try make(nextHostKey, nextHostPublicKey, after: hostKey)
            return Replacement(old: old, new: made.keys.publicKey, paths: made.paths)
        }
    }

    /// Puts the next key in the place of this host's key. The old secret is gone then.
    ///
    /// - Parameter new: The next key, which the publisher admits already.
    /// - Throws: when another process has begun or finished something meanwhile; nothing has changed then.
    public func finishHostKey(_ new: PublicKey) throws {
        try locked {
            guard try nextHostKeys()?.publicKey == new else {
                throw ServiceError("\(nextHostKey.path) was changed meanwhile", hint: "Run this again")
            }
            try nextHostKey.move(to: hostKey)
            try mendHostPublicKey(new)
        }
    }

    /// Finishes what was cut off behind the secret half's move: daemons don't need the public half, people do.
    private func mendHostPublicKey(_ current: PublicKey) throws(ConfigurationError) {
        guard !nextHostKey.isThere, nextHostPublicKey.isThere else { return }
        guard try nextHostPublicKey.readKey({ PublicKey(z85: $0) }) == current else { return }
        try nextHostPublicKey.move(to: hostPublicKey)
    }

    // MARK: The publisher's key

    /// What the publisher's key is to be replaced by; `nil` when it is not.
    public func nextPublisherKeys() throws(ConfigurationError) -> KeyPair? {
        nextPublisherKey.isThere ? try pair(of: nextPublisherKey) : nil
    }

    /// Makes the publisher's next key, `publisher.key.new`, if it is missing, and writes both public halves into `publisher.pub`, for all
    /// hosts. The publisher uses the old one.
    public func beginPublisherKey() throws -> Replacement {
        try locked {
            let old = try pair(of: publisherKey).publicKey
            let known = try publisherPublicKeys()
            guard known.current == old || known.next == old else {
                throw ServiceError(
                    "\(publisherPublic.path) is not the public half of \(publisherKey.path)", hint: "Run: fail2ban-cluster init")
            }
            var paths: [String] = []
            if !nextPublisherKey.isThere {
                try nextPublisherKey.create(try newSecret() + "\n", after: publisherKey)
                paths.append(nextPublisherKey.path)
            }
            let new = try pair(of: nextPublisherKey).publicKey
            if known.current != old || known.next != new {
                try publisherPublic.replace("\(old.z85)\n\(new.z85)\n")
                paths.append(publisherPublic.path)
            }
            return Replacement(old: old, new: new, paths: paths)
        }
    }

    /// Puts the next key in the place of the publisher's, for its next start or reload. The old secret is gone then; `publisher.pub` keeps
    /// both.
    ///
    /// - Returns: The key that the publisher is to use, and whether `publisher.pub` still has another one beside it.
    public func switchPublisherKey() throws -> (key: PublicKey, isUnfinished: Bool) {
        try locked {
            if let next = try nextPublisherKeys()?.publicKey {
                let known = try publisherPublicKeys()
                // A begin that was cut off has not told the hosts' file of it.
                guard known.current == next || known.next == next else {
                    throw ServiceError(
                        "\(publisherPublic.path) does not have the new key", hint: "Run first: fail2ban-cluster rekey --publisher")
                }
                try nextPublisherKey.move(to: publisherKey)
            }
            return (try pair(of: publisherKey).publicKey, try publisherPublicKeys().next != nil)
        }
    }

    /// Takes the old key out of `publisher.pub`.
    public func finishPublisherKey() throws {
        try locked {
            let current = try pair(of: publisherKey).publicKey
            try publisherPublic.replace("\(current.z85)\n")
        }
    }
}
