// The way between the stages: keys and their text.

import Testing
import ZeroMQ

@Suite struct KeyTests {
    @Test func aNewPairIsThePairOfItsSecretKey() throws {
        let pair = try KeyPair.generate()
        let secret = try #require(SecretKey(z85: pair.secretKey.z85))
        #expect(try KeyPair(secretKey: secret).publicKey == pair.publicKey)
        #expect(try KeyPair.generate().publicKey != pair.publicKey)
    }

    @Test func theKeysOfTheManualPageBelongTogether() throws {
        // zmq_curve(7)
        let secret = try #require(SecretKey(z85: "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"))
        #expect(try KeyPair(secretKey: secret).publicKey.z85 == "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
    }

    @Test(arguments: [
        "", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y 7", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\"7",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\07", "##########rM>}U?@Lns47E1%kR.o@n%FcmmsL/@",
        "ärq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf",
    ])
    func textThatIsNoKeyIsRefused(_ text: String) {
        #expect(PublicKey(z85: text) == nil)
        #expect(SecretKey(z85: text) == nil)
    }

    @Test func aSecretKeyDoesNotPrintItself() throws {
        let pair = try KeyPair.generate()
        var dumped = ""
        dump(pair, to: &dumped)
        for text in ["\(pair.secretKey)", String(reflecting: pair.secretKey), "\(pair)", String(reflecting: pair), dumped] {
            #expect(!text.contains(pair.secretKey.z85))
        }
    }
}
