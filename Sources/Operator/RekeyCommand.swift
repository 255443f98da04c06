// The operator's command: `rekey` replaces the key of a host or of the publisher while everything runs; old and new are valid meanwhile.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct RekeyCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "rekey",
        abstract: "Replace this host's key, or with --publisher the publisher's, while everything goes on.",
        discussion: """
            It makes the new key beside the old one and says what to do next; the old one stays in use. With --finish the new one takes \
            its place, once the publisher admits it. Each step can be repeated, and nothing is lost if there is a long time between them.
            """)

    @Flag(help: "Replace the publisher's key; on the publisher's host.")
    var publisher = false

    @Flag(help: "The second step: use the new key from now on.")
    var finish = false

    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        let directory = KeyDirectory(configuration.general.keyDirectory)
        switch (publisher, finish) {
        case (false, false): return try beginHost(directory, configuration)
        case (false, true): return try finishHost(directory, configuration)
        case (true, false): return try beginPublisher(directory, configuration)
        case (true, true): return try finishPublisher(directory, configuration)
        }
    }

    // MARK: This host's key

    private func beginHost(_ directory: KeyDirectory, _ configuration: Configuration) throws -> String {
        let host = configuration.general.hostname
        let replacement = try directory.beginHostKey()
        return written(replacement) + """
            Nothing has changed yet: \(host) goes on with its old key.

            Next:
              On the publisher's host run:
                \(addKeyCommand(host, replacement.new))
              Then here:
                fail2ban-cluster rekey --finish\(configurationArgument(configuration))

            """
    }

    private func finishHost(_ directory: KeyDirectory, _ configuration: Configuration) throws -> String {
        let host = configuration.general.hostname
        let old = try directory.hostKeys()
        guard let new = try directory.nextHostKeys() else {
            throw ServiceError(
                "there is no new key of this host; it uses \(old.publicKey)",
                hint: "Begin with: fail2ban-cluster rekey. Which keys it has, `fail2ban-cluster hosts` shows on the publisher's host.")
        }
        let servers = try directory.publisherPublicKeys()
        var conversation = try Conversation(
            configuration, keys: ClientKeys(own: new, server: servers.current, nextServer: servers.next))
        guard try conversation.isAdmitted() else {
            throw ServiceError(
                "the publisher gives no answer to the new key; nothing was changed, and \(host) goes on with its old one",
                hint: "If it runs, run there first: \(addKeyCommand(host, new.publicKey))")
        }
        try directory.finishHostKey(new.publicKey)
        return "\(host) uses its new key from now on\n" + ReloadedDaemons(configuration, [.monitor, .subscriber]).text + """

            Next:
              On the publisher's host run:
                \(revokeKeyCommand(host, old.publicKey))

            """
    }

    // MARK: The publisher's key

    private func beginPublisher(_ directory: KeyDirectory, _ configuration: Configuration) throws -> String {
        try requirePublisher(configuration)
        let replacement = try directory.beginPublisherKey()
        let reloaded = ReloadedDaemons(configuration, [.monitor, .subscriber])
        return written(replacement) + reloaded.text + """
            Nothing has changed yet: the publisher goes on with its old key.

            Next:
              Copy \(directory.path)/publisher.pub, which has both keys, into the folder of keys of every other host.
              Then here:
                fail2ban-cluster rekey --publisher --finish\(configurationArgument(configuration))
              A host that does not have it by then is cut off until it has.

            """
    }

    private func finishPublisher(_ directory: KeyDirectory, _ configuration: Configuration) throws -> String {
        try requirePublisher(configuration)
        let (key, isUnfinished) = try directory.switchPublisherKey()
        guard isUnfinished else {
            throw ServiceError(
                "there is no new key of the publisher; it uses \(key)", hint: "Begin with: fail2ban-cluster rekey --publisher")
        }
        let publisher = ReloadedDaemons(configuration, [.publisher])
        // One that does not run begins with the new key.
        if !publisher.told.isEmpty || !publisher.problems.isEmpty {
            var conversation = try Conversation(configuration, keys: ClientKeys(own: try directory.hostKeys(), server: key))
            guard try conversation.isAdmitted() else {
                throw ServiceError(
                    publisher.problems.map { "\($0)\n" }.joined()
                        + "the publisher does not answer with its new key yet; all hosts still take both",
                    hint: "See its log; fail2ban-publisher reload makes it take over the new key. Then run this again")
            }
        }
        try directory.finishPublisherKey()
        return "the publisher uses its new key from now on\n" + publisher.text
            + ReloadedDaemons(configuration, [.monitor, .subscriber]).text + """

                Next:
                  Copy \(directory.path)/publisher.pub once more to every other host, so that none trusts the old key any more.
                  Copy publisher.key to a standby too, and run there: fail2ban-publisher reload

                """
    }

    private func requirePublisher(_ configuration: Configuration) throws {
        guard configuration.publisher == nil else { return }
        throw ServiceError(
            "\(configuration.path) has no [publisher] section, so this is not the publisher's host",
            hint: "Without --publisher, rekey replaces the key of this host", exitStatus: .configuration)
    }

    private func written(_ replacement: KeyDirectory.Replacement) -> String { replacement.paths.map { "wrote \($0)\n" }.joined() }
}
