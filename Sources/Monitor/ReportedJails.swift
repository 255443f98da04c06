// Stage 1, log line -> event: which jails' bans are reported.

import Daemon
import Wire

/// The configuration's choice of jails (`jails`, `ignorejails`), and the two that are never reported whatever it says.
public struct ReportedJails: Hashable, Sendable {
    private let selection: JailSelection
    private let ignored: Set<Jail>

    public init(_ settings: MonitorSettings) {
        selection = settings.jails
        ignored = settings.ignoredJails
    }

    public func contains(_ jail: Jail) -> Bool {
        // The cluster's own bans must never come back as a host's; that would make them everlasting.
        if jail == .cluster || jail == .legacyCluster || ignored.contains(jail) { return false }
        return switch selection {
        case .all: true
        case .only(let jails): jails.contains(jail)
        }
    }

    /// Why a jail is not reported, for the operator; `nil` when it is.
    public func refusal(of jail: Jail) -> String? {
        if contains(jail) { return nil }
        if jail == .cluster || jail == .legacyCluster { return "[\(jail)] is the cluster's own jail" }
        return ignored.contains(jail) ? "[\(jail)] is in ignorejails" : "[\(jail)] is not in jails"
    }
}
