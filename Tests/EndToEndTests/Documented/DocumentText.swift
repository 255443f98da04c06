// The commands that a document tells its reader to run: a page of Markdown, or a man page.

/// A command as it stands in a document.
struct DocumentedCommand: Hashable {
    var text: String
    /// In a sentence, where it may be the beginning of a longer one: `fail2ban-monitor check`.
    var isMention: Bool
    /// The section that it is in, and whether a prompt names the host: `web1# `.
    var section: String
    var hasPrompt = false
    /// Where it is, for a message.
    var place: String
}

/// The commands of a document.
struct DocumentText {
    private(set) var commands: [DocumentedCommand] = []
    /// Lines that look like something to run, and begin with no program that is known here.
    private(set) var unknown: [String] = []

    /// What a command begins with, behind settings of the environment.
    private static let programs: Set<Substring> = [
        "apt-get", "chmod", "chown", "cp", "fail2ban-client", "fail2ban-cluster", "fail2ban-monitor", "fail2ban-monitor.py",
        "fail2ban-publisher", "fail2ban-publisher.py", "fail2ban-subscriber", "fail2ban-subscriber.py", "for", "install", "nft", "rm",
        "scp",
        "service", "sqlite3", "swift", "systemctl", "systemd-analyze", "systemd-sysusers", "tee",
    ]

    private static func isCommand(_ text: Substring) -> Bool {
        let words = text.split(separator: " ").drop { $0.prefixMatch(of: /[A-Z0-9_]+=/) != nil }
        return words.first.map { programs.contains($0) || $0.hasPrefix("scripts/") } ?? false
    }

    /// Reads Markdown: blocks that are indented are commands or configuration, those between fences are what programs print.
    init(markdown text: String, name: String) {
        var section = ""
        var block: [(line: Substring, place: String)] = []
        var isFenced = false
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isFenced.toggle() }
            guard !isFenced, !line.isEmpty else { continue }
            let place = "\(name):\(number + 1)"
            if line.hasPrefix("    ") {
                block.append((line.drop { $0 == " " }, place))
                continue
            }
            add(block, in: section)
            block = []
            if line.hasPrefix("## ") { section = String(line.dropFirst(3)) }
            addMentions(in: line, of: section, place)
        }
        add(block, in: section)
    }

    /// Reads a man page, which has no blocks of commands.
    init(manual text: String, name: String) {
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            addMentions(in: line, of: "", "\(name):\(number + 1)")
        }
    }

    private mutating func addMentions(in line: Substring, of section: String, _ place: String) {
        for (offset, span) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        where offset % 2 == 1 && (span.contains(" ") || span.hasPrefix("scripts/")) && Self.isCommand(span) {
            commands.append(DocumentedCommand(text: String(span), isMention: true, section: section, place: place))
        }
    }

    /// Each line of a block, or each line with a prompt, is a command; behind two blanks it may be explained. Configuration has none.
    private mutating func add(_ block: [(line: Substring, place: String)], in section: String) {
        guard let first = block.first, !first.line.hasPrefix("[") else { return }
        let prompt = /web[0-9]#\s/
        let prompted = block.filter { $0.line.prefixMatch(of: prompt) != nil }
        for (line, place) in prompted.isEmpty ? block : prompted {
            let rest = line.trimmingPrefix(prompt)
            let command = rest.firstRange(of: "  ").map { rest[..<$0.lowerBound] } ?? rest
            guard Self.isCommand(command) else {
                unknown.append("\(place): \(line)")
                continue
            }
            commands.append(
                DocumentedCommand(
                    text: String(command), isMention: false, section: section, hasPrompt: !prompted.isEmpty, place: place))
        }
    }
}
