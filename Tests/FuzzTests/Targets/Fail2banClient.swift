// Fuzzing: what fail2ban-client prints, as the monitor and the subscriber read it. Banned texts in it may be anybody's.

import Daemon
import Wire

@testable import Monitor
@testable import Subscriber

extension FuzzTarget {
    /// One answer after the other.
    static let fail2banClient = FuzzTarget(name: "fail2ban-client", longest: 4096) { input in
        guard let sshd = Jail("sshd"), let echo = Jail("echo"), let address = Address("192.0.2.1") else { throw Finding("no jail") }
        let answers = input.split(separator: [UInt8].messageSeparator, omittingEmptySubsequences: false).map { Array($0) }
        let reported = ReportedJails(MonitorSettings())
        try checkInquiry(.list(reported), answers) { reported.contains($0) }
        try checkInquiry(.proof([sshd, echo]), answers) { $0 == sshd || $0 == echo }
        for answer in answers.prefix(2) {
            try checkShown(brief(answer))
            for command in [.version, .limit, .list, .status, .actions, .ban([address]), .unban([address])] as [ClientCommand] {
                try checkReply(ClientReply(answer, to: command, localNow: 1_795_212_000), longest: answer.count)
            }
        }
    }
}

/// An inquiry asks what fail2ban-client takes as one line, and finds out only what was asked for.
private func checkInquiry(_ purpose: ClientInquiry.Purpose, _ answers: [[UInt8]], _ isAskedFor: (Jail) -> Bool) throws(Finding) {
    var inquiry = ClientInquiry(purpose)
    try checkCommand(inquiry.begin())
    for answer in answers {
        switch inquiry.take(answer) {
        case .ask(let line): try checkCommand(line)
        case .failed(let failure): return try checkShown("\(failure)")
        case .done(let findings):
            for (jail, found) in findings.jails {
                try require(isAskedFor(jail), "\(jail) was not asked for")
                for ban in found.bans {
                    let event = Event(
                        host: try .whenFuzzing, jail: jail, action: .ban, address: ban.address, seen: ban.seen, end: ban.end, cause: .held)
                    try checkLine(of: event)
                }
            }
            return
        }
    }
}

private func checkCommand(_ line: String) throws(Finding) {
    try require(line.utf8.count < 4096 && line.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "no command: \(line)")
}

private func checkReply(_ reply: ClientReply, longest: Int) throws(Finding) {
    switch reply {
    case .version(let version): try checkShown(version.description)
    case .banned(let addresses): try require(addresses.count <= longest, "\(addresses.count) bans")
    case .limit(let seconds): try require(seconds ?? 0 >= 0, "a limit of \(seconds ?? 0) s")
    case .listed(let bans): try require(bans.count <= longest, "\(bans.count) bans")
    case .actions(let names): try checkShown(names)
    case .count(let count): try require(count >= 0, "\(count) bans")
    case .failure(let failure): try checkShown("\(failure)")
    }
}

/// What an operator gets to see is short, and does nothing to a terminal.
private func checkShown(_ text: String) throws(Finding) {
    try require(text.utf8.count <= 1500, "\(text.utf8.count) bytes")
    let isPrintable = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
    try require(isPrintable, "not printable: \(text.debugDescription)")
}

extension Hostname {
    /// The host in all targets.
    static var whenFuzzing: Hostname {
        get throws(Finding) {
            guard let name = Hostname("web1") else { throw Finding("no name of a host") }
            return name
        }
    }
}
