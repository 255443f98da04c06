// Stage 3, enforcement: bans what is wanted in the kernel's nftables. It carries what the dialogue decides to two threads and back.

import Daemon
import Glibc
import Logging
import Wire
import ZeroMQ

/// Enforces through the table inet fail2ban_cluster. Transactions and reading are done beside the loop, since either may have to wait for
/// what other programs do to nftables.
final class NftablesEnforcer: Enforcer {
    let name = "nftables"

    private let log: Logger
    private var dialogue: NftablesDialogue
    private(set) var kernel: Kernel?
    private var wakesAt: ContinuousClock.Instant?
    private var random = SystemRandomNumberGenerator()
    private var repairs = RateLimit(burst: 5, interval: .seconds(60))
    private var rejections = RateLimit(burst: 5, interval: .seconds(3600))

    /// - Parameter reconcile: How often the table is compared with what is wanted when all is well, at the least.
    init(reconcile: Duration = .seconds(300), log: Logger) {
        dialogue = NftablesDialogue(reconcile: reconcile)
        self.log = log
    }

    var isSettled: Bool { dialogue.isSettled }

    /// Whether all that was announced is in the kernel.
    var isWritten: Bool { dialogue.isWritten }

    var hasUnexplained: Bool { dialogue.hasUnexplained }

    /// The kernel's release.
    let version: String? = {
        var names = utsname()
        guard uname(&names) == 0 else { return nil }
        return withUnsafeBytes(of: &names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()

    var waiting: Int { dialogue.waiting }

    var trouble: String? { dialogue.trouble.map { error in error.nftablesRemedy.map { "\(error). \($0)" } ?? "\(error)" } }

    let server: JSONText? = nil

    func takeApplied() -> [Address] { dialogue.takeApplied() }

    func take(_ change: WantedSet.Change) { dialogue.take(change) }

    func add(to polled: inout PollSet) {
        guard let kernel else { return }
        for descriptor in kernel.descriptors { polled.add(descriptor: descriptor) }
    }

    var deadline: ContinuousClock.Instant? { wakesAt }

    func advance(wanted: WantedSet, now: ContinuousClock.Instant) {
        receive(wanted, now)
        wakesAt = nil
        while true {
            switch dialogue.next(wanted: wanted, now: now) {
            case .write(let write):
                do throws(SystemError) {
                    try connection().writing.give(write)
                } catch {
                    report(dialogue.wrote(.failure(error), took: .zero, wanted: wanted, now: now, using: &random))
                }
            case .read(let request):
                do throws(SystemError) {
                    try connection().reading.give(request)
                } catch {
                    report(dialogue.read(.failure(error), wanted: wanted, now: now, using: &random))
                }
            case .wait(let until):
                wakesAt = until
                return
            }
        }
    }

    func drain() { dialogue.drain() }

    var isDrained: Bool { dialogue.isDrained }

    private func connection() throws(SystemError) -> Kernel {
        if let kernel { return kernel }
        let made = try Kernel()
        kernel = made
        return made
    }

    private func receive(_ wanted: WantedSet, _ now: ContinuousClock.Instant) {
        guard let kernel else { return }
        do throws(SystemError) {
            if try kernel.notices.next() { dialogue.noticed(now: now) }
        } catch {
            log.warning("\(error); it is opened anew")
            self.kernel = nil
            // Whatever is under way: nobody hears any more what becomes of it.
            report(dialogue.wrote(.failure(error), took: .zero, wanted: wanted, now: now, using: &random))
            report(dialogue.read(.failure(error), wanted: wanted, now: now, using: &random))
            dialogue.noticed(now: now)
            return
        }
        for (result, took) in kernel.writing.take() {
            report(dialogue.wrote(result, took: took, wanted: wanted, now: now, using: &random))
        }
        for result in kernel.reading.take() { report(dialogue.read(result, wanted: wanted, now: now, using: &random)) }
    }

    private func report(_ notices: [NftablesDialogue.Notice]) {
        for notice in notices {
            switch notice {
            case .connected(let outcome, let took):
                log.notice("table inet \(NftablesTable.name) is there; it had \(outcome.found) addresses, read in \(took.milliseconds) ms")
            case .wrote(let write, let took): log.info("\(write.summary) in \(took.microseconds) µs")
            case .repaired(let outcome):
                guard let note = repairs.heldBackNote(at: .now) else { continue }
                log.warning("another program changed table inet \(NftablesTable.name): \(outcome); it is as it was\(note)")
            case .corrected(let outcome): log.warning("table inet \(NftablesTable.name) was not as it should be: \(outcome)")
            case .failing(let error, let persistent):
                let sentence = "\(error); what is banned meanwhile is kept and applied later"
                if persistent {
                    log.error("\(error.nftablesRemedy.map { "\(sentence). Remedy: \($0)" } ?? sentence)")
                } else {
                    log.warning("\(sentence)")
                }
            case .rejected(let address, let error):
                guard let note = rejections.heldBackNote(at: .now) else { continue }
                log.error("nftables does not take \(address), which is tried again later: \(error)\(note)")
            }
        }
    }

    /// What is open to the kernel.
    final class Kernel {
        let writer: NftablesWriter
        let writing: WorkThread<NftablesWrite, (Result<Void, SystemError>, took: Duration)>
        let reading: WorkThread<NftablesReader.Request, Result<NftablesReader.Page, SystemError>>
        let notices: NftablesNotices

        init() throws(SystemError) {
            let (writer, reader) = (try NftablesWriter(), NftablesReader())
            self.writer = writer
            notices = try NftablesNotices(exceptThoseOf: writer.port)
            writing = try WorkThread { write in
                let start = ContinuousClock.now
                let result = Result { () throws(SystemError) in try writer.perform(write) }
                return (result, start.duration(to: .now))
            }
            reading = try WorkThread { request in Result { () throws(SystemError) in try reader.read(request) } }
        }

        var descriptors: [Int32] { [writing.descriptor, reading.descriptor, notices.descriptor] }
    }
}

extension Duration {
    fileprivate var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
