// Stage 2, report -> admission -> journal -> broadcast: what would keep a publisher from working on this host, each with its remedy.

import Daemon
import Glibc
import Wire
import ZeroMQ

/// What `fail2ban-publisher check` looks at beyond the configuration's grammar. It changes nothing.
enum PublisherCheck {
    static func findings(_ configuration: Configuration) -> [Finding] {
        guard let settings = configuration.publisher else { return [] }
        let keys = KeyDirectory(configuration.general.keyDirectory)
        var findings: [Finding] = []
        do throws(ConfigurationError) {
            _ = try keys.publisherSecretKey()
            if try keys.nextPublisherKeys() != nil {
                findings.append(
                    Finding(
                        .note, "the publisher's key is being replaced",
                        hint: "when each host has the new publisher.pub: fail2ban-cluster rekey --publisher --finish"))
            }
        } catch {
            findings.append(Finding(error))
        }
        do throws(ConfigurationError) {
            let hosts = try keys.authorizedHosts().hosts
            findings += keysToRevoke(hosts)
            if hosts.isEmpty {
                findings.append(
                    Finding(.warning, "authorized_hosts names nobody, so nobody can connect", hint: "on each host: fail2ban-cluster keygen")
                )
            }
        } catch {
            findings.append(Finding(error))
        }
        findings += tokens(configuration, settings)
        findings += journal(configuration)
        if settings.standby {
            let marker = StandbyMarker(configuration)
            findings.append(
                marker.isPromoted
                    ? Finding(
                        .note, "standby = yes, and it was promoted: \(marker.path) is there", hint: "remove the file to make it stand by")
                    : Finding(.note, "it stands by: it answers NAK standby until 'fail2ban-publisher promote'"))
        }
        if let warning = PlainEndpoints.warning(settings) {
            findings.append(
                Finding(
                    .warning, warning,
                    hint: "remove plainreplybindurl and plainbroadcasterbindurl when the last of them is gone"))
        }
        return findings
    }

    /// Hosts that have a second key, so that a replacement that was begun is not forgotten.
    private static func keysToRevoke(_ hosts: [AuthorizedHosts.Host]) -> [Finding] {
        let names = Dictionary(grouping: hosts, by: \.name).filter { $0.value.count > 1 }.keys.map(\.description).sorted()
        guard !names.isEmpty else { return [] }
        return [
            Finding(
                .note, "more than one key is valid for \(names.joined(separator: ", "))",
                hint: "take away the one that is not in use: fail2ban-cluster revoke HOST --key KEY")
        ]
    }

    /// Tokens of old clients are secrets, where they are in use. Their file is the daemon's to read, by its group if need be.
    private static func tokens(_ configuration: Configuration, _ settings: PublisherSettings) -> [Finding] {
        guard settings.auth, settings.plainReplyBind != nil, let file = configuration.place(of: "authtoken", in: .publisher)?.file else {
            return []
        }
        var status = stat()
        guard stat(file, &status) == 0, status.st_mode & 0o007 != 0 else { return [] }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return [
            Finding(
                .problem, "\(file): holds authtoken, a secret that everyone on this host may read (mode \(mode))",
                hint: "run: chmod o= \(shellQuoted(file))", exitStatus: .configuration)
        ]
    }

    /// The journal must be the publisher's to write. One that is missing is made at the start, and so is its folder.
    private static func journal(_ configuration: Configuration) -> [Finding] {
        if let finding = configuration.stateDirectoryFinding() { return [finding] }
        let path = Journal.path(in: configuration.general.stateDirectory)
        guard access(path, R_OK | W_OK) != 0, errno != ENOENT else { return [] }
        let error = SystemError("write the journal \(path)")
        return [
            Finding(
                .problem, error.description, hint: "give it to the publisher's user: chown USER \(path)", exitStatus: error.exitStatus)
        ]
    }
}
