// Stage 3, enforcement: what it means when the kernel refuses something about nftables, and what a person can do.

import Daemon
import Glibc

extension SystemError {
    /// What stands in the way of a change of nftables, or of reading it.
    enum NftablesObstacle: Hashable, Sendable {
        /// The table, or something in it, isn't there.
        case gone
        /// It may go at another time: the kernel is busy or short of memory.
        case passing
        /// Only a person can change it.
        case person
        /// Something in the transaction, as far as is known.
        case content
    }

    var nftablesObstacle: NftablesObstacle {
        switch code {
        case ENOENT: .gone
        case EBUSY, EINTR, EAGAIN, ENOBUFS, ENOMEM, EMFILE, ENFILE: .passing
        case EPERM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT, EOPNOTSUPP: .person
        default: .content
        }
    }

    /// What the operator may do about it.
    var nftablesRemedy: String? {
        switch code {
        case EPERM, EACCES: "run the subscriber as root, or with the capability CAP_NET_ADMIN"
        // EINVAL is what a kernel says that knows netfilter and not nf_tables (net/netfilter/nfnetlink.c).
        case EAFNOSUPPORT, EPROTONOSUPPORT, EOPNOTSUPP, EINVAL:
            "load the kernel's module nf_tables; where that can't be, enforce through fail2ban-client"
        case ENOBUFS, ENOMEM: "look for what takes the memory of the kernel or of this container"
        case EBUSY, EINTR, EAGAIN: "look for a program that changes nftables all the time: nft monitor"
        default: nil
        }
    }
}
