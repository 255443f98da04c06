// Which of this host's routers are found: of all tables and all next hops, as the kernel has them.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@Suite(.enabled(if: geteuid() == 0, "network namespaces need root")) struct GatewayTests {
    @Test func everyGatewayOfEveryTableIsFound() async throws {
        try await PrivateNetwork.with {
            try ip(
                "link add eth0 type veth peer name eth1", "link set eth1 up", "link set eth0 up", "address add 192.0.2.2/24 dev eth0",
                "address add 2001:db8::2/64 dev eth0 nodad")
            #expect(try Gateways.all() == [])
            try ip(
                "route add default via 192.0.2.1", "route add default via 192.0.2.11 table 100",
                "route add 198.51.100.0/24 nexthop via 192.0.2.21 nexthop via 192.0.2.22 weight 2",
                "route add 203.0.113.0/24 via inet6 2001:db8::33 dev eth0", "route add 203.0.113.64/26 dev eth0",
                "nexthop add id 1 via 192.0.2.41 dev eth0", "route add 203.0.113.128/25 nhid 1",
                "-6 route add default via 2001:db8::1", "-6 route add default via 2001:db8::11 table 100",
                "-6 route add 2001:db8:1::/48 nexthop via 2001:db8::21 nexthop via 2001:db8::22")
            let expected = [
                "192.0.2.1", "192.0.2.11", "192.0.2.21", "192.0.2.22", "192.0.2.41", "2001:db8::1", "2001:db8::11", "2001:db8::21",
                "2001:db8::22", "2001:db8::33",
            ]
            #expect(try Gateways.all().map(\.description).sorted() == expected)
        }
    }

    @Test func moreRoutesThanOnePartOfTheListAreReadToTheEnd() async throws {
        try await PrivateNetwork.with {
            try ip("link add eth0 type veth peer name eth1", "link set eth1 up", "link set eth0 up", "address add 192.0.2.2/24 dev eth0")
            let routes = (0..<5000).map { "route add 10.\($0 / 256).\($0 % 256).0/24 via 192.0.2.\(3 + $0 % 250)\n" }
            let folder = try TemporaryFolder()
            try ip("-batch \(folder.write("routes", routes.joined()))")
            #expect(try Gateways.all().count == 250)
        }
    }

    /// Runs ip(8) with each of these, in this thread's namespace.
    private func ip(_ commands: String...) throws {
        for command in commands {
            var arguments: [UnsafeMutablePointer<CChar>?] =
                (["ip"] + command.split(separator: " ").map(String.init)).map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            var pid = pid_t()
            try #require(posix_spawnp(&pid, "ip", nil, nil, &arguments, environ) == 0)
            var status: Int32 = 0
            try #require(waitpid(pid, &status, 0) == pid && status == 0, "ip \(command)")
        }
    }
}
