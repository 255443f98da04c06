// The way between the stages: CURVE keys, which say who a host is; as text they are 40 characters of Z85 (RFC 32).

import CZeroMQ

/// The public half of a key pair: a host's identity, and the publisher's address label.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// The key as 40 characters of Z85, which may contain `#`, `$`, `&`, and begin with `-`.
    public let z85: String

    /// - Parameter z85: Exactly 40 characters of Z85; `nil` for anything else.
    public init?(z85: String) {
        guard isKey(z85) else { return nil }
        self.z85 = z85
    }

    /// - Parameter bytes: Exactly 32; `nil` for anything else.
    init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        var text = [CChar](repeating: 0, count: 41)
        guard zmq_z85_encode(&text, bytes, bytes.count) != nil else { return nil }
        z85 = string(text)
    }

    public var description: String { z85 }
}

/// The secret half of a key pair. It does not print itself: a log or a debugger shows `(secret key)`.
public struct SecretKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The key as 40 characters of Z85, for its file and for libzmq only.
    public let z85: String

    /// - Parameter z85: Exactly 40 characters of Z85; `nil` for anything else.
    public init?(z85: String) {
        guard isKey(z85) else { return nil }
        self.z85 = z85
    }

    public var description: String { "(secret key)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A key pair for Curve25519.
public struct KeyPair: Sendable {
    public let publicKey: PublicKey
    public let secretKey: SecretKey

    /// The pair that a secret key belongs to; its public half is computed.
    ///
    /// - Throws: `ENOTSUP` where libzmq has no encryption.
    public init(secretKey: SecretKey) throws(ZeroMQError) {
        var text = [CChar](repeating: 0, count: 41)
        guard zmq_curve_public(&text, secretKey.z85) == 0, let publicKey = PublicKey(z85: string(text)) else {
            throw .last("compute a public key")
        }
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    /// A new pair from the system's random numbers.
    ///
    /// - Throws: `ENOTSUP` where libzmq has no encryption.
    public static func generate() throws(ZeroMQError) -> KeyPair {
        var publicText = [CChar](repeating: 0, count: 41)
        var secretText = [CChar](repeating: 0, count: 41)
        guard zmq_curve_keypair(&publicText, &secretText) == 0, let secretKey = SecretKey(z85: string(secretText)) else {
            throw .last("make a key pair")
        }
        return try KeyPair(secretKey: secretKey)
    }
}

/// Whether the text is 32 bytes in Z85; libzmq refuses other characters and groups above 2^32 - 1, so that each key has one text.
private func isKey(_ text: String) -> Bool {
    guard text.utf8.count == 40, !text.utf8.contains(0) else { return false }
    var bytes = [UInt8](repeating: 0, count: 32)
    return zmq_z85_decode(&bytes, text) != nil
}

private func string(_ text: [CChar]) -> String {
    String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
