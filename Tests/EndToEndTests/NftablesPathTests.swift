// The shipped subscriber enforcing by nftables, on a host with the rules of firewalld and Docker, asked by packets.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite(.needsLab, .serialized)
struct NftablesPathTests {
    private static let attacker = "203.0.113.66"
    private static let attacker6 = "2001:db8:bad::66"
    private static let friend = "203.0.113.67"
    private static let friend6 = "2001:db8:bad::67"

    private static let loadOthersRules = ["firewalld", "docker"].map {
        "nft -f \(Lab.repository)/Tests/EndToEndTests/Rulesets/\($0).nft"
    }.joined(separator: "; ")

    /// web1 has the publisher; web2 enforces, and has a server on port 80 and a published port 8080 of a container, which is web3; the
    /// attacker and a friend knock from web4.
    private func withFirewalledHost(_ body: (_ web1: LabHost, _ web2: LabHost, _ web4: LabHost) async throws -> Void) async throws {
        try await Lab.with(hosts: 4) { lab in
            let (web1, web2, web3, web4) = (lab.host(1), lab.host(2), lab.host(3), lab.host(4))
            let prefix = lab.directory.split(separator: "/").last ?? ""
            try await web2.shell(
                """
                ip link add docker0 type veth peer name eth1 netns \(prefix)3
                ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up
                ip address add fe80::2/64 dev eth0 nodad
                ip route add 203.0.113.0/24 via 192.0.2.4; ip route add 2001:db8:bad::/64 via 2001:db8::4
                echo 1 > /proc/sys/net/ipv4/ip_forward
                \(Self.loadOthersRules)
                cd \(web2.folder); exec python3 -m http.server --bind :: 80 > /dev/null 2>&1 &
                """)
            try await web3.shell(
                """
                ip address add 172.17.0.2/16 dev eth1; ip link set eth1 up; ip route add 203.0.113.0/24 via 172.17.0.1
                cd \(web3.folder); exec python3 -m http.server --bind 172.17.0.2 80 > /dev/null 2>&1 &
                """)
            try await web4.shell(
                """
                ip address add fe80::4/64 dev eth0 nodad
                for address in \(Self.attacker) \(Self.friend); do ip address add $address/32 dev lo; done
                for address in \(Self.attacker6) \(Self.friend6); do ip address add $address/128 dev lo nodad; done
                """)
            try web2.overlayConfiguration("[subscriber]\nsubscriberaction = nftables, fail2ban-client\n")
            try await web2.shell("cp -R \(Lab.repository)/conf/fail2ban-nftables/. \(web2.folder)/fail2ban/")
            try await web2.fail2ban(.restart)
            try await web1.start()
            try await web2.start()
            try await body(web1, web2, web4)
        }
    }

    /// Whether someone at web4 gets an answer from web2's server, and from the container behind it.
    private func reaches(_ web4: LabHost, from source: String, _ port: Int) async throws -> Bool {
        let target = source.contains(":") ? "2001:db8::2" : "192.0.2.2"
        let script = """
            import socket
            s = socket.create_connection(("\(target)", \(port)), timeout=1, source_address=("\(source)", 0))
            s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            exit(0 if s.recv(4) == b"HTTP" else 1)
            """
        return try await web4.execute("python3", "-c", script).isSuccess
    }

    private func awaitRefusal(of web4: LabHost) async throws {
        for (source, port) in [(Self.attacker, 80), (Self.attacker, 8080), (Self.attacker6, 80)] {
            try await eventually("\(source) is refused at \(port)") { try await !reaches(web4, from: source, port) }
        }
        for (source, port) in [(Self.friend, 80), (Self.friend, 8080), (Self.friend6, 80)] {
            try await eventually("\(source) is answered at \(port)") { try await reaches(web4, from: source, port) }
        }
    }

    @Test func aBannedAddressIsRefusedAtInputAndForwardBesideFirewalldAndDockerAndOthersAreNot() async throws {
        try await withFirewalledHost { web1, web2, web4 in
            let everyone = [Self.attacker, Self.attacker6, Self.friend, Self.friend6]
            for source in everyone {
                try await eventually("\(source) reaches the server") { try await reaches(web4, from: source, 80) }
            }
            for source in [Self.attacker, Self.friend] {
                try await eventually("\(source) reaches the container") { try await reaches(web4, from: source, 8080) }
            }
            let others = try await web2.shell("nft list table inet firewalld; nft list tables")
            #expect(others.contains("table ip filter"))

            // A connection that is open already ends with the ban, as with fail2ban's own actions.
            try await web4.shell(
                """
                cat > \(web4.folder)/open.py <<'END'
                import os, socket, time
                s = socket.create_connection(("192.0.2.2", 80), timeout=2, source_address=("\(Self.attacker)", 0))
                s.sendall(b"GET / HTTP/1.0\\r\\n")
                open("\(web4.folder)/open", "w").close()
                while not os.path.exists("\(web4.folder)/banned"): time.sleep(0.05)
                s.sendall(b"\\r\\n")
                try: answer = s.recv(4)
                except TimeoutError: answer = b"none"
                with open("\(web4.folder)/answer.new", "wb") as f: f.write(answer)
                os.rename("\(web4.folder)/answer.new", "\(web4.folder)/answer")
                END
                exec python3 \(web4.folder)/open.py > /dev/null 2>&1 &
                """)
            try await eventually("it is open") { exists("\(web4.folder)/open") }

            #expect(try await web1.execute("fail2ban-cluster", "ban", Self.attacker, Self.attacker6, "-c", web1.configuration).isSuccess)
            try await awaitRefusal(of: web4)
            try await web4.shell("touch \(web4.folder)/banned")
            try await eventually("the open connection had its time") { exists("\(web4.folder)/answer") }
            #expect(web4.file("answer") == "none")
            #expect(try await web2.shell("nft list counter inet fail2ban_cluster refused4").firstMatch(of: /packets [1-9]/) != nil)

            // fail2ban shows what nftables enforces, and has nothing in the firewall for it.
            try await eventually("fail2ban shows it") { try await web2.banned() == [Self.attacker, Self.attacker6] }
            #expect(try await web2.shell("nft list tables").contains("f2b-table") == false)

            // Without the subscriber it goes on.
            try await web2.stop()
            try await awaitRefusal(of: web4)
            try await web2.start()
            // Whoever flushes everything and loads other rules, as a restart of nftables.service does.
            try await web2.shell("nft flush ruleset; \(Self.loadOthersRules)")
            try await awaitRefusal(of: web4)

            #expect(try await web1.execute("fail2ban-cluster", "unban", Self.attacker, Self.attacker6, "-c", web1.configuration).isSuccess)
            for source in [Self.attacker, Self.attacker6] {
                try await eventually("\(source) reaches the server again") { try await reaches(web4, from: source, 80) }
            }
            try await eventually("fail2ban shows none") { try await web2.banned() == [] }
        }
    }

    @Test func aBanOfAnotherHostsFail2banIsInTheKernelUntilItsEnd() async throws {
        try await Lab.with(hosts: 2, bantime: "15s") { lab in
            let (web1, web2) = (lab.host(1), lab.host(2))
            try web2.overlayConfiguration("[subscriber]\nsubscriberaction = nftables\n")
            try await lab.startDaemons()
            try await web1.loginFailure(from: "203.0.113.9", "2001:db8:bad::9")
            let elements: () async throws -> Set<String> = {
                let sets = try await web2.nftElements()
                return (sets["addresses4"] ?? []).union(sets["addresses6"] ?? [])
            }
            try await eventually("they are in the kernel") { try await elements() == ["203.0.113.9", "2001:db8:bad::9"] }
            try await eventually("their time is over") { try await elements() == [] }
            #expect(!web2.file("fail2ban-cluster.log").contains(" error: "))
            #expect(!web2.file("fail2ban-cluster.log").contains("another program"), "it knows its own changes")
            let status = try await web2.execute("fail2ban-subscriber", "check", "-c", web2.configuration)
            #expect(status.text.contains("nftables works, and table inet fail2ban_cluster is there"), "\(status.text)")
        }
    }

    @Test func monitorAndPublisherDoNotNeedTheLibrariesOfNftables() async throws {
        for program in ["monitor", "publisher", "cluster"] {
            let needed = try await execute(["sh", "-c", "ldd '\(Lab.programs)/fail2ban-\(program)'"]).output
            #expect(needed.contains("libzmq"))
            #expect(!needed.contains("libmnl") && !needed.contains("libnftnl"), "\(program)")
        }
        #expect(try await execute(["sh", "-c", "ldd '\(Lab.programs)/fail2ban-subscriber'"]).output.contains("libnftnl"))
    }
}

extension LabHost {
    /// Runs a script on the host, which must succeed. - Returns: what it printed.
    @discardableResult
    fileprivate func shell(_ script: String) async throws -> String {
        let output = try await execute("sh", "-ec", script)
        try #require(output.isSuccess, "\(output.text)")
        return output.text
    }
}
