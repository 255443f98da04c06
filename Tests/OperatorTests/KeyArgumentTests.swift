// The operator's command: keys on the command line that look like options.

import ArgumentParser
import Daemon
import Testing
import Wire
import ZeroMQ

@testable import Operator

@Suite struct KeyArgumentTests {
    static let dashes = [
        "-cG3dAJo+:?BcVpP%kmJqW$-%tSRUaa-#J8z.y5i", "--rolesAJo+:?BcVpP%kmJqW$-%tSRUa%-#J8z.y", "-hG3dAJo+:?BcVpP%kmJqW$-%tSRUaa-#J8z.y5i",
        "-=G3dAJo+:?BcVpP%kmJqW$-%tSRUaa-#J8z.y5i", "--G3dAJo+:?BcVpP%kmJqW$-%tSRUaa-#J8z.y5i",
    ]

    private func authorize(_ arguments: [String]) throws -> AuthorizeCommand {
        try #require(try OperatorProgram.parseAsRoot(keyLast(arguments)) as? AuthorizeCommand)
    }

    @Test(arguments: dashes)
    func aKeyThatBeginsWithADashIsAKeyWhereverItStands(_ key: String) throws {
        try #require(PublicKey(z85: key) != nil)
        for arguments in [
            ["authorize", "web1", key], ["authorize", "web1", key, "-c", "/x.conf", "--roles", "operator"],
            ["authorize", "--roles=operator", "web1", "-c", "/x.conf", key], ["authorize", "web1", "-c", "/x.conf", "--", key],
            ["authorize", "-c", "/x.conf", "web1", key],
        ] {
            let command = try authorize(arguments)
            #expect(command.key == key)
            #expect(command.host.description == "web1")
            if arguments.contains("/x.conf") { #expect(command.options.file == "/x.conf") }
            if arguments.contains(where: { $0.hasSuffix("operator") }) { #expect(command.roles == [.operator]) }
        }
    }

    @Test(arguments: dashes)
    func aKeyThatIsAnOptionsValueStaysWhereItIs(_ key: String) throws {
        for arguments in [
            ["revoke", "web1", "--key", key], ["revoke", "--key", key, "web1", "-c", "/x.conf"], ["revoke", "web1", "--key=\(key)"],
        ] {
            let command = try #require(try OperatorProgram.parseAsRoot(keyLast(arguments)) as? RevokeCommand)
            #expect(command.key?.z85 == key)
            #expect(command.host.description == "web1")
        }
    }

    @Test func anOptionThatCouldBeAKeyStaysAnOption() throws {
        let option = "--config=/etc/fail2ban-cluster/other.conf"
        let longer = "--config=/etc/fail2ban-cluster/xxxx.conf"
        #expect(keyLast(["hosts", option]) == ["hosts", option])
        #expect(keyLast(["hosts", longer]) == ["hosts", longer])
    }

    @Test func everythingElseStaysAsItIs() {
        for arguments in [[], ["hosts"], ["--version"], ["authorize", "web1", "-"], ["authorize", "web1", "--", "-x"]] {
            #expect(keyLast(arguments) == arguments)
        }
    }

    @Test func aSingleDashMeansStandardInput() throws {
        #expect(try authorize(["authorize", "web1", "-", "-c", "/x.conf"]).key == "-")
    }

    @Test(arguments: [
        ["authorize", "web1", "nonsense"], ["authorize", "web_1", dashes[0]], ["authorize", "web1"], ["authorize", "web1", dashes[0], "x"],
        ["authorize", "web1", dashes[0], "--roles", "admin"], ["authorize", "web1", dashes[0], "--roles", ""], ["revoke"], ["nothing"],
        ["revoke", "web1", "--key", "nonsense"], ["revoke", "web1", "--key="], ["revoke", "web1", "--key"],
        ["revoke", "web1", "--withdraw", "--key", dashes[0]], ["authorize", "web1", dashes[0], "--add", "--roles", "operator"],
    ])
    func aWrongCommandLineIsAUsageError(_ arguments: [String]) {
        do {
            _ = try OperatorProgram.parseAsRoot(keyLast(arguments))
            Issue.record("accepted")
        } catch {
            #expect(OperatorProgram.exitCode(for: error).rawValue == 64)
        }
    }
}
