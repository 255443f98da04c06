// Whoever is logged in as root over SSH is not locked out, by a real sshd; who only connects, or has gone, is.

import Glibc
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    fileprivate static var needsSshd: Self {
        .enabled(if: access("/usr/sbin/sshd", X_OK) == 0, "sshd is not installed: run scripts/install-packages sshd")
    }
}

@Suite(.needsLab, .needsSshd) struct LoginTests {
    /// Runs a shell's text on a host.
    private func run(_ text: String, on host: LabHost) async throws -> String {
        let output = try await host.execute("sh", "-c", "exec 2>&1; cd \(host.folder); \(text)")
        try #require(output.isSuccess, "\(output.text)")
        return output.text
    }

    @Test func anAddressThatRootIsLoggedInFromIsNotBannedUntilItsSessionEnds() async throws {
        try await Lab.with { lab in
            let (admin, server) = (lab.host(2), lab.host(3))
            // Addresses that no daemon connects from: those are protected anyway.
            _ = try await run("ip address add 198.18.0.8/24 dev eth0; ip address add 198.18.0.9/24 dev eth0", on: admin)
            _ = try await run(
                """
                ip address add 198.18.0.3/24 dev eth0
                mkdir -p /run/sshd
                ssh-keygen -q -t ed25519 -N '' -f host_key
                ssh-keygen -q -t ed25519 -N '' -f root_key
                printf '%s\\n' 'ListenAddress 198.18.0.3' "HostKey $PWD/host_key" "AuthorizedKeysFile $PWD/root_key.pub" \
                    'StrictModes no' 'UsePAM no' 'PermitRootLogin yes' "PidFile $PWD/sshd.pid" > sshd_config
                /usr/sbin/sshd -f "$PWD/sshd_config" -E "$PWD/sshd.log"
                """, on: server)
            // It writes the file after the command has ended.
            try await eventually("sshd is there") { pid_t(server.file("sshd.pid").filter(\.isNumber)) != nil }
            let sshd = try #require(pid_t(server.file("sshd.pid").filter(\.isNumber)))
            defer { kill(sshd, SIGTERM) }
            try await lab.startDaemons()

            // One session of root, and one connection that never says who it is.
            let pids = try await run(
                """
                ssh -n -i '\(server.folder)/root_key' -b 198.18.0.9 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
                    root@198.18.0.3 sleep 600 > ssh.log 2>&1 &
                echo $!
                python3 -c 'import socket, time; s = socket.create_connection(("198.18.0.3", 22), 5, ("198.18.0.8", 0)); time.sleep(600)' \
                    > /dev/null 2>&1 &
                echo $!
                """, on: admin
            ).split(separator: "\n").compactMap { pid_t($0) }
            try #require(pids.count == 2)
            defer { for pid in pids { kill(pid, SIGKILL) } }
            try await eventually("root's session") {
                let titles = try await server.execute("sh", "-c", "cat /proc/[0-9]*/cmdline")
                return server.file("sshd.log").contains("for root from 198.18.0.9") && titles.text.contains("sshd: root@notty")
            }

            let host = lab.host(1)
            let ban = try await host.execute("fail2ban-cluster", "ban", "198.18.0.8", "198.18.0.9", "-c", host.configuration)
            #expect(ban.isSuccess, "\(ban.text)")
            try await eventually("both on web1") { try await host.banned() == ["198.18.0.8", "198.18.0.9"] }
            try await eventually("who only connected, on web3") { try await server.banned() == ["198.18.0.8"] }
            #expect(
                server.file("fail2ban-cluster.log").contains("198.18.0.9 of web1, jail fail2ban-cluster: root is logged in from 198.18.0.9")
            )

            kill(pids[0], SIGTERM)
            try await eventually("the session has ended") { server.file("sshd.log").contains("Disconnected from user root 198.18.0.9") }
            try await eventually("both on web3", within: .seconds(60)) { try await server.banned() == ["198.18.0.8", "198.18.0.9"] }
        }
    }
}
