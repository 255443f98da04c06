// Stage 1, event -> report: what the reporter decides without fail2ban's database, from fail2ban's own answers.

import Wire

extension Reporter {
    /// Decides on a line about which the database says nothing.
    mutating func decide(_ sighting: Sighting, without problem: WitnessProblem, _ now: Instant) {
        switch sighting.what {
        case .ban:
            let end = estimate(sighting)
            if problem.isLasting {
                holdingBack.banned(sighting.key, until: end, now: sighting.seen)
                if end == .unknown { hasUnknownEnds = true }
            }
            reportBan(sighting, end: end, isFinal: problem.isLasting, now)
        case .unban where problem.isLasting:
            ends.forget(sighting.key)
            guard holdingBack.unbanned(sighting.key, seen: sighting.seen, now: now) else { return }
            let unban = Undecided(address: sighting.address, seen: sighting.seen)
            if undecided.append(sighting.key, unban) { notice(.undecidedDropped) }
        case .unban:
            if ends.unban(sighting.key, seen: sighting.seen) { return }
            let unban = Undecided(address: sighting.address, seen: sighting.seen)
            if undecided.append(sighting.key, unban) { notice(.undecidedDropped) }
        case .increase(let end):
            increase(sighting, to: end)
        }
    }

    /// Jails whose Unbans are to be proven by fail2ban itself now.
    func clientQuestion(now: Instant) -> [Jail] { holdingBack.due(now: now) }

    /// The question is being asked: what it will decide is what waits now.
    ///
    /// - Returns: whether there is anything to ask about.
    mutating func ask(_ jails: [Jail], now: Instant) -> Bool {
        let wanted = Set(jails)
        let keys = Set(undecided.first(undecided.count).filter { wanted.contains($0.jail) })
        guard !keys.isEmpty else {
            holdingBack.answered(wanted, open: [], now: now)
            return false
        }
        holdingBack.ask(jails, about: keys)
        return true
    }

    /// Takes the answer. All that fail2ban had logged until then must have been taken before, since a stop's last line drops its Unbans.
    mutating func take(_ findings: ClientInquiry.Findings, now: Instant) {
        var answered: Set<Jail> = []
        for jail in holdingBack.askedJails {
            guard let found = findings.jails[jail] else { continue }
            answered.insert(jail)
            let banned = Set(found.bans.map(\.address))
            for key in holdingBack.asked where key.jail == jail {
                guard let unban = undecided.remove(key) else { continue }
                if !findings.logsStops {
                    notice(.stopsNotLogged)
                } else if !banned.contains(unban.address) {
                    reportLate(key, unban.address, .unban, .lifted, seen: unban.seen)
                }
            }
        }
        let open = Set(undecided.first(undecided.count).lazy.map(\.jail))
        holdingBack.answered(answered, open: open, now: now)
    }

    /// Takes what a list says of ban times and ends.
    mutating func learn(_ findings: ClientInquiry.Findings, now: Timestamp) {
        hasUnknownEnds = false
        for (jail, found) in findings.jails {
            if let banTime = found.banTime { lastBanTimes[jail] = banTime }
            for ban in found.bans {
                let key = HoldKey(jail: jail, id: ban.address.description)
                if undecided[key] == nil { holdingBack.banned(key, until: ban.end, now: now) }
            }
        }
    }

    /// fail2ban could not be asked: what waits is held on.
    mutating func clientFailed(now: Instant) { holdingBack.failed(now: now) }

    /// Without a database, Unbans of a stop are dropped.
    mutating func obey(_ line: ServerLine) {
        let dropped = holdingBack.take(line)
        guard problem?.isLasting ?? false else { return }
        for key in undecided.first(undecided.count) where dropped.concerns(key.jail) { undecided.remove(key) }
    }

    /// Bans that were reported and whose rows are not there: a list has them too, until they end.
    var awaitedHolds: [Hold] {
        ends.awaited.map { Hold(jail: $0.key.jail, address: $0.pending.address, seen: $0.pending.seen, end: $0.pending.reported) }
    }
}

extension HoldingBack.Dropped {
    fileprivate func concerns(_ jail: Jail) -> Bool {
        switch self {
        case .jail(let stopped): stopped == jail
        case .everybody: true
        }
    }
}
