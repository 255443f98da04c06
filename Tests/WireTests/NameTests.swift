// Tests of what travels: which texts are names of hosts and jails.

import Testing
import Wire

@Suite struct NameTests {
    private static let label63 = String(repeating: "a", count: 63)
    private static let name253 = [label63, label63, label63, String(repeating: "b", count: 61)].joined(separator: ".")

    @Test(
        "A host's name is as RFC 1123 has it, in lower case",
        arguments: [
            ("web1", "web1"), ("WEB1", "web1"), ("Web-1.Example.ORG", "web-1.example.org"), ("a", "a"), ("0", "0"),
            ("3com.com", "3com.com"),
            ("a--b", "a--b"), ("xn--bcher-kva.example", "xn--bcher-kva.example"), (label63, label63), (name253, name253), ("1.2", "1.2"),
        ])
    func hostnamesAreLowerCase(text: String, canonical: String) throws {
        let host = try #require(Hostname(text))
        #expect(host.description == canonical)
        #expect(Hostname(canonical) == host)
    }

    @Test(
        "Text that is not a host's name is refused",
        arguments: [
            "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a-.b", "a_b", "a b", " a", "a ", "a|b", "a\n", "a\0", "a\u{7f}", "a/b", "a:1",
            "*",
            "bücher", "host%", "Kelvin\u{212a}", label63 + "a", "a." + label63 + "a.b", name253 + "b", name253 + ".", "$(id)",
        ])
    func nonsenseIsNoHostname(text: String) {
        #expect(Hostname(text) == nil)
    }

    @Test(
        "A jail's name that may travel is kept as it is",
        arguments: [
            "sshd", "SSHD", "0", "a", "recidive", "fail2ban-cluster", "apache-badbots", "my.jail_2-x", "a.", "a-", "a_",
            String(repeating: "j", count: 64),
        ])
    func jailsKeepTheirName(text: String) throws {
        #expect(try #require(Jail(text)).description == text)
    }

    @Test(
        "A jail's name that fail2ban allows but that may not travel is refused",
        arguments: [
            "", "-x", ".x", "_x", "my jail", "a]b", "sshd:1", "über", "a/b", "$(touch x)", "a|b", "a\n", "a\0", "a'b", "a\"b", "a;b", " a",
            "a ", "--all",
            "*", String(repeating: "j", count: 65),
        ])
    func otherJailsDontTravel(text: String) {
        #expect(Jail(text) == nil)
    }

    @Test func theJailsOfTheClusterMayTravel() {
        #expect(Jail("fail2ban-cluster") == .cluster)
        #expect(Jail("fail2bancluster") == .legacyCluster)
    }

    @Test func namesThatCameFromBytesAreNamesAgain() {
        forRandomCases(5_000) { random in
            let (host, jail) = (random.hostname(), random.jail())
            #expect(Hostname(host.description) == host)
            #expect(Hostname(host.description.uppercased()) == host)
            #expect(Jail(jail.description) == jail)
        }
    }

    @Test func namesAreSortedByTheirText() throws {
        let hosts = try ["web10", "a.b", "web1", "a"].map { try #require(Hostname($0)) }
        #expect(hosts.sorted().map(\.description) == ["a", "a.b", "web1", "web10"])
        let jails = try ["sshd", "Sshd", "a"].map { try #require(Jail($0)) }
        #expect(jails.sorted().map(\.description) == ["Sshd", "a", "sshd"])
    }
}
