// The way between the stages: who is admitted, with real CURVE connections over loopback.

import Glibc
import Testing

@testable import ZeroMQ

@Suite struct AuthenticatorTests {
    /// A ROUTER that wants CURVE, and what a client needs to reach it.
    private struct Server: ~Copyable {
        let socket: Socket
        let endpoint: String
        let key: PublicKey

        init(in context: Context) throws {
            let pair = try KeyPair.generate()
            let socket = try Socket(.router, in: context)
            try socket.curveServer(pair.secretKey, domain: "requests")
            try socket.handshakeTimeout(.milliseconds(500))
            endpoint = try socket.bind("tcp://127.0.0.1:0")
            key = pair.publicKey
            self.socket = socket
        }

        func client(_ pair: KeyPair, in context: Context) throws -> Socket {
            let client = try Socket(.dealer, in: context)
            try client.curveClient(own: pair, server: key)
            try client.reconnectInterval(min: .milliseconds(10), max: .milliseconds(50))
            try client.connect(endpoint)
            return client
        }
    }

    @Test func knownKeysAreAdmittedEachUnderItsHostAndAStrangerIsNot() throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Server(in: context)
        var hosts: [PublicKey: String] = [:]
        let pairs = try (1...3).map { _ in try KeyPair.generate() }
        for (number, pair) in pairs.enumerated() { hosts[pair.publicKey] = "web\(number)" }
        let stranger = try server.client(try KeyPair.generate(), in: context)
        #expect(try stranger.send([bytes("let me in")]))
        let first = try server.client(pairs[0], in: context)
        let second = try server.client(pairs[1], in: context)
        let third = try server.client(pairs[2], in: context)

        var refusals = 0
        var received: [String: [[UInt8]]] = [:]
        for round in 1...2 {
            try send([bytes("web0 \(round)")], on: first)
            try send([bytes("web1 \(round)")], on: second)
            try send([bytes("web2 \(round)")], on: third)
            for _ in 0..<3 {
                let delivery = try #require(
                    try nextDelivery(on: server.socket, &authenticator) { credentials in
                        #expect(credentials.domain == "requests")
                        #expect(credentials.peerAddress == "127.0.0.1")
                        guard case .curve(let key) = credentials.mechanism, let host = hosts[key] else {
                            refusals += 1
                            return .refuse
                        }
                        return .admit(userID: host)
                    })
                received[delivery.userID ?? "nobody", default: []].append(delivery.frames[1])
            }
        }
        for host in hosts.values { #expect(received[host] == [bytes("\(host) 1"), bytes("\(host) 2")]) }
        #expect(received.count == 3)
        // The stranger was there all the time; give her a further second of tries.
        #expect(
            try nextDelivery(on: server.socket, &authenticator, within: .seconds(1)) { _ in
                refusals += 1
                return .refuse
            } == nil)
        #expect(refusals > 0)
    }

    @Test func aHostThatIsAuthorisedLaterGetsInWithoutARestart() throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Server(in: context)
        let client = try server.client(try KeyPair.generate(), in: context)
        try send([bytes("hello")], on: client)
        var questions = 0
        let delivery = try nextDelivery(on: server.socket, &authenticator) { _ in
            questions += 1
            return questions > 3 ? .admit(userID: "late") : .refuse
        }
        #expect(delivery?.userID == "late")
        #expect(questions == 4)
    }

    @Test func aKeyThatWasRevokedIsOutWhenItsEndpointIsBoundAnew() throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Server(in: context)
        let client = try server.client(try KeyPair.generate(), in: context)
        try send([bytes("hello")], on: client)
        #expect(try nextDelivery(on: server.socket, &authenticator) { _ in .admit(userID: "web1") }?.frames.last == bytes("hello"))
        try server.socket.unbind(server.endpoint)
        try server.socket.bind(server.endpoint)
        var refusals = 0
        let end = ContinuousClock.now + patience
        while refusals < 2, ContinuousClock.now < end {
            _ = try client.send([bytes("still here")])
            var polled = PollSet()
            authenticator.add(to: &polled)
            polled.add(server.socket)
            try polled.wait(until: end)
            try authenticator.answerWaiting { _ in
                refusals += 1
                return .refuse
            }
            #expect(try server.socket.receive() == nil)
        }
        #expect(refusals >= 2)
    }

    @Test func withoutAHandlerNobodyIsAdmitted() throws {
        let context = try Context()
        let server = try Server(in: context)
        let client = try server.client(try KeyPair.generate(), in: context)
        try send([bytes("hello")], on: client)
        #expect(throws: TookTooLong.self) { try nextDelivery(on: server.socket, within: .seconds(1)) }
    }

    @Test func aClientThatTrustsAnotherServerKeyIsNotConnected() throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Server(in: context)
        let client = try Socket(.dealer, in: context)
        try client.curveClient(own: try KeyPair.generate(), server: try KeyPair.generate().publicKey)
        try client.connect(server.endpoint)
        _ = try client.send([bytes("hello")])
        #expect(try nextDelivery(on: server.socket, &authenticator, within: .seconds(1)) { _ in .admit(userID: "x") } == nil)
    }

    @Test func plainClientsReachNoEncryptedEndpoint() throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Server(in: context)
        let client = try Socket(.dealer, in: context)
        try client.connect(server.endpoint)
        _ = try client.send([bytes("hello")])
        #expect(try nextDelivery(on: server.socket, &authenticator, within: .seconds(1)) { _ in .admit(userID: "x") } == nil)
    }

    @Test(arguments: [true, false])
    func aPlainEndpointWithADomainAsksForEachAddress(admitted: Bool) throws {
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let server = try Socket(.router, in: context)
        try server.zapDomain("plain")
        try server.handshakeTimeout(.milliseconds(500))
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        let client = try Socket(.request, in: context)
        try client.connect(endpoint)
        try send([bytes("web1|sshd|Ban|192.0.2.1")], on: client)
        var asked: [Authenticator.Credentials] = []
        let delivery = try nextDelivery(on: server, &authenticator, within: admitted ? patience : .seconds(1)) { credentials in
            asked.append(credentials)
            return admitted ? .admit(userID: "plain") : .refuse
        }
        #expect(asked.first == Authenticator.Credentials(domain: "plain", peerAddress: "127.0.0.1", mechanism: .null))
        #expect(delivery?.userID == (admitted ? "plain" : nil))
    }

    @Test func aPlainEndpointWithADomainAdmitsNobodyWithoutAHandler() throws {
        let context = try Context()
        let server = try Socket(.router, in: context)
        try server.zapDomain("plain")
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        let client = try Socket(.dealer, in: context)
        try client.connect(endpoint)
        try send([bytes("hello")], on: client)
        #expect(throws: TookTooLong.self) { try nextDelivery(on: server, within: .seconds(1)) }
    }

    @Test func aContextHasOneHandlerOnly() throws {
        let context = try Context()
        let first = try Authenticator(in: context)
        let error = #expect(throws: ZeroMQError.self) { _ = try Authenticator(in: context) }
        #expect(error?.code == EADDRINUSE)
        _ = consume first
    }

    /// A question as libzmq's session asks it: routing id, delimiter, version, request id, domain, address, the peer's own routing id,
    /// mechanism, and the key.
    private static func question(version: String = "1.0", delimiter: [UInt8] = [], _ mechanism: String, _ proof: [[UInt8]]) -> [[UInt8]] {
        [[9], delimiter, bytes(version), bytes("1"), bytes("requests"), bytes("192.0.2.1"), [], bytes(mechanism)] + proof
    }

    private static let key = [UInt8](repeating: 1, count: 32)

    @Test(
        arguments: [
            [], [[9], []], question(version: "1.1", "CURVE", [key]), question(delimiter: [1], "CURVE", [key]),
            question("CURVE", []).dropLast(),
        ] as [[[UInt8]]])
    func whatIsNoQuestionGetsNoAnswer(_ frames: [[UInt8]]) {
        #expect(Authenticator.answer(to: frames) { _ in .admit(userID: "x") } == nil)
    }

    @Test(arguments: [
        question("CURVE", []), question("CURVE", [[1, 2, 3]]), question("CURVE", [key, []]), question("NULL", [[]]),
        question("PLAIN", [bytes("user"), bytes("password")]),
    ])
    func aQuestionWithOtherCredentialsIsRefusedUnasked(_ frames: [[UInt8]]) {
        let answer = Authenticator.answer(to: frames) { _ in .admit(userID: "x") }
        #expect(answer?.count == 8)
        #expect(answer?[4] == bytes("300"))
        #expect(answer?[6] == [])
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1"),
    ])
    func thePeersAddressIsOneThatCanBeCompared(_ told: String, _ address: String) {
        var question = Self.question("CURVE", [Self.key])
        question[5] = bytes(told)
        var asked: [String] = []
        _ = Authenticator.answer(to: question) {
            asked.append($0.peerAddress)
            return .refuse
        }
        #expect(asked == [address])
    }

    @Test func aUserIDTooLongForItsFrameIsRefused() {
        let question = Self.question("CURVE", [Self.key])
        #expect(Authenticator.answer(to: question) { _ in .admit(userID: String(repeating: "x", count: 255)) }?[4] == bytes("200"))
        #expect(Authenticator.answer(to: question) { _ in .admit(userID: String(repeating: "x", count: 256)) }?[4] == bytes("300"))
    }
}
