// Values that the subscriber's tests share.

import Daemon
import Glibc
import Logging
import TestSupport
import Testing
import Wire

@testable import Subscriber

let start = ContinuousClock.now

/// The publisher's clock at `start`, on purpose far from any real one.
let publisherStart = Timestamp(milliseconds: 1_795_212_000_000)

func address(_ text: String) throws -> Address { try #require(Address(text)) }

func addresses(_ texts: String...) throws -> [Address] { try texts.map { try address($0) } }

/// The `index`-th of many different addresses.
func numbered(_ index: Int) throws -> Address { try #require(Address(ipv4: 0x0a00_0000 + UInt32(index))) }

func ban(_ text: String, for duration: Duration? = .seconds(600), number: UInt64? = nil, host: String = "web1") throws -> Event {
    let end = duration.map { BanEnd.at(publisherStart.advanced(byMilliseconds: $0.milliseconds)) } ?? .permanent
    return Event(
        host: try #require(Hostname(host)), jail: try #require(Jail("sshd")), action: .ban, address: try address(text), number: number,
        end: end, cause: .detected)
}

func unban(_ text: String, number: UInt64? = nil, host: String = "web1", cause: Event.Cause = .lifted) throws -> Event {
    Event(
        host: try #require(Hostname(host)), jail: try #require(Jail("sshd")), action: .unban, address: try address(text), number: number,
        cause: cause)
}

func nobodyRefused(_: Address) -> String? { nil }

/// A log that nobody reads.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
