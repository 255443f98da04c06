// The peers: what is banned in the measures, addresses all over the place and the lines that name them.

import Foundation
import Wire

/// Different addresses in no order, as attackers come, and nothing that may not be banned.
enum Workload {
    /// The address of a number below 2^29: within 64.0.0.0/3, of which no part is special. Multiplied by an odd number, modulo a power of
    /// two, different numbers stay different.
    static func bits(_ number: Int) -> UInt32 { 0x4000_0000 | UInt32(truncatingIfNeeded: number &* 2_654_435_761) & 0x1fff_ffff }

    static func address(_ number: Int) -> Address? { Address(ipv4: bits(number)) }

    /// Appends the text of an address.
    static func append(_ number: Int, to text: inout [UInt8]) {
        let bits = bits(number)
        text.append(contentsOf: "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)".utf8)
    }

    /// Lines of fail2ban.log, each a Ban in a jail, with this machine's time.
    static func log(_ numbers: Range<Int>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(numbers.count * 96)
        let before = Array("\(stamp()) fail2ban.actions        [4711]: NOTICE  [sshd] Ban ".utf8)
        for number in numbers {
            text.append(contentsOf: before)
            append(number, to: &text)
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }

    /// A report as the frames of a request; its positions are the numbers themselves.
    ///
    /// - Parameter first: added to the positions.
    static func report(
        _ numbers: Range<Int>, of host: Hostname, stream: String = "bench", _ action: Event.Action = .ban, positionsFrom first: Int = 0
    ) -> [[UInt8]] {
        let now = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
        let entries: [Wire.Report.Entry] = numbers.compactMap { number in
            Workload.address(number).flatMap { address in
                Jail("sshd").map { jail in
                    Wire.Report.Entry(
                        position: UInt64(first + number + 1),
                        Event(
                            host: host, jail: jail, action: action, address: address, seen: now, cause: action == .ban ? .detected : .lifted
                        ))
                }
            }
        }
        return Wire.Report(stream: stream, now: now, entries: entries).message.frames
    }

    /// Lines of a report that fill it nearly; the monitor sends as many.
    static let linesPerReport = 500

    private static func stamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        localtime_r(&now.tv_sec, &parts)
        return String(
            format: "%04d-%02d-%02d %02d:%02d:%02d,%03d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
            parts.tm_min,
            parts.tm_sec, now.tv_nsec / 1_000_000)
    }
}
