// Stage 3, enforcement: the table's sets as the kernel has them, read a page at a time. Called on a thread beside the loop.

import CNetfilter
import Daemon
import Glibc

/// Reads the table's sets, a page at a time.
final class NftablesReader: Sendable {
    /// What to read: a set from its beginning, or the next page of the one that was begun.
    enum Request: Hashable, Sendable {
        case begin(NftablesSet)
        case goOn(NftablesSet)

        var set: NftablesSet {
            switch self {
            case .begin(let set), .goOn(let set): set
            }
        }
    }

    struct Page: Hashable, Sendable {
        var set: NftablesSet
        var elements: [NftablesElement] = []
        var isLast = false
    }

    /// Elements of one page, at least; one part of the dump can bring more. So that looking at them takes the loop 1 ms.
    static let pageSize = 4000
    /// How long one page may take, at most by one part more. The kernel walks a hash set from its beginning for each part, so that with a
    /// million elements a part takes 50 ms.
    static let pageTime: Duration = .milliseconds(20)

    /// The socket of the dump that is under way. Each has its own: the kernel does one at a time on a socket, and one that is given up
    /// would have to be read to its end, which takes most of a minute for a million elements.
    private let dump = Guarded<NetlinkSocket?>(nil)

    /// - Throws: ENOENT when there is no such set.
    func read(_ request: Request) throws(SystemError) -> Page {
        try dump.withLock { (dump: inout NetlinkSocket?) throws(SystemError) in
            if case .begin(let set) = request { dump = try NftablesReader.begin(set) }
            guard let socket = dump.take() else { throw SystemError("read a set of nftables", code: EINTR) }
            let page = try NftablesReader.page(of: request.set, from: socket)
            if !page.isLast { dump = consume socket }
            return page
        }
    }

    private static func begin(_ set: NftablesSet) throws(SystemError) -> NetlinkSocket {
        let socket = try NetlinkSocket()
        var messages = NetlinkMessages()
        messages.append(NFT_MSG_GETSETELEM, NLM_F_DUMP) { message in
            message.put(NFTA_SET_ELEM_LIST_TABLE, NftablesTable.name)
            message.put(NFTA_SET_ELEM_LIST_SET, set.rawValue)
        }
        try socket.send(messages.bytes)
        return socket
    }

    /// That the kernel calls a dump interrupted (NLM_F_DUMP_INTR) says nothing: so it does whenever any table of the machine changes. What
    /// changes in ours is known: it is written here, or heard of.
    private static func page(of set: NftablesSet, from socket: borrowing NetlinkSocket) throws(SystemError) -> Page {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: NetlinkSocket.longestPart, alignment: Int(MNL_ALIGNTO))
        defer { buffer.deallocate() }
        var page = Page(set: set)
        let limit = ContinuousClock.now + NftablesReader.pageTime
        while !page.isLast, page.elements.count < NftablesReader.pageSize, ContinuousClock.now < limit {
            guard let count = try socket.receive(into: buffer) else { throw SystemError("read a set of nftables", code: EINTR) }
            for message in NetlinkMessageSequence(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                if let code = message.acknowledged { throw SystemError("read a set of nftables", code: code) }
                if message.type == UInt16(NLMSG_DONE) { page.isLast = true }
                guard message.tablesType == NFT_MSG_NEWSETELEM.rawValue else { continue }
                NftablesElement.append(message, of: set, now: .now, to: &page.elements)
            }
        }
        return page
    }
}
