// The way between the stages: how far a connection gets, with real servers of every kind.

import Testing
import ZeroMQ

@Suite struct ConnectionTrialTests {
    /// Who listens on loopback.
    private enum Server {
        /// With CURVE; it lets everybody in, or nobody.
        case curve(admits: Bool)
        case withoutEncryption
        case gone
    }

    /// Tries to connect, while this thread is also the server's.
    ///
    /// - Returns: `nil` when the server refused the key.
    private func outcome(_ kind: Server, rightKey: Bool = true, broadcasts: Bool = false) throws -> ConnectionTrial.Outcome? {
        let context = try Context()
        let pair = try KeyPair.generate()
        var authenticator = try Authenticator(in: context)
        let server = try Socket(broadcasts ? .extendedPublisher : .router, in: context)
        var verdict = Authenticator.Verdict.refuse
        if case .curve(let admits) = kind {
            try server.curveServer(pair.secretKey)
            if admits { verdict = .admit(userID: "web1") }
        }
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        if case .gone = kind { try server.unbind(endpoint) }
        let key = rightKey ? pair.publicKey : try KeyPair.generate().publicKey
        let keys = ClientKeys(own: try KeyPair.generate(), server: key).choice(keeping: nil)
        var trial = try ConnectionTrial(of: endpoint, as: broadcasts ? .subscriber : .dealer, keys, in: context)
        let deadline = ContinuousClock.now + patience
        var polled = PollSet()
        var isRefused = false
        while ContinuousClock.now < deadline {
            if let outcome = try trial.outcome() { return outcome }
            if isRefused, trial.isConnected { return nil }
            polled.removeAll()
            trial.add(to: &polled)
            authenticator.add(to: &polled)
            try polled.wait(until: deadline)
            try authenticator.answerWaiting { _ in
                isRefused = verdict == .refuse
                return verdict
            }
        }
        throw TookTooLong()
    }

    @Test func aServerThatAdmitsTheKeyIsToldFromOneThatDoesNot() throws {
        #expect(try outcome(.curve(admits: true)) == .admitted)
        #expect(try outcome(.curve(admits: false)) == nil)
    }

    @Test func aServerThatBroadcastsIsToldToo() throws {
        #expect(try outcome(.curve(admits: true), broadcasts: true) == .admitted)
        #expect(try outcome(.curve(admits: false), broadcasts: true) == nil)
        #expect(try outcome(.gone, broadcasts: true) == .notListening)
    }

    @Test func aServerWithAnotherKeyOrWithoutEncryptionIsNotTheOneThatIsMeant() throws {
        #expect(try outcome(.curve(admits: true), rightKey: false) == .otherServer)
        #expect(try outcome(.withoutEncryption) == .otherServer)
    }

    @Test func whereNothingListensThatIsSaid() throws { #expect(try outcome(.gone) == .notListening) }
}
