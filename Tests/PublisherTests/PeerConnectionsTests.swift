// How many connections each peer may have.

import Daemon
import Testing
import Wire

@testable import Publisher

@Suite struct PeerConnectionsTests {
    var connections = PeerConnections()
    let start = ContinuousClock.now
    /// Who is at the other end of each descriptor.
    var peers: [Int32: PeerEndpoint] = [:]

    /// Whether a host may connect.
    mutating func admits(_ name: String, at time: ContinuousClock.Instant? = nil) throws -> Bool {
        connections.admits(.host(try host(name)), from: try address("192.0.2.1"), now: time ?? start) { _ in nil }
    }

    /// A host connects, and its connection stands. - Returns: whether it may.
    mutating func connect(_ name: String, from text: String, as descriptor: Int32, socket: Int = 0) throws -> Bool {
        try connect(.host(try host(name)), from: text, as: descriptor, socket: socket)
    }

    mutating func connect(_ one: PeerConnections.Peer, from text: String, as descriptor: Int32, socket: Int = 0) throws -> Bool {
        let from = try address(text)
        let end = PeerEndpoint(address: from, port: UInt16(descriptor))
        let connection = PeerConnections.Connection(socket: socket, descriptor: descriptor)
        peers[descriptor] = end
        let known = peers
        connections.begin(connection, otherEnd: end)
        connections.settle()
        guard connections.admits(one, from: from, now: start, otherEnd: { known[$0] }) else {
            connections.end(connection)
            return false
        }
        return true
    }

    mutating func end(_ descriptor: Int32, socket: Int = 0) {
        connections.end(PeerConnections.Connection(socket: socket, descriptor: descriptor))
        connections.settle()
    }

    @Test mutating func aHostHasSoManyConnectionsAndTheOthersHaveTheirs() throws {
        let limit = Int32(PeerConnections.hostLimit)
        for descriptor in 1...limit { #expect(try connect("mole", from: "192.0.2.1", as: descriptor)) }
        #expect(try !connect("mole", from: "192.0.2.1", as: 1000))
        // From anywhere else, too.
        #expect(try !connect("mole", from: "192.0.2.9", as: 1001))
        #expect(try connect("web2", from: "192.0.2.1", as: 1002))
        #expect(connections.count == PeerConnections.hostLimit + 1)
        end(7)
        #expect(connections.count == PeerConnections.hostLimit)
        #expect(try connect("mole", from: "192.0.2.1", as: 7))
        #expect(try !connect("mole", from: "192.0.2.1", as: 1003))
    }

    @Test mutating func oldClientsHaveSoManyFromEachAddress() throws {
        let here = PeerConnections.Peer.oldClients(at: try address("192.0.2.1"))
        for descriptor in 1...Int32(PeerConnections.oldClientLimit) { #expect(try connect(here, from: "192.0.2.1", as: descriptor)) }
        #expect(try !connect(here, from: "192.0.2.1", as: 1000))
        #expect(try connect(.oldClients(at: try address("192.0.2.2")), from: "192.0.2.2", as: 1001))
        end(1)
        #expect(try connect(here, from: "192.0.2.1", as: 1))
    }

    @Test mutating func whoComesAndGoesIsNeverKeptOut() throws {
        for _ in 0..<10 * Int32(PeerConnections.hostLimit) {
            #expect(try connect("web1", from: "192.0.2.1", as: 5))
            end(5)
        }
        #expect(connections.count == 0)
    }

    /// It is over before it is known that it was accepted.
    @Test mutating func anAdmissionWithoutAConnectionCountsNoMore() throws {
        for _ in 0..<PeerConnections.hostLimit { #expect(try admits("mole")) }
        #expect(try !admits("mole"))
        connections.begin(PeerConnections.Connection(descriptor: 3), otherEnd: nil)
        connections.settle()
        #expect(connections.count(of: .host(try host("mole"))) == 0)
        #expect(try admits("mole"))
    }

    @Test mutating func whatEndedUnseenKeepsNobodyOut() throws {
        for descriptor in 1...Int32(PeerConnections.hostLimit) { _ = try connect("web1", from: "192.0.2.1", as: descriptor) }
        // None of them is there any more: it is refused once.
        #expect(try !admits("web1"))
        connections.settle()
        #expect(try admits("web1"))
        #expect(connections.count(of: .host(try host("web1"))) == 1)
    }

    @Test mutating func endsOfWhoWasNeverAcceptedMeanNothing() throws {
        end(3)
        #expect(try connect("web1", from: "192.0.2.1", as: 3))
        end(3, socket: 1)
        #expect(connections.count == 1)
        end(3)
        end(3)
        #expect(connections.count(of: .host(try host("web1"))) == 0)
    }

    /// What ends there may be what it opened and never proved anything by.
    @Test mutating func whoOpensMoreThanItProvesHasNoMore() throws {
        for descriptor in 1...Int32(PeerConnections.hostLimit) {
            let other = PeerConnections.Connection(descriptor: 1000 + descriptor)
            connections.begin(other, otherEnd: PeerEndpoint(address: try address("192.0.2.1"), port: 1))
            #expect(try connect("mole", from: "192.0.2.1", as: descriptor))
            connections.end(other)
            connections.settle()
        }
        #expect(try !connect("mole", from: "192.0.2.1", as: 99))
    }

    @Test mutating func whoConnectsAgainAndAgainIsNotKeptOutByWhoHasManyBehindTheSameAddress() throws {
        for descriptor in 1...Int32(PeerConnections.hostLimit) { _ = try connect("mole", from: "192.0.2.1", as: descriptor) }
        #expect(try connect("web1", from: "192.0.2.1", as: 100))
        for _ in 0..<1000 {
            #expect(try connect("web1", from: "192.0.2.1", as: 101))
            end(101)
        }
        // Together they have no more than they may.
        #expect(connections.count == PeerConnections.hostLimit + 1)
    }
}
