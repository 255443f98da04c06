// Stage 1, log line -> event -> report: all that a monitor must know to go on after it was killed, and its text.

import Wire

/// The monitor between two of its steps. An older one is as good: what was done since is done again with the same positions, and the
/// publisher skips what it has; only while several files are open, or one was truncated, it must be written before what was read is sent.
struct Checkpoint: Equatable {
    /// Of the machine that wrote it; `-` for one without.
    var machine: String
    var host: Hostname
    /// See ``Wire/Report/stream``.
    var stream: String
    var logPath: String
    var place: LogPlace
    /// The publisher's term in which the complete list of holds was compared last, on this stream and since its last gap.
    var healedTerm: Term?
    var reporter: Reporter.SavedState

    private static let title = "fail2ban-cluster monitor checkpoint 1"

    // MARK: - Text

    /// A title, lines of `key=value`, and a checksum. The events are those of the wire.
    var text: [UInt8] {
        var text: [UInt8] = []
        func add(_ key: String, _ value: String) { text.append(contentsOf: "\(key)=\(value)\n".utf8) }
        func add(_ key: String, _ fields: String, _ event: Event) {
            text.append(contentsOf: "\(key)=\(fields)|".utf8)
            event.appendLine(to: &text)
            text.append(UInt8(ascii: "\n"))
        }
        text.append(contentsOf: (Checkpoint.title + "\n").utf8)
        add("machine", machine)
        add("host", "\(host)")
        add("stream", stream)
        add("log", logPath)
        add("healed", healedTerm?.description ?? "-")
        add("position", "\(place.position)")
        for file in place.files {
            add(
                "file",
                "\(file.head.count) \(String(file.head.hash, radix: 16)) \(file.offset) \(file.modified) \(file.isAfterGap ? "gap" : "-")")
        }
        for head in place.past { add("past", "\(head.count) \(String(head.hash, radix: 16))") }
        for line in reporter.lines {
            guard case .success(let event) = line.content else { continue }
            add("line", line.position.map(String.init) ?? "-", event)
        }
        for unban in reporter.undecided {
            add(
                "unban", unban.key.id,
                Event(host: host, jail: unban.key.jail, action: .unban, address: unban.address, seen: unban.seen, cause: .lifted))
        }
        for ban in reporter.ends {
            let event = Event(
                host: host, jail: ban.key.jail, action: .ban, address: ban.address, seen: ban.seen, end: ban.reported, cause: .detected)
            add("ban", "\(ban.key.id)|\(ban.unbanned.map { "\($0)" } ?? "-")", event)
        }
        add("sum", String(fnv1a(text.span), radix: 16))
        return text
    }

    /// - Returns: `nil` for anything but the whole text of a checkpoint of this version.
    init?(text: [UInt8]) {
        guard let body = Checkpoint.checked(text) else { return nil }
        var values: [String: String] = [:]
        var files: [LogPlace.File] = []
        var past: [LogHead] = []
        var state = Reporter.SavedState()
        var isTitled = false
        for line in body.split(separator: UInt8(ascii: "\n")) {
            if !isTitled {
                guard line.elementsEqual(Checkpoint.title.utf8) else { return nil }
                isTitled = true
                continue
            }
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let (key, value) = (String(decoding: line[..<equals], as: UTF8.self), line[(equals + 1)...])
            switch key {
            case "file":
                guard let file = Checkpoint.file(value) else { return nil }
                files.append(file)
            case "past":
                guard let head = Checkpoint.head(Checkpoint.words(value)) else { return nil }
                past.append(head)
            case "line":
                guard let (fields, event) = Checkpoint.event(value, fields: 1),
                    let position = Checkpoint.optional(fields[0], Checkpoint.position)
                else { return nil }
                state.lines.append(Report.Entry(position: position, event))
            case "unban":
                guard let (fields, event) = Checkpoint.event(value, fields: 1), let seen = event.seen else { return nil }
                let key = HoldKey(jail: event.jail, id: fields[0])
                state.undecided.append(Reporter.UndecidedUnban(key: key, address: event.address, seen: seen))
            case "ban":
                guard let (fields, event) = Checkpoint.event(value, fields: 2), let seen = event.seen,
                    let unbanned = Checkpoint.optional(fields[1], { Timestamp(bytes: Array($0.utf8).span) })
                else { return nil }
                let key = HoldKey(jail: event.jail, id: fields[0])
                state.ends.append(
                    Reporter.PendingEnd(key: key, address: event.address, seen: seen, reported: event.end, unbanned: unbanned))
            default:
                guard values.updateValue(String(decoding: value, as: UTF8.self), forKey: key) == nil else { return nil }
            }
        }
        guard values.count == 6, let machine = values["machine"], let host = values["host"].flatMap({ Hostname($0) }),
            let stream = values["stream"], Checkpoint.isStream(stream), let logPath = values["log"],
            let healed = values["healed"].flatMap({ Checkpoint.optional($0) { Term($0) } }),
            let position = values["position"].flatMap(Checkpoint.position)
        else { return nil }
        self.machine = machine
        self.host = host
        self.stream = stream
        self.logPath = logPath
        place = LogPlace(position: position, files: files, past: past)
        healedTerm = healed
        reporter = state
    }

    init(
        machine: String, host: Hostname, stream: String, logPath: String, place: LogPlace, healedTerm: Term?,
        reporter: Reporter.SavedState
    ) {
        self.machine = machine
        self.host = host
        self.stream = stream
        self.logPath = logPath
        self.place = place
        self.healedTerm = healedTerm
        self.reporter = reporter
    }

    /// The text before the checksum; `nil` when that is missing or wrong.
    private static func checked(_ text: [UInt8]) -> ArraySlice<UInt8>? {
        guard text.last == UInt8(ascii: "\n"), let newline = text.dropLast().lastIndex(of: UInt8(ascii: "\n")) else { return nil }
        let sum = "sum=\(String(fnv1a(text.span.extracting(0...newline)), radix: 16))\n"
        return text[(newline + 1)...].elementsEqual(sum.utf8) ? text[...newline] : nil
    }

    /// A position that may travel, see ``Wire/Report/Entry/position``.
    private static func position(_ text: String) -> UInt64? { UInt64(text).flatMap { $0 <= UInt64(Int64.max) ? $0 : nil } }

    private static func words(_ value: ArraySlice<UInt8>) -> [Substring] {
        String(decoding: value, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    }

    private static func file(_ value: ArraySlice<UInt8>) -> LogPlace.File? {
        let words = words(value)
        guard words.count == 5, let head = head(Array(words[..<2])), let offset = UInt64(words[2]), offset <= UInt64(Int64.max),
            let modified = Int64(words[3]), words[4] == "-" || words[4] == "gap"
        else { return nil }
        return LogPlace.File(head: head, offset: offset, modified: modified, isAfterGap: words[4] == "gap")
    }

    private static func head(_ words: [Substring]) -> LogHead? {
        guard words.count == 2, let count = Int(words[0]), (0...LogHead.longest).contains(count), let hash = UInt64(words[1], radix: 16)
        else { return nil }
        return LogHead(count: count, hash: hash)
    }

    /// Some fields and an event's line behind them.
    private static func event(_ value: ArraySlice<UInt8>, fields: Int) -> (fields: [String], Event)? {
        let parts = value.split(separator: UInt8(ascii: "|"), maxSplits: fields, omittingEmptySubsequences: false)
        guard parts.count == fields + 1, let event = try? Event(line: Array(parts[fields]).span) else { return nil }
        return (parts[..<fields].map { String(decoding: $0, as: UTF8.self) }, event)
    }

    private static func optional<Value>(_ text: String, _ parse: (String) -> Value?) -> Value?? {
        text == "-" ? .some(nil) : parse(text).map(Optional.some)
    }

    private static func isStream(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-")
            }
    }
}

/// Why a monitor does not go on where the last one was.
enum NoCheckpoint: Error, Equatable, CustomStringConvertible {
    case missing
    case damaged
    /// errno's words.
    case unreadable(String)
    /// A cloned machine, or one that was installed anew.
    case otherMachine
    case otherLog(String)
    case otherHost(String)

    var description: String {
        switch self {
        case .missing: "there is no checkpoint"
        case .damaged: "the checkpoint is damaged"
        case .unreadable(let words): "the checkpoint can't be read (\(words))"
        case .otherMachine: "the checkpoint is another machine's"
        case .otherLog(let path): "the checkpoint is of \(path)"
        case .otherHost(let host): "the checkpoint is of the host \(host)"
        }
    }
}
