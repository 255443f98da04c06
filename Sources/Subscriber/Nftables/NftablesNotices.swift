// Stage 3, enforcement: what the kernel tells of changes that others make to the table.

import CNetfilter
import Daemon
import Glibc

/// Hears of changes that others make to the table.
struct NftablesNotices: ~Copyable {
    private let socket: NetlinkSocket
    private let buffer: UnsafeMutableRawBufferPointer

    /// Room for some thousand notices: programs that load a list of addresses cause one for each.
    private static let room: Int32 = 4 << 20
    /// Datagrams taken in one turn of the loop, in 10 ms at most: enough for all that one transaction of a hundred thousand changes says.
    private static let mostInTurn = 4096

    /// - Parameter port: Whose changes are not told.
    init(exceptThoseOf port: UInt32) throws(SystemError) {
        let socket = try NetlinkSocket()
        try socket.reserve(receiving: NftablesNotices.room)
        try socket.followChanges(exceptThoseOf: port)
        self.socket = socket
        buffer = .allocate(byteCount: NetlinkSocket.longestPart, alignment: Int(MNL_ALIGNTO))
    }

    deinit { buffer.deallocate() }

    var descriptor: Int32 { socket.descriptor }

    /// By which the kernel knows it.
    var port: UInt32 { socket.port }

    /// Takes what is there; what it leaves keeps the descriptor readable.
    ///
    /// - Returns: whether the table, or something in it, was changed, or may have been since notices were lost.
    func next() throws(SystemError) -> Bool {
        var wasChanged = false
        for _ in 0..<NftablesNotices.mostInTurn {
            do throws(SystemError) {
                guard let count = try socket.receive(into: buffer) else { return wasChanged }
                let messages = NetlinkMessageSequence(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                wasChanged = wasChanged || messages.contains(where: NftablesNotices.isAboutTable)
            } catch {
                guard error.code == ENOBUFS else { throw error }
                wasChanged = true
            }
        }
        return wasChanged
    }

    /// The first attribute of all that nf_tables tells of tables, chains, rules, sets, elements and objects is the table's name.
    private static func isAboutTable(_ message: NetlinkMessage) -> Bool {
        guard let type = message.tablesType, type != NFT_MSG_NEWGEN.rawValue, message.family == UInt8(NFPROTO_INET) else { return false }
        return message.attributes.contains { $0.type == NFTA_TABLE_NAME.rawValue && $0.is(NftablesTable.name) }
    }
}
