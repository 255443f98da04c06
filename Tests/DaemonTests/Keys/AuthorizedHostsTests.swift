// What the daemons share: the lines of authorized_hosts, right ones and wrong ones.

import Testing
import Wire
import ZeroMQ

@testable import Daemon

/// Keys of zmq_curve(7), one that begins with `-`, and one with `#` in it; none can begin with `#` (RFC 32).
enum SampleKey {
    static let one = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    static let two = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
    static let dash = "-cG3dAJo+:?BcVpP%kmJqW$-%tSRUaa-#J8z.y5i"
    static let hash = "a#G3dAJo+:?BcVpP%kmJqW$-%tSRUaa-#J8z.y5i"
}

func publicKey(_ text: String) throws -> PublicKey { try #require(PublicKey(z85: text)) }

func hostname(_ text: String) throws -> Hostname { try #require(Hostname(text)) }

@Suite struct AuthorizedHostsTests {
    private let file = """
        # the cluster of example.com
        web1 monitor,subscriber,operator \(SampleKey.one) 192.0.2.1,2001:db8::/48

        #web9 subscriber \(SampleKey.two)
        Web2\tsubscriber \t \(SampleKey.dash)
        web3 monitor \(SampleKey.hash)

        """

    private func parse(_ text: String) throws -> AuthorizedHosts { try AuthorizedHosts(parsing: text, file: "hosts") }

    private func host(_ name: String, _ roles: Set<AuthorizedHosts.Role>, _ key: String) throws -> AuthorizedHosts.Host {
        AuthorizedHosts.Host(name: try hostname(name), roles: roles, key: try publicKey(key))
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try parse(text)
            return []
        } catch {
            return (error as? ConfigurationError)?.problems.map(\.description) ?? ["\(error)"]
        }
    }

    @Test func eachLineIsAHostWithRolesKeyAndAddresses() throws {
        let hosts = try parse(file)
        #expect(hosts.hosts.map(\.name.description) == ["web1", "web2", "web3"])
        let first = try #require(hosts.host(with: try publicKey(SampleKey.one)))
        #expect(first.name.description == "web1")
        #expect(first.roles == [.monitor, .subscriber, .operator])
        #expect(first.addresses.map(\.description) == ["192.0.2.1", "2001:db8::/48"])
        #expect(hosts.roles(of: try hostname("web2")) == [.subscriber])
        #expect(hosts.roles(of: try hostname("web9")) == nil)
        #expect(hosts.host(with: try publicKey(SampleKey.two)) == nil)
    }

    @Test func aHashInAKeyBeginsNoComment() throws {
        let hosts = try parse("web3 monitor \(SampleKey.hash)")
        #expect(hosts.host(with: try publicKey(SampleKey.hash))?.name.description == "web3")
    }

    @Test func anUnchangedFileIsWrittenAsItWas() throws {
        #expect(try parse(file).text == file)
        #expect(try parse("").text == "")
        #expect(try parse("web1 monitor \(SampleKey.one)").text == "web1 monitor \(SampleKey.one)\n")
        #expect(try parse("# a\r\nweb1 monitor \(SampleKey.one)\r\n").text == "# a\nweb1 monitor \(SampleKey.one)\n")
    }

    @Test func aNewHostComesLastAndCommentsStay() throws {
        var hosts = try parse(file)
        #expect(try hosts.authorize(try host("web4", [.subscriber, .monitor], SampleKey.two)) == [])
        #expect(hosts.text == file + "web4 monitor,subscriber \(SampleKey.two)\n")
        #expect(try parse(hosts.text) == hosts)
    }

    @Test func aHostAuthorisedAgainKeepsItsPlaceAndLosesItsOldKeys() throws {
        var hosts = try parse("# a\nweb1 monitor \(SampleKey.one)\n# b\nweb2 monitor \(SampleKey.two)\nweb1 monitor \(SampleKey.dash)\n")
        let replaced = try hosts.authorize(try host("web1", [.operator], SampleKey.hash))
        #expect(replaced.map(\.key.z85) == [SampleKey.one, SampleKey.dash])
        #expect(hosts.text == "# a\nweb1 operator \(SampleKey.hash)\n# b\nweb2 monitor \(SampleKey.two)\n")
        #expect(hosts.host(with: try publicKey(SampleKey.one)) == nil)
        #expect(hosts.roles(of: try hostname("web1")) == [.operator])
    }

    @Test func theKeyOfAnotherHostIsRefusedAndNothingChanges() throws {
        var hosts = try parse(file)
        let error = #expect(throws: KeyOfAnotherHost.self) { try hosts.authorize(try host("web4", [.monitor], SampleKey.one)) }
        #expect(error?.description.contains("web1 has this key already") == true)
        #expect(hosts.text == file)
    }

    @Test func aRevokedHostIsGoneWithAllItsLines() throws {
        var hosts = try parse("web1 monitor \(SampleKey.one)\n# b\nweb1 monitor \(SampleKey.dash)\nweb2 monitor \(SampleKey.two)\n")
        let name = try hostname("web1")
        #expect(hosts.remove(name).count == 2)
        #expect(hosts.text == "# b\nweb2 monitor \(SampleKey.two)\n")
        #expect(hosts.roles(of: name) == nil)
        #expect(hosts.remove(name) == [])
    }

    @Test func aHostMayHaveTwoKeysWhileOneReplacesTheOther() throws {
        let hosts = try parse("web1 monitor \(SampleKey.one)\nweb1 monitor \(SampleKey.two)")
        for key in [SampleKey.one, SampleKey.two] {
            #expect(hosts.host(with: try publicKey(key))?.name.description == "web1")
        }
    }

    @Test func aSecondKeyIsAddedBehindTheFirstWithItsRolesAndAllAddressesAndTakesNothingAway() throws {
        let before = try parse("web1 operator \(SampleKey.one) 192.0.2.1\nweb2 monitor \(SampleKey.two)\n")
        var hosts = before
        let added = try hosts.addKey(try publicKey(SampleKey.dash), to: try hostname("web1"))
        #expect(added)
        #expect(
            hosts.text == """
                web1 operator \(SampleKey.one) 192.0.2.1
                web1 operator \(SampleKey.dash) 192.0.2.1
                web2 monitor \(SampleKey.two)

                """)
        #expect(try parse(hosts.text) == hosts)
        #expect(!hosts.takesAway(from: before))
        let oneMore = hosts
        hosts.removeKey(try publicKey(SampleKey.one))
        #expect(hosts.text == "web1 operator \(SampleKey.dash) 192.0.2.1\nweb2 monitor \(SampleKey.two)\n")
        #expect(hosts.host(with: try publicKey(SampleKey.one)) == nil)
        #expect(hosts.takesAway(from: oneMore))
    }

    @Test func aSecondKeyNeedsAFirstOneAndMayBeNobodyElses() throws {
        var hosts = try parse(file)
        for (key, name) in [(SampleKey.two, "web4"), (SampleKey.one, "web1")] {
            let isAdded = try hosts.addKey(try publicKey(key), to: try hostname(name))
            #expect(!isAdded)
        }
        #expect(throws: KeyOfAnotherHost.self) { _ = try hosts.addKey(try publicKey(SampleKey.one), to: try hostname("web2")) }
        #expect(hosts.text == file)
    }

    @Test func allThatIsWrongIsSaidWithItsPlace() {
        let text = """
            web1 monitor \(SampleKey.one)
             # no comment
            web2 monitor,admin \(SampleKey.two)
            web3 monitor rq:rM
            web_4 monitor \(SampleKey.two)
            web5 monitor \(SampleKey.two) 192.0.2.1,nonsense
            web6 monitor \(SampleKey.one)
            web1 subscriber \(SampleKey.dash)
            web7 monitor \(SampleKey.hash) 192.0.2.1, 192.0.2.2
            """
        let found = problems(text)
        let expected = [
            "hosts:2: `#` is no host name", "hosts:3: `monitor,admin` are no roles; allowed: monitor, subscriber, operator",
            "hosts:4: the third field is no key; allowed: 40 characters", "hosts:5: `web_4` is no host name",
            "hosts:6: `nonsense` is no address", "hosts:7: the key stands in line 1 already",
            "hosts:8: web1 has other roles in line 1", "hosts:9: has 5 of the 3 or 4 fields",
        ]
        #expect(found.count == expected.count)
        for (problem, beginning) in zip(found, expected) { #expect(problem.hasPrefix(beginning)) }
    }

    @Test(arguments: ["web1", "web1 monitor", "web1  \(SampleKey.one)", "web1 , \(SampleKey.one)", "web1 monitor, \(SampleKey.one)"])
    func aLineWithoutAllItsFieldsIsWrong(_ line: String) {
        #expect(problems(line).count == 1)
    }

    @Test func aMessageShowsNoCharacterThatActsOnATerminal() {
        let found = problems("\u{1b}[2Jweb1 monitor \(SampleKey.one)")
        #expect(found.count == 1)
        #expect(found.allSatisfy { !$0.contains("\u{1b}") })
    }
}
