// Stage 3, enforcement: what every way of enforcing offers to the subscriber's loop, the same few verbs for all.

import Daemon
import Wire
import ZeroMQ

/// A way of enforcing the wanted set on this host.
///
/// Enforcers live on the loop's thread and never block it: slow work is done by a child process, or by the kernel, whose descriptors the
/// loop polls. So no announcement waits for enforcement, and there is nothing to lock. What waits is kept by address, so an address that
/// changes often while its enforcer is busy takes one place, and its last state counts.
public protocol Enforcer: AnyObject {
    /// As `subscriberaction` in the configuration names it.
    var name: String { get }

    /// Whether what is enforced agreed with what is wanted when that was last looked at. One that keeps no list is, when nothing waits.
    var isSettled: Bool { get }

    /// Whether it may enforce something that isn't wanted and that it leaves alone until ``WantedSet/completeFrom``.
    var hasUnexplained: Bool { get }

    /// The version of the program that it works with, when that is known.
    var version: String? { get }

    /// Changes that it has heard of and that are not carried out for certain: those under way too.
    var waiting: Int { get }

    /// Why nothing can be enforced at present, in words for an operator; `nil` while all is well.
    var trouble: String? { get }

    /// What it works with beyond the version, for the host's state; `nil` when there is nothing to tell.
    var server: JSONText? { get }

    /// The addresses that are refused by now, of those announced since this was last asked; none where it can't tell.
    func takeApplied() -> [Address]

    /// Hears what changed about one address. It starts no work, so that a burst becomes few calls.
    func take(_ change: WantedSet.Change)

    /// Adds the descriptors on which work under way reports back.
    func add(to polled: inout PollSet)

    /// When ``advance(wanted:now:)`` must be called at the latest; `nil` when only changes and descriptors call for it.
    var deadline: ContinuousClock.Instant? { get }

    /// Takes results that are there, and starts what can be started. Called once each turn of the loop.
    ///
    /// - Parameter wanted: The truth to enforce; what waits in an enforcer is only which addresses to look at.
    func advance(wanted: WantedSet, now: ContinuousClock.Instant)

    /// Finishes what waits if it can be done now, and takes up no new retries. Bans stay in place.
    func drain()

    /// Whether nothing is under way and nothing waits that ``drain()`` should finish.
    var isDrained: Bool { get }
}
