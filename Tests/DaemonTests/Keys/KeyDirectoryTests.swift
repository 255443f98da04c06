// What the daemons share: the folder of keys on a real file system.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Daemon

/// A folder of keys in a folder that ends with the test.
private struct Folder {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var directory: KeyDirectory { KeyDirectory(folder("keys")) }
    var names: [String] { namesInFolder(folder("keys")) }

    func mode(_ name: String) -> mode_t? {
        var status = stat()
        return stat(folder("keys/\(name)"), &status) == 0 ? status.st_mode & 0o777 : nil
    }

    func text(_ name: String) -> String? { folder.read("keys/\(name)") }

    func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws {
        #expect(chmod(try folder.write("keys/\(name)", text), mode) == 0)
    }
}

@Suite struct KeyDirectoryTests {
    @Test func keysMadeOnceAreReadAgainAndTheirSecretsAreTheirOwnersAlone() throws {
        let folder = try Folder()
        let directory = folder.directory
        let old = umask(0)
        defer { umask(old) }
        let host = try directory.makeHostKeys()
        let publisher = try directory.makePublisherKeys()
        #expect(host.paths == ["\(directory.path)/host.key", "\(directory.path)/host.pub"])
        #expect(try directory.hostKeys().publicKey == host.keys.publicKey)
        #expect(try directory.publisherPublicKeys() == (publisher.keys.publicKey, nil))
        #expect(try KeyPair(secretKey: directory.publisherSecretKey()).publicKey == publisher.keys.publicKey)
        #expect(folder.text("host.pub") == host.keys.publicKey.z85 + "\n")
        for name in ["host.key", "publisher.key"] { #expect(folder.mode(name) == 0o600) }
        for name in ["host.pub", "publisher.pub"] { #expect(folder.mode(name) == 0o644) }
        #expect(folder.mode(".") == 0o755)
    }

    @Test func keysThatAreThereAreNeverReplaced() throws {
        let folder = try Folder()
        let first = try folder.directory.makeHostKeys()
        let second = try folder.directory.makeHostKeys()
        #expect(second.paths == [])
        #expect(second.keys.publicKey == first.keys.publicKey)
    }

    @Test func aPublicHalfThatIsMissingIsMadeFromItsSecret() throws {
        let folder = try Folder()
        let first = try folder.directory.makePublisherKeys()
        #expect(unlink("\(folder.directory.path)/publisher.pub") == 0)
        let second = try folder.directory.makePublisherKeys()
        #expect(second.paths == ["\(folder.directory.path)/publisher.pub"])
        #expect(second.keys.publicKey == first.keys.publicKey)
    }

    @Test func thePublicKeyOfAnotherPublisherIsNotReplacedEither() throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        try folder.write("publisher.pub", SampleKey.one + "\n")
        #expect(throws: ConfigurationError.self) { try folder.directory.makePublisherKeys() }
        #expect(folder.mode("publisher.key") == nil)
        #expect(try folder.directory.publisherPublicKeys().current.z85 == SampleKey.one)
    }

    @Test func halvesThatDoNotBelongTogetherAreAnError() throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        try folder.write("host.pub", SampleKey.one + "\n")
        let error = #expect(throws: ConfigurationError.self) { try folder.directory.makeHostKeys() }
        #expect(error?.description.contains("is not the public half of") == true)
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o666, 0o644] as [mode_t])
    func aSecretThatOthersMayReadIsRefusedWithTheCommandThatMendsIt(mode: mode_t) throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        let path = "\(folder.directory.path)/host.key"
        #expect(chmod(path, mode) == 0)
        let error = #expect(throws: ConfigurationError.self) { try folder.directory.hostKeys() }
        #expect(error?.exitStatus == .configuration)
        #expect(error?.description == "\(path): is a secret that others may read (mode \(String(mode, radix: 8))); run: chmod 600 \(path)")
        #expect(chmod(path, 0o400) == 0)
        _ = try folder.directory.hostKeys()
    }

    @Test func whatOthersMayChangeIsRefusedToo() throws {
        let folder = try Folder()
        _ = try folder.directory.makePublisherKeys()
        try folder.write("authorized_hosts", "", mode: 0o664)
        var error = #expect(throws: ConfigurationError.self) { try folder.directory.authorizedHosts() }
        #expect(error?.description.hasSuffix("run: chmod go-w \(folder.directory.path)/authorized_hosts") == true)
        #expect(chmod(folder.directory.path, 0o777) == 0)
        error = #expect(throws: ConfigurationError.self) { try folder.directory.publisherPublicKeys() }
        #expect(error?.description.hasSuffix("run: chmod go-w \(folder.directory.path)") == true)
    }

    @Test func aFileThatIsMissingSaysWhereItComesFrom() throws {
        let folder = try Folder()
        let directory = folder.directory
        for (read, hint) in [
            ({ _ = try directory.hostKeys() }, "fail2ban-cluster keygen"), ({ _ = try directory.publisherPublicKeys() }, "copy it"),
            ({ _ = try directory.publisherSecretKey() }, "fail2ban-cluster init"),
            ({ _ = try directory.authorizedHosts() }, "fail2ban-cluster init"),
            ({ try directory.changeAuthorizedHosts { _ in } }, "fail2ban-cluster init"),
        ] as [(() throws -> Void, String)] {
            let error = #expect(throws: ConfigurationError.self) { try read() }
            #expect(error?.exitStatus == .configuration)
            #expect(error?.description.contains(hint) == true)
        }
    }

    @Test(arguments: ["", "\n", "rq:rM", "\(SampleKey.one) \(SampleKey.two)", "\(SampleKey.one)\n\(SampleKey.two)\n"])
    func aKeyFileHoldsOneKeyAndNothingElseAndTheErrorDoesNotShowIt(_ text: String) throws {
        let folder = try Folder()
        _ = try folder.directory.makePublisherKeys()
        try folder.write("host.key", text)
        let error = #expect(throws: ConfigurationError.self) { try folder.directory.hostKeys() }
        #expect(error?.description.contains("holds no key") == true)
        #expect(error?.description.contains("rM") == false)
    }

    @Test func whatIsNoFileIsRefusedWithoutWaiting() throws {
        let folder = try Folder()
        _ = try folder.directory.makePublisherKeys()
        #expect(mkfifo("\(folder.directory.path)/host.key", 0o600) == 0)
        #expect(mkdir("\(folder.directory.path)/authorized_hosts", 0o700) == 0)
        #expect(throws: ConfigurationError.self) { try folder.directory.hostKeys() }
        #expect(throws: ConfigurationError.self) { try folder.directory.authorizedHosts() }
    }

    @Test func aChangeIsWrittenWholeAndKeepsTheMode() throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        try folder.write("authorized_hosts", "# mine\n", mode: 0o640)
        let key = try publicKey(SampleKey.one)
        let name = try hostname("web1")
        try folder.directory.changeAuthorizedHosts { hosts in
            _ = try hosts.authorize(AuthorizedHosts.Host(name: name, roles: [.monitor], key: key))
        }
        #expect(folder.text("authorized_hosts") == "# mine\nweb1 monitor \(SampleKey.one)\n")
        #expect(folder.mode("authorized_hosts") == 0o640)
        #expect(try folder.directory.authorizedHosts().host(with: key)?.name == name)
    }

    @Test func aChangeThatFailsWritesNothing() throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        try folder.write("authorized_hosts", "web1 monitor \(SampleKey.one)\n")
        #expect(throws: CancellationError.self) {
            try folder.directory.changeAuthorizedHosts { hosts in
                _ = hosts.remove(try hostname("web1"))
                throw CancellationError()
            }
        }
        #expect(folder.text("authorized_hosts") == "web1 monitor \(SampleKey.one)\n")
    }

    @Test func changesAtTheSameTimeAllArrive() async throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        try folder.write("authorized_hosts", "")
        let directory = folder.directory
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let key = try KeyPair.generate().publicKey
                    let name = try hostname("web\(number)")
                    try directory.changeAuthorizedHosts { hosts in
                        _ = try hosts.authorize(AuthorizedHosts.Host(name: name, roles: [.monitor], key: key))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try directory.authorizedHosts().hosts.count == 20)
    }

    @Test func nothingIsLeftBesideTheFilesThatWereMade() throws {
        let folder = try Folder()
        _ = try folder.directory.makeHostKeys()
        try folder.directory.changeAuthorizedHosts(creating: true) { _ in }
        #expect(folder.names == ["authorized_hosts", "host.key", "host.pub"])
        #expect(try folder.directory.authorizedHosts().hosts == [])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func whatRootMakesBelongsToTheOwnerOfTheFolder() throws {
        let folder = try Folder()
        #expect(mkdir(folder.directory.path, 0o755) == 0)
        #expect(chown(folder.directory.path, 4242, 4343) == 0)
        _ = try folder.directory.makePublisherKeys()
        var status = stat()
        #expect(stat("\(folder.directory.path)/publisher.key", &status) == 0)
        #expect(status.st_uid == 4242 && status.st_gid == 4343)
    }

    @Test(arguments: [
        ("/etc/keys/host.key", "/etc/keys/host.key"), ("a b", "'a b'"), ("", "''"), ("it's", "'it'\\''s'"), ("$HOME", "'$HOME'"),
    ])
    func aPathIsQuotedForTheShellWhereItMustBe(_ word: String, _ quoted: String) {
        #expect(shellQuoted(word) == quoted)
    }
}
