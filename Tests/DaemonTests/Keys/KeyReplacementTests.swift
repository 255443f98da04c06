// What the daemons share: a key is replaced on a real file system, also when the command is cut off between any two of its steps.

import Glibc
import Logging
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Daemon

/// A publisher's folder of keys.
private struct Folder {
    let folder: TemporaryFolder
    var directory: KeyDirectory { KeyDirectory(folder("keys")) }
    var names: [String] { namesInFolder(folder("keys")) }

    init() throws {
        folder = try TemporaryFolder()
        _ = try directory.makePublisherKeys()
        _ = try directory.makeHostKeys()
    }

    func text(_ name: String) -> String? { folder.read("keys/\(name)") }

    func status(_ name: String) -> stat {
        var status = stat()
        #expect(stat(folder("keys/\(name)"), &status) == 0)
        return status
    }

    func move(_ name: String, to other: String) { #expect(rename(folder("keys/\(name)"), folder("keys/\(other)")) == 0) }
}

@Suite struct KeyReplacementTests {
    private let all = ["host.key", "host.pub", "publisher.key", "publisher.pub"]

    // MARK: A host's key

    @Test func theNextKeyIsMadeBesideTheOneInUseAndIsTheSameWhenItIsAskedForAgain() throws {
        let folder = try Folder()
        let mask = umask(0)
        defer { umask(mask) }
        let old = try folder.directory.hostKeys().publicKey
        let first = try folder.directory.beginHostKey()
        #expect(first.old == old && first.new != old)
        #expect(folder.names == (all + ["host.key.new", "host.pub.new"]).sorted())
        #expect(try folder.directory.hostKeys().publicKey == old)
        #expect(folder.status("host.key.new").st_mode & 0o777 == 0o600)
        #expect(folder.text("host.pub.new") == first.new.z85 + "\n")
        let second = try folder.directory.beginHostKey()
        #expect(second.new == first.new && second.paths.isEmpty)
    }

    @Test func theNextKeyTakesThePlaceOfTheOldAndNothingIsLeftOfIt() throws {
        let folder = try Folder()
        let secret = try #require(folder.text("host.key"))
        let replacement = try folder.directory.beginHostKey()
        try folder.directory.finishHostKey(replacement.new)
        #expect(folder.names == all)
        #expect(try folder.directory.hostKeys().publicKey == replacement.new)
        #expect(folder.text("host.pub") == replacement.new.z85 + "\n")
        #expect(folder.status("host.key").st_mode & 0o777 == 0o600)
        #expect(all.allSatisfy { folder.text($0) != secret })
        #expect(try folder.directory.makeHostKeys().paths.isEmpty)
    }

    @Test func whatIsNotTheNextKeyAnyMoreIsNotPutInPlace() throws {
        let folder = try Folder()
        let old = try folder.directory.hostKeys().publicKey
        #expect(throws: ServiceError.self) { try folder.directory.finishHostKey(try publicKey(SampleKey.one)) }
        _ = try folder.directory.beginHostKey()
        #expect(throws: ServiceError.self) { try folder.directory.finishHostKey(try publicKey(SampleKey.one)) }
        #expect(try folder.directory.hostKeys().publicKey == old)
    }

    @Test func aFinishCutOffBehindTheSecretIsMendedByTheNextBegin() throws {
        let folder = try Folder()
        let replacement = try folder.directory.beginHostKey()
        folder.move("host.key.new", to: "host.key")
        #expect(try folder.directory.clientKeys().choices.map(\.own.publicKey) == [replacement.new])
        let next = try folder.directory.beginHostKey()
        #expect(next.old == replacement.new && next.new != replacement.new)
        #expect(folder.text("host.pub") == replacement.new.z85 + "\n")
    }

    @Test func aBeginCutOffBehindTheSecretIsFinishedByTheNext() throws {
        let folder = try Folder()
        let first = try folder.directory.beginHostKey()
        #expect(unlink(folder.folder("keys/host.pub.new")) == 0)
        let second = try folder.directory.beginHostKey()
        #expect(second.new == first.new)
        #expect(folder.text("host.pub.new") == first.new.z85 + "\n")
    }

    @Test func aHostWithoutAKeyHasNoneToReplace() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: ConfigurationError.self) { try KeyDirectory(folder("keys")).beginHostKey() }
        #expect(error?.description.contains("fail2ban-cluster keygen") == true)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func aNewSecretBelongsToTheOwnerOfTheOldOne() throws {
        let folder = try Folder()
        for name in ["host.key", "publisher.key"] { #expect(chown(folder.folder("keys/\(name)"), 4242, 4343) == 0) }
        try folder.directory.finishHostKey(try folder.directory.beginHostKey().new)
        _ = try folder.directory.beginPublisherKey()
        _ = try folder.directory.switchPublisherKey()
        for name in ["host.key", "publisher.key"] {
            #expect(folder.status(name).st_uid == 4242 && folder.status(name).st_gid == 4343)
        }
    }

    // MARK: The publisher's key

    @Test func bothPublicKeysOfThePublisherAreInItsFileUntilItIsFinished() throws {
        let folder = try Folder()
        let first = try folder.directory.beginPublisherKey()
        #expect(folder.text("publisher.pub") == "\(first.old.z85)\n\(first.new.z85)\n")
        #expect(try KeyPair(secretKey: folder.directory.publisherSecretKey()).publicKey == first.old)
        #expect(folder.status("publisher.key.new").st_mode & 0o777 == 0o600)
        let second = try folder.directory.beginPublisherKey()
        #expect(second.new == first.new && second.paths.isEmpty)
        #expect(try folder.directory.makePublisherKeys().paths.isEmpty)

        #expect(try folder.directory.switchPublisherKey() == (first.new, true))
        #expect(try KeyPair(secretKey: folder.directory.publisherSecretKey()).publicKey == first.new)
        #expect(folder.text("publisher.pub") == "\(first.old.z85)\n\(first.new.z85)\n")
        #expect(try folder.directory.switchPublisherKey() == (first.new, true))
        try folder.directory.finishPublisherKey()
        #expect(folder.text("publisher.pub") == first.new.z85 + "\n")
        #expect(try folder.directory.switchPublisherKey() == (first.new, false))
        #expect(folder.names == all)
    }

    @Test func aSwitchWaitsForABeginThatWasCutOffBeforeTheHostsFile() throws {
        let folder = try Folder()
        let before = try #require(folder.text("publisher.pub"))
        let first = try folder.directory.beginPublisherKey()
        try folder.folder.write("keys/publisher.pub", before)
        #expect(throws: ServiceError.self) { try folder.directory.switchPublisherKey() }
        #expect(try KeyPair(secretKey: folder.directory.publisherSecretKey()).publicKey == first.old)
        #expect(try folder.directory.beginPublisherKey().new == first.new)
        #expect(try folder.directory.switchPublisherKey() == (first.new, true))
    }

    @Test func aPublisherWhosePublicKeyIsAnotherOnesIsNotReplaced() throws {
        let folder = try Folder()
        try folder.folder.write("keys/publisher.pub", SampleKey.one + "\n")
        #expect(throws: ServiceError.self) { try folder.directory.beginPublisherKey() }
        #expect(folder.names == all)
    }

    // MARK: What daemons connect with

    @Test func daemonsKnowTheOldAndTheNewOfBothAndTryTheOldFirst() throws {
        let folder = try Folder()
        let host = try folder.directory.beginHostKey()
        let publisher = try folder.directory.beginPublisherKey()
        let choices = try folder.directory.clientKeys().choices
        #expect(choices.map(\.own.publicKey) == [host.old, host.old, host.new, host.new])
        #expect(choices.map(\.server) == [publisher.old, publisher.new, publisher.old, publisher.new])
        #expect(folder.directory.clientFindings.map(\.severity) == [.note, .note])
    }

    @Test(arguments: ["\(SampleKey.one)\n\(SampleKey.two)\n\(SampleKey.dash)\n", "\(SampleKey.one)\nnonsense\n", ""])
    func aPublishersFileHoldsOneKeyOrTwo(_ text: String) throws {
        let folder = try Folder()
        try folder.folder.write("keys/publisher.pub", text)
        let error = #expect(throws: ConfigurationError.self) { try folder.directory.publisherPublicKeys() }
        #expect(error?.description.contains("or two while one key replaces the other") == true)
    }

    @Test func aNextSecretThatOthersMayReadIsRefusedWithTheCommandThatMendsIt() throws {
        let folder = try Folder()
        _ = try folder.directory.beginHostKey()
        _ = try folder.directory.beginPublisherKey()
        for name in ["host.key.new", "publisher.key.new"] { #expect(chmod(folder.folder("keys/\(name)"), 0o640) == 0) }
        var error = #expect(throws: ConfigurationError.self) { try folder.directory.clientKeys() }
        #expect(error?.description.hasSuffix("run: chmod 600 \(folder.directory.path)/host.key.new") == true)
        error = #expect(throws: ConfigurationError.self) { try folder.directory.nextPublisherKeys() }
        #expect(error?.description.hasSuffix("run: chmod 600 \(folder.directory.path)/publisher.key.new") == true)
    }

    @Test func keysAreReadAnewForEachConnectionAndStayWhenTheyCannotBeRead() throws {
        let folder = try Folder()
        let keys = try ConnectionKeys(folder.directory, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let replacement = try folder.directory.beginHostKey()
        #expect(keys.current().choices.map(\.own.publicKey) == [replacement.old, replacement.new])
        try folder.directory.finishHostKey(replacement.new)
        #expect(keys.current().choices.map(\.own.publicKey) == [replacement.new])
        #expect(unlink(folder.folder("keys/publisher.pub")) == 0)
        #expect(keys.current().choices.map(\.own.publicKey) == [replacement.new])
    }
}
