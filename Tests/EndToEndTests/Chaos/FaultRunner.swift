// Fault test: carries faults out and ends them again.

import Glibc
import TestSupport
import Testing

extension ChaosCluster {
    /// Begins a fault, lets it last, and ends it.
    func carryOut(_ fault: Fault) async throws {
        try await parts.with(fault.parts) {
            await record.note { $0.faults[fault.kind, default: 0] += 1 }
            let host = host(fault.host)
            switch fault.kind {
            case .killMonitor: try await kill(.monitor, fault)
            case .killPublisher: try await kill(.publisher, fault)
            case .killSubscriber: try await kill(.subscriber, fault)
            case .restartMonitor: try await restart(.monitor, host)
            case .restartPublisher: try await restart(.publisher, host)
            case .restartSubscriber: try await restart(.subscriber, host)
            case .killFail2ban:
                await host.doubt.begin()
                try await host.killFail2ban()
                try await last(fault)
                try await host.startFail2ban()
            case .restartFail2ban:
                try await run(on: fault.host, "timeout", "120", "fail2ban-client", "-c", "\(host.lab.folder)/fail2ban", "restart")
                try await host.recover()
            case .reloadFail2ban:
                try await reload(host)
            case .stopJail, .stopClusterJail:
                let jail = fault.kind == .stopJail ? "door" : "fail2ban-cluster"
                _ = try await host.client(["stop", jail])
                try await last(fault)
                try await reload(host)
            case .unbanAll:
                if await host.doubt.isThere { try await host.recover() }
                try await host.awaitRestoredBans()
                let outcome = try await host.client(["unban", "--all"])
                try #require(outcome.status == 0, "\(outcome)")
                await record.tell { $0.liftedAll(of: fault.host) }
            case .cutLink:
                try await run(on: 0, "ip", "link", "set", "port\(fault.host)", "down")
                try await last(fault)
                try await run(on: 0, "ip", "link", "set", "port\(fault.host)", "up")
            case .loss: try await lose(fault)
            case .delay:
                relays[fault.host]?.delay = fault.delay
                try await last(fault)
                relays[fault.host]?.delay = 0
            case .rotateByRename: try await rotate(host, .rename)
            case .rotateCompressed: try await rotate(host, .compress)
            case .rotateByCopy: try await rotate(host, .copy)
            case .fullDisk: try await fillDisk(fault)
            case .restoreBackup: try await restoreBackup(fault)
            case .stepMonitorClock: try await stepClock(.monitor, fault)
            case .stepPublisherClock: try await stepClock(.publisher, fault)
            case .stepSubscriberClock: try await stepClock(.subscriber, fault)
            }
        }
    }

    private func last(_ fault: Fault) async throws { try await Task.sleep(for: .milliseconds(fault.length)) }

    private func kill(_ daemon: DaemonProgram, _ fault: Fault) async throws {
        let host = host(fault.host)
        try await host.kill(daemon)
        try await last(fault)
        try await host.start(daemon)
        if daemon == .subscriber { await record.subscriberStarted(on: fault.host) }
    }

    private func restart(_ daemon: DaemonProgram, _ host: ChaosHost) async throws {
        // Where it can't start at this moment, it doesn't run afterwards.
        if try await host.control(daemon, "restart").status != 0 { try await host.start(daemon) }
        if daemon == .subscriber { await record.subscriberStarted(on: host.number) }
    }

    /// Brings a stopped jail back too.
    private func reload(_ host: ChaosHost) async throws {
        let outcome = try await host.client(["-c", "\(host.lab.folder)/fail2ban", "reload"])
        try #require(outcome.status == 0, "\(outcome)")
        try await host.recover()
    }

    /// What logrotate does, in its three ways, one after another without a name that two ways use; none is ever deleted.
    private func rotate(_ host: ChaosHost, _ way: RotationWay) async throws {
        let shift = """
            cd "$0" && ls fail2ban.log.* 2> /dev/null | sort -t . -k 3,3nr | while IFS=. read -r a b number end; do
                mv "$a.$b.$number${end:+.$end}" "$a.$b.$((number + 1))${end:+.$end}"
            done

            """
        let renaming =
            "mv fail2ban.log fail2ban.log.1 && install -m 640 /dev/null fail2ban.log && fail2ban-client -s ./fail2ban.sock flushlogs"
        let deed =
            switch way {
            case .rename: renaming
            case .compress: "\(renaming); gzip fail2ban.log.1"
            case .copy: "cp -p fail2ban.log fail2ban.log.1 && truncate -s 0 fail2ban.log"
            }
        let outcome = try await execute(["sh", "-c", shift + deed, host.lab.folder])
        // A fail2ban that is down has nothing to reopen.
        if way == .copy { try #require(outcome.status == 0, "\(outcome)") }
    }

    private enum RotationWay { case rename, compress, copy }

    /// The kernel may have no netem; nftables can drop at random too. The table is none of fail2ban's.
    private func lose(_ fault: Fault) async throws {
        try await run(
            on: fault.host, "nft",
            """
            table inet chaos { chain input { type filter hook input priority -300; \
            iifname eth0 numgen random mod 100 < \(fault.lossPercentage) drop; }; }
            """)
        try await last(fault)
        try await run(on: fault.host, "nft", "delete table inet chaos")
    }

    private func fillDisk(_ fault: Fault) async throws {
        let file = "\(stateFolder)/fill"
        // It ends with status 1: no space left on device.
        _ = try await execute(["dd", "if=/dev/zero", "of=\(file)", "bs=64k", "status=none"])
        try await last(fault)
        try #require(unlink(file) == 0)
    }

    /// What the publisher did since the backup is lost for it. The hosts know it.
    private func restoreBackup(_ fault: Fault) async throws {
        let host = publisherHost
        let backup = "\(host.lab.folder)/backup.sqlite"
        unlink(backup)
        let made = try await execute(["sqlite3", "-cmd", ".timeout 10000", journal, ".backup '\(backup)'"])
        try #require(made.status == 0, "\(made)")
        let lastRow = try await JournalLine.read(backup).last?.row ?? 0
        try await last(fault)
        if fault.size.isMultiple(of: 2) { try await host.kill(.publisher) } else { _ = try await host.control(.publisher, "stop") }
        await record.lose(try await JournalLine.read(journal, after: lastRow))
        for file in [journal + "-wal", journal + "-shm"] { unlink(file) }
        let copied = try await execute(["cp", backup, journal])
        try #require(copied.status == 0, "\(copied)")
        try await host.start(.publisher)
        await record.journalRestored(hosts: hosts.count)
    }

    /// Its wall clock is wrong for a while; libfaketime reads the file once a second.
    private func stepClock(_ daemon: DaemonProgram, _ fault: Fault) async throws {
        let file = host(fault.host).clockFile(of: daemon)
        let step = Int64(fault.clockStep) * 1000
        // Nobody else's clock may move an end.
        if daemon == .monitor { await record.tell { $0.monitorClockStepped(of: fault.host, by: step, now: ChaosRecord.now()) } }
        try writeFile(file, "\(fault.clockStep > 0 ? "+" : "")\(fault.clockStep)\n")
        try await last(fault)
        try writeFile(file, "+0\n")
        try await Task.sleep(for: .milliseconds(1100))
        if daemon == .monitor { await record.tell { $0.monitorClockRight(of: fault.host) } }
    }
}
