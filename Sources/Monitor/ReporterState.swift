// Stage 1, event -> report: what the reporter knows that the log won't tell again.

import Wire

extension Reporter {
    /// What a restart must not lose. The lines it comes from have been read, and are not read again.
    public struct SavedState: Equatable, Sendable {
        /// Decided, and not acknowledged yet, in their order.
        public var lines: [Report.Entry] = []
        public var undecided: [UndecidedUnban] = []
        public var ends: [PendingEnd] = []

        public init(lines: [Report.Entry] = [], undecided: [UndecidedUnban] = [], ends: [PendingEnd] = []) {
            self.lines = lines
            self.undecided = undecided
            self.ends = ends
        }
    }

    /// An Unban that waits for the database.
    public struct UndecidedUnban: Hashable, Sendable {
        public var key: HoldKey
        public var address: Address
        /// When the Unban line was written.
        public var seen: Timestamp
    }

    /// A ban whose row was not in the database yet.
    public struct PendingEnd: Hashable, Sendable {
        public var key: HoldKey
        public var address: Address
        /// When the Ban line was written.
        public var seen: Timestamp
        /// The end that was reported.
        public var reported: BanEnd
        /// When an Unban line followed.
        public var unbanned: Timestamp?
    }
}
