// A fail2ban of the tests' own that takes its time: a program that behaves as `fail2ban-client -i` does, and keeps the bans itself.

import Glibc
import TestSupport
import Testing

/// It takes a command at a time, waits before it answers a ban, and writes down how many it bans.
struct SlowFail2ban {
    static let isPossible = access("/usr/bin/python3", X_OK) == 0

    let program: String
    private let count: String

    /// - Parameter pause: How long a call takes, in seconds.
    init(in directory: String, pause: Double) throws {
        program = directory + "/slow-fail2ban"
        count = directory + "/slow-fail2ban.count"
        let script = """
            #!/usr/bin/python3
            import sys, time
            from datetime import datetime
            banned, end = {}, datetime(2099, 1, 1)
            print("fail2ban> ", end="", flush=True)
            for line in sys.stdin:
                words = line.split()
                answer = "0"
                if words == ["version"]:
                    answer = "1.0.2"
                elif words[0] == "get" and words[2] == "bantime":
                    answer = "-1"
                elif words[0] == "get" and words[2] == "banip":
                    answer = "\\n".join(f"{a} \\t2026-01-01 00:00:00 + -1 = 9999-12-31 23:59:59" for a in banned)
                elif words[0] == "set":
                    time.sleep(\(pause))
                    before = len(banned)
                    for address in words[3:]:
                        if words[2] == "banip": banned[address] = True
                        else: banned.pop(address, None)
                    answer = str(abs(len(banned) - before))
                    with open("\(count)", "w") as file: file.write(str(len(banned)))
                print(answer)
                print("fail2ban> ", end="", flush=True)

            """
        let file = try #require(fopen(program, "we"))
        fputs(script, file)
        fclose(file)
        chmod(program, 0o755)
    }

    /// How many addresses it bans.
    var bannedCount: Int { textOfFile(count).flatMap { Int($0) } ?? 0 }
}
