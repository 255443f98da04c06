// The way between the stages: with which keys a client connects while one of them is replaced, on real sockets too.

import Testing
import ZeroMQ

@Suite struct ClientKeysTests {
    private let own: KeyPair
    private let next: KeyPair
    private let server: PublicKey
    private let nextServer: PublicKey

    init() throws {
        own = try KeyPair.generate()
        next = try KeyPair.generate()
        server = try KeyPair.generate().publicKey
        nextServer = try KeyPair.generate().publicKey
    }

    private func keys(hasNext: Bool, hasNextServer: Bool) -> ClientKeys {
        ClientKeys(own: own, next: hasNext ? next : nil, server: server, nextServer: hasNextServer ? nextServer : nil)
    }

    private func names(_ choices: [ClientKeys.Choice]) -> [String] {
        choices.map { ($0.own.publicKey == own.publicKey ? "old" : "new") + ($0.server == server ? " at old" : " at new") }
    }

    @Test func oneOwnKeyAndOneOfTheServerAreOneChoiceForEver() {
        let keys = keys(hasNext: false, hasNextServer: false)
        #expect(names(keys.choices) == ["old at old"])
        #expect(names([keys.choice(after: keys.choices[0])]) == ["old at old"])
    }

    @Test func aKeyThatMayNotBeAuthorisedYetIsTriedLast() {
        let keys = keys(hasNext: true, hasNextServer: true)
        #expect(names(keys.choices) == ["old at old", "old at new", "new at old", "new at new"])
    }

    @Test func eachChoiceIsFollowedByTheNextAndTheLastByTheFirst() {
        let keys = keys(hasNext: true, hasNextServer: true)
        var used = keys.choice(keeping: nil)
        var tried = [used]
        for _ in 0..<4 {
            used = keys.choice(after: used)
            tried.append(used)
        }
        #expect(names(tried) == ["old at old", "old at new", "new at old", "new at new", "old at old"])
    }

    @Test func aChoiceThatIsStillAmongThemIsKeptAndAnotherGivesWayToTheFirst() {
        let before = keys(hasNext: true, hasNextServer: true)
        let after = ClientKeys(own: next, server: server)
        #expect(names([before.choice(keeping: before.choices[3])]) == ["new at new"])
        #expect(after.contains(before.choices[2]))
        for (index, choice) in before.choices.enumerated() where index != 2 {
            #expect(!after.contains(choice))
            #expect(names([after.choice(keeping: choice), after.choice(after: choice)]) == ["new at old", "new at old"])
        }
    }
}
