// Stage 1, event -> report: what fail2ban-client is asked, command by command, and what its answers say. No I/O, no clock.

import Daemon
import Wire

/// One round of questions to a running fail2ban, for what its database would have told. One command at a time, in words that every
/// version of fail2ban since 0.9 knows; those before 0.11.1 can't tell when a ban ends.
struct ClientInquiry: Sendable {
    enum Purpose: Hashable, Sendable {
        /// All bans of the jails that are reported.
        case list(ReportedJails)
        /// What these jails ban now.
        case proof([Jail])
    }

    struct Ban: Hashable, Sendable {
        var address: Address
        /// When fail2ban banned; `nil` where it doesn't say.
        var seen: Timestamp?
        var end: BanEnd
    }

    struct JailFindings: Hashable, Sendable {
        /// Seconds, -1 permanent.
        var banTime: Int64?
        var bans: [Ban] = []
    }

    struct Findings: Hashable, Sendable {
        /// Whether fail2ban's log has the lines of jails that stop: below INFO it hasn't, and their Unbans look like an admin's.
        var logsStops = false
        /// The jails that run, of those asked for.
        var jails: [Jail: JailFindings] = [:]
    }

    enum Step: Hashable, Sendable {
        case ask(String)
        case done(Findings)
        case failed(ClientFailure)
    }

    private enum Question: Hashable {
        case version
        case logLevel
        case jails
        case banTime(Jail)
        case bans(Jail)
    }

    let purpose: Purpose
    private var version: ClientVersion?
    private var findings = Findings()
    private var asked = Question.version
    /// What is still to be asked, the next one last.
    private var questions: [Question] = []
    private var time = LogTime()

    init(_ purpose: Purpose) { self.purpose = purpose }

    /// The first command.
    mutating func begin() -> String { line(.version) }

    /// Takes what fail2ban-client printed.
    mutating func take(_ text: [UInt8]) -> Step {
        let lines = text.split(separator: UInt8(ascii: "\n"))
        let heads = lines.map { ClientFailure.head($0.prefix(400)) }
        if let failure = ClientFailure(heads: heads) {
            // The jail was stopped meanwhile, or is about to be started.
            switch (asked, failure) {
            case (.banTime(let jail), .unknownJail), (.bans(let jail), .unknownJail):
                findings.jails[jail] = nil
                questions.removeAll { $0 == .bans(jail) }
                return next()
            default: return .failed(failure)
            }
        }
        let last = heads.last ?? ""
        switch asked {
        case .version:
            guard let version = ClientVersion(last) else { return .failed(.unclear(brief(text))) }
            self.version = version
            questions = [.logLevel]
            switch purpose {
            case .list: questions.insert(.jails, at: 0)
            case .proof(let jails): questions.insert(contentsOf: jails.reversed().map(Question.bans), at: 0)
            }
        case .logLevel:
            findings.logsStops = ["INFO", "DEBUG"].contains { last.contains($0) }
        case .jails:
            guard let list = lines.last(where: { ClientFailure.head($0.prefix(400)).contains("Jail list:") }) else {
                return .failed(.unclear(brief(text)))
            }
            questions = ClientInquiry.jails(in: list).filter { jail in
                if case .list(let reported) = purpose { reported.contains(jail) } else { false }
            }.flatMap { [.bans($0), .banTime($0)] }
        case .banTime(let jail):
            findings.jails[jail] = JailFindings(banTime: Int64(last))
        case .bans(let jail):
            if version?.listsBans == true {
                findings.jails[jail, default: JailFindings()].bans = lines.flatMap { bans(in: $0) }
            } else {
                guard let list = lines.last(where: { ClientFailure.head($0.prefix(400)).contains("IP list:") }) else {
                    return .failed(.unclear(brief(text)))
                }
                findings.jails[jail, default: JailFindings()].bans = ClientInquiry.addresses(in: list)
            }
        }
        return next()
    }

    private mutating func next() -> Step {
        guard let question = questions.popLast() else { return .done(findings) }
        return .ask(line(question))
    }

    private mutating func line(_ question: Question) -> String {
        asked = question
        let isTimed = if case .list = purpose { true } else { false }
        return switch question {
        case .version: "version"
        case .logLevel: "get loglevel"
        case .jails: "status"
        case .banTime(let jail): "get \(jail) bantime"
        case .bans(let jail) where version?.listsBans == true: "get \(jail) banip" + (isTimed ? " --with-time" : "")
        case .bans(let jail): "status \(jail)"
        }
    }

    /// `- Jail list:	echo, sshd`
    private static func jails(in line: ArraySlice<UInt8>) -> [Jail] {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return [] }
        return line[(colon + 1)...].split(separator: UInt8(ascii: ",")).compactMap { word in
            Jail(ClientFailure.head(word))
        }
    }

    private static func addresses(in line: ArraySlice<UInt8>) -> [Ban] {
        line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.compactMap { word in
            Address(bytes: word.span).map { Ban(address: $0, seen: nil, end: .unknown) }
        }
    }

    /// A ban with its times; without `--with-time` a line has addresses side by side.
    private mutating func bans(in line: ArraySlice<UInt8>) -> [Ban] {
        guard line.contains(UInt8(ascii: "\t")) else { return ClientInquiry.addresses(in: line) }
        guard let ban = TimedBan(line: line), let begin = ban.begin, let banTime = ban.banTime else { return [] }
        let seen = time.end(begin)
        return [Ban(address: ban.address, seen: seen, end: BanRow(timeOfBan: seen.milliseconds / 1000, banTime: banTime).end)]
    }
}
