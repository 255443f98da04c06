// The operator's command: `fail2ban-cluster watch`, each announcement as the publisher makes it.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct WatchCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Show each announcement as it is made, until Ctrl-C.",
        discussion: """
            One line each: when, what, until when, and who caused it; coloured on a terminal. This host's key needs the role subscriber or \
            operator. It shows what is announced from now on; `history` has what was before.
            """)

    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption

    /// A beat comes each second.
    private static let silence: Duration = .seconds(10)

    func perform(_ configuration: Configuration) throws -> String {
        let signals = try SignalDescriptor()
        let endpoints = WatchCommand.endpoints(of: configuration)
        guard !endpoints.isEmpty else {
            throw ServiceError(
                "\(configuration.path) does not say where the publisher broadcasts", hint: "set zmqpublisherurl in [subscriber]",
                exitStatus: .configuration)
        }
        let keys = KeyDirectory(configuration.general.keyDirectory)
        let choices = try keys.clientKeys()
        var source = try BroadcastSource(in: try Context(), endpoints: endpoints) { (try? keys.clientKeys()) ?? choices }
        var line = AnnouncementLine(isColoured: Terminal.isColoured && !output.json)
        var deadline = ContinuousClock.now + WatchCommand.silence
        var polled = PollSet()
        while true {
            polled.removeAll()
            source.add(to: &polled)
            let signal = polled.add(descriptor: signals.descriptor)
            try polled.wait(until: deadline)
            if polled.isReadable(signal), signals.next() == .terminate { return "" }
            while let frame = try source.receive() {
                deadline = .now + WatchCommand.silence
                guard let broadcast = try? Broadcast(frame: frame.span) else { continue }
                let text = try line.text(of: broadcast, json: output.json)
                if !text.isEmpty { StandardStreams.write(text) }
            }
            guard ContinuousClock.now >= deadline else { continue }
            let names = endpoints.map(\.description).joined(separator: ", ")
            StandardStreams.writeError(
                "\(OperatorProgram.programName): no broadcast from \(names); trying again. See that the publisher "
                    + "runs, that the port is open, and that this host's key has the role subscriber or operator\n")
            deadline = .now + WatchCommand.silence
            try source.renew()
        }
    }

    /// Where this host's subscriber listens; on the publisher's own host its endpoint on loopback will do.
    private static func endpoints(of configuration: Configuration) -> [Endpoint] {
        let publishers = configuration.subscriber?.publishers ?? []
        if publishers.isEmpty, let bind = configuration.publisher?.broadcasterBind, let endpoint = bind.reachable { return [endpoint] }
        return publishers
    }
}

/// Announcements as lines, and what is to be said between them. A value without socket or clock.
struct AnnouncementLine {
    /// SGR of ECMA-48: red for a ban, green for the end of one, dim for a note.
    private enum Colour: String {
        case ban = "31"
        case unban = "32"
        case note = "2"
    }

    let isColoured: Bool
    private var term: Term?
    private var last: UInt64 = 0

    init(isColoured: Bool) { self.isColoured = isColoured }

    /// The lines of a broadcast; none for a beat that brings no news.
    mutating func text(of broadcast: Broadcast, json: Bool) throws -> String {
        var text = ""
        if let term, term != broadcast.term {
            text += json ? "" : coloured("the publisher was started anew", .note)
        } else if term != nil, broadcast.first > last + 1 {
            let missed = broadcast.first - last - 1
            text += json ? "" : coloured("\(missed) announcements were missed; fail2ban-cluster history has them", .note)
        }
        for event in broadcast.events { text += try json ? JSONOutput.line(AnnouncementJSON(event)) : line(event) }
        (term, last) = (broadcast.term, broadcast.last)
        return text
    }

    private func line(_ event: Event) -> String {
        let time = (event.admitted ?? event.seen).map(\.utcText) ?? "-"
        let origin = event.cause == .operator ? "operator on \(event.host)" : "\(event.host)/\(event.jail)"
        let end: String =
            switch event.end {
            case .unknown: ""
            case .permanent: " for ever"
            case .at(let time): " until \(time.utcText)"
            }
        let text = "\(time)  \(event.action.rawValue) \(event.address)\(end)  \(origin), \(event.cause.rawValue)"
        return coloured(text, event.action == .ban ? .ban : .unban)
    }

    private func coloured(_ text: String, _ colour: Colour) -> String {
        isColoured ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m\n" : "\(text)\n"
    }
}

/// An announcement, as `watch --json` prints it.
private struct AnnouncementJSON: Encodable {
    var number: UInt64?
    var action: String
    var address: String
    var host: String
    var jail: String
    var cause: String
    var seen: Int64?
    var admitted: Int64?
    var end: Int64?
    var permanent: Bool

    init(_ event: Event) {
        number = event.number
        action = event.action.rawValue
        address = event.address.description
        host = event.host.description
        jail = event.jail.description
        cause = event.cause.rawValue
        seen = event.seen?.milliseconds
        admitted = event.admitted?.milliseconds
        if case .at(let time) = event.end { end = time.milliseconds }
        permanent = event.end == .permanent
    }
}
