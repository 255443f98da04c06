// What the daemons share: the keys that a host's daemons connect with, as its folder of keys has them at each connection.

import Logging
import ZeroMQ

/// Reads the keys anew whenever a connection is made, so that a daemon that is cut off finds keys that were replaced meanwhile, without a
/// restart and whether or not it was told. It stays on the thread that made it.
public final class ConnectionKeys {
    private let directory: KeyDirectory
    private let log: Logger
    private var last: ClientKeys
    private var troubles = RateLimit(interval: .seconds(60))

    /// - Throws: What is wrong with the keys now.
    public init(_ directory: KeyDirectory, log: Logger) throws(ConfigurationError) {
        self.directory = directory
        self.log = log
        last = try directory.clientKeys()
    }

    /// The keys; those read before while they can't be read, which is logged.
    public func current() -> ClientKeys {
        do throws(ConfigurationError) {
            last = try directory.clientKeys()
        } catch {
            if let note = troubles.heldBackNote(at: .now) { log.error("\(error); the keys stay as they were\(note)") }
        }
        return last
    }
}

extension KeyDirectory {
    /// What the daemons of a host connect with, each key with the one that is to take its place.
    public func clientKeys() throws(ConfigurationError) -> ClientKeys {
        let (own, next, servers) = (try hostKeys(), try nextHostKeys(), try publisherPublicKeys())
        return ClientKeys(own: own, next: next, server: servers.current, nextServer: servers.next)
    }

    /// What `check` of a daemon that connects to the publisher says of the keys.
    public var clientFindings: [Finding] {
        var findings: [Finding] = []
        do throws(ConfigurationError) {
            _ = try hostKeys()
            if try nextHostKeys() != nil {
                findings.append(
                    Finding(
                        .note, "this host's key is being replaced", hint: "when the new one is authorised: fail2ban-cluster rekey --finish")
                )
            }
        } catch {
            findings.append(Finding(error))
        }
        do throws(ConfigurationError) {
            if try publisherPublicKeys().next != nil {
                findings.append(
                    Finding(
                        .note, "the publisher's key is being replaced: publisher.pub has the old and the new one",
                        hint: "when the publisher uses the new one, copy its publisher.pub here once more"))
            }
        } catch {
            findings.append(Finding(error))
        }
        return findings
    }
}
