// The way between the stages: the keys of a client: its own, and those that a server may prove to have; two of each while one is replaced.

/// What a client connects with. A client and a server have one key each, and a second one while it takes the place of the first; a
/// connection is made with one of the choices, and after a failure with the next.
public struct ClientKeys: Sendable {
    /// One own key and one server's.
    public struct Choice: Sendable {
        public let own: KeyPair
        public let server: PublicKey

        /// Whether both prove and expect the same.
        func isSame(as other: Choice) -> Bool { own.publicKey == other.own.publicKey && server == other.server }
    }

    /// All of them, in the order in which they are tried; never empty.
    public let choices: [Choice]

    /// - Parameters:
    ///   - next: The own key that takes the place of `own`. It is tried after all servers' keys, since it may not be authorised yet.
    ///   - nextServer: The key that takes the place of `server`.
    public init(own: KeyPair, next: KeyPair? = nil, server: PublicKey, nextServer: PublicKey? = nil) {
        let servers = [server] + (nextServer.map { [$0] } ?? [])
        choices = ([own] + (next.map { [$0] } ?? [])).flatMap { own in servers.map { Choice(own: own, server: $0) } }
    }

    /// What to connect with: the choice used last, or the first when that is not among these any more.
    public func choice(keeping used: Choice?) -> Choice { place(of: used).map { choices[$0] } ?? choices[0] }

    /// What to connect with when the choice used last has failed: the one after it, and the first after the last.
    public func choice(after used: Choice?) -> Choice { place(of: used).map { choices[($0 + 1) % choices.count] } ?? choices[0] }

    /// Whether a connection that was made with `choice` may stay.
    public func contains(_ choice: Choice) -> Bool { place(of: choice) != nil }

    private func place(of used: Choice?) -> Int? { used.flatMap { used in choices.firstIndex { $0.isSame(as: used) } } }
}
