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
    mutating func admits(
        _ name: String, at time: ContinuousClock.Instant? = nil, otherEnd: (Int32) -> PeerEndpoint? = { _ in nil }
    ) throws -> Bool {
        connections.admits(.host(try host(name)), from: try address("192.0.2.1"), now: time ?? start, otherEnd: otherEnd)
    }

    /// A host connects, and its connection stands. - Returns: whether it may.
    mutating func connect(_ name: String, from text: String, as descriptor: Int32) throws -> Bool {
        try connect(.host(try host(name)), from: text, as: descriptor)
    }

    mutating func connect(_ one: PeerConnections.Peer, from text: String, as descriptor: Int32) throws -> Bool {
        let from = try address(text)
        let peer = PeerEndpoint(address: from, port: UInt16(descriptor))
        peers[descriptor] = peer
        let known = peers
        guard connections.admits(one, from: from, now: start, otherEnd: { known[$0] }) else { return false }
        connections.begin(descriptor, otherEnd: peer)
        return true
    }

    @Test mutating func aHostHasSoManyConnectionsAndTheOthersHaveTheirs() throws {
        let limit = Int32(PeerConnections.hostLimit)
        for descriptor in 1...limit { #expect(try connect("mole", from: "192.0.2.1", as: descriptor)) }
        #expect(try !connect("mole", from: "192.0.2.1", as: 1000))
        // From anywhere else, too.
        #expect(try !connect("mole", from: "192.0.2.9", as: 1001))
        #expect(try connect("web2", from: "192.0.2.1", as: 1002))
        #expect(connections.count == PeerConnections.hostLimit + 1)
        connections.end(7)
        #expect(connections.count == PeerConnections.hostLimit)
        #expect(try connect("mole", from: "192.0.2.1", as: 7))
        #expect(try !connect("mole", from: "192.0.2.1", as: 1003))
    }

    @Test mutating func oldClientsHaveSoManyFromEachAddress() throws {
        let here = PeerConnections.Peer.oldClients(at: try address("192.0.2.1"))
        for descriptor in 1...Int32(PeerConnections.oldClientLimit) { #expect(try connect(here, from: "192.0.2.1", as: descriptor)) }
        #expect(try !connect(here, from: "192.0.2.1", as: 1000))
        #expect(try connect(.oldClients(at: try address("192.0.2.2")), from: "192.0.2.2", as: 1001))
        connections.end(1)
        #expect(try connect(here, from: "192.0.2.1", as: 1))
    }

    @Test mutating func anAdmissionWithoutAConnectionIsForgotten() throws {
        for _ in 0..<PeerConnections.hostLimit { #expect(try admits("mole")) }
        #expect(try !admits("mole"))
        #expect(try admits("mole", at: start + PeerConnections.patience + .milliseconds(1)))
        #expect(connections.count(of: .host(try host("mole"))) == 1)
    }

    @Test mutating func whatEndedUnseenKeepsNobodyOut() throws {
        for descriptor in 1...Int32(PeerConnections.hostLimit) { _ = try connect("web1", from: "192.0.2.1", as: descriptor) }
        let other = PeerEndpoint(address: try address("192.0.2.1"), port: 5)
        #expect(try admits("web1", otherEnd: { $0 == 5 ? other : nil }))
        // The one that is still what it was, and the new one.
        #expect(connections.count(of: .host(try host("web1"))) == 2)
    }

    @Test mutating func endsOfWhoWasNeverAdmittedMeanNothing() throws {
        connections.end(3)
        connections.begin(3, otherEnd: PeerEndpoint(address: try address("192.0.2.1"), port: 3))
        connections.begin(4, otherEnd: nil)
        #expect(try connect("web1", from: "192.0.2.1", as: 3))
        connections.end(3)
        connections.end(3)
        #expect(connections.count(of: .host(try host("web1"))) == 0)
    }
}
