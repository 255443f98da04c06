// The log, exec and dry-run enforcers, and the small parts that they and fail2ban's share.

import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct LogEnforcerTests {
    final class Lines { var all: [String] = [] }

    private let lines = Lines()

    private func enforcer(prefix: String = "") throws -> LogEnforcer {
        LogEnforcer(hostname: try #require(Hostname("me")), prefix: prefix) { [lines] in lines.all.append($0) }
    }

    private let wanted = WantedSet(origin: start)

    @Test func itWritesTheLineOfFail2banZmqToolsForBansAndUnbans() throws {
        let log = try enforcer()
        log.take(.init(.banned, try address("192.0.2.1"), announcement: try ban("192.0.2.1")))
        log.take(.init(.lifted, try address("192.0.2.1"), announcement: try unban("192.0.2.1")))
        log.advance(wanted: wanted, now: start)
        #expect(
            lines.all == [
                "fail2ban-zmq-tools Subscriber: Got broadcast message: web1|sshd|Ban|192.0.2.1",
                "fail2ban-zmq-tools Subscriber: Got broadcast message: web1|sshd|Unban|192.0.2.1",
            ])
    }

    @Test func itDoesNotWriteWhatThisHostItselfFound() throws {
        let log = try enforcer()
        log.take(.init(.banned, try address("192.0.2.1"), announcement: try ban("192.0.2.1", host: "me")))
        log.take(.init(.lifted, try address("192.0.2.2")))
        log.advance(wanted: wanted, now: start)
        #expect(lines.all.isEmpty)
    }

    @Test func theFilterIsAPrefixOfTheFourFields() throws {
        let log = try enforcer(prefix: "web2|ssh")
        log.take(.init(.banned, try address("192.0.2.1"), announcement: try ban("192.0.2.1", host: "web1")))
        log.take(.init(.banned, try address("192.0.2.2"), announcement: try ban("192.0.2.2", host: "web2")))
        log.advance(wanted: wanted, now: start)
        #expect(lines.all.map { $0.suffix(22) } == ["web2|sshd|Ban|192.0.2.2".suffix(22)])
    }

    @Test func aBurstIsWrittenInSlicesAndWhatIsTooMuchIsCounted() throws {
        let log = try enforcer()
        let change = WantedSet.Change(.banned, try address("192.0.2.1"), announcement: try ban("192.0.2.1"))
        for _ in 0..<(LogEnforcer.mostWaiting + 7) { log.take(change) }
        log.advance(wanted: wanted, now: start)
        #expect(lines.all.count == LogEnforcer.mostLinesPerTurn)
        #expect(log.deadline != nil)
        log.drain()
        #expect(!log.isDrained)
        while log.deadline != nil { log.advance(wanted: wanted, now: start) }
        #expect(log.isDrained)
        #expect(lines.all.count == LogEnforcer.mostWaiting + 1)
        #expect(lines.all.last?.contains(" 7 broadcast messages were not logged") == true)
    }
}

@Suite struct ExecCommandTests {
    private func subject(_ announcement: Event?, _ remaining: Duration? = nil) throws -> ExecCommand.Subject {
        .init(action: announcement?.action ?? .unban, address: try address("192.0.2.1"), announcement: announcement, remaining: remaining)
    }

    @Test func aCommandWithoutTagsGetsActionAndAddress() throws {
        let command = ExecCommand(["/usr/local/bin/hook", "-v"])
        #expect(command.arguments(for: try subject(try ban("192.0.2.1"))) == ["/usr/local/bin/hook", "-v", "Ban", "192.0.2.1"])
    }

    @Test func tagsAreReplacedInsideWordsAndNothingElseIs() throws {
        let command = ExecCommand(["/bin/<action>", "--ip=<address>", "<host>/<jail>", "<end>", "<seconds>", "$HOME", "<other>", ";rm"])
        let expected = ["/bin/<action>", "--ip=192.0.2.1", "web1/sshd", "1795212600", "60", "$HOME", "<other>", ";rm"]
        #expect(command.arguments(for: try subject(try ban("192.0.2.1"), .milliseconds(59_001))) == expected)
    }

    @Test func aTagThatIsMisspeltIsFound() throws {
        #expect(ExecCommand(["/bin/<x>", "<adress>", "a<ip>b<host>", "<<", "< >", "<A>", "1<2"]).unknownTags == ["<adress>", "<ip>"])
    }

    @Test func whatIsNotKnownIsADash() throws {
        let command = ExecCommand(["/bin/x", "<action>", "<host>", "<jail>", "<end>", "<seconds>"])
        #expect(command.arguments(for: try subject(nil)) == ["/bin/x", "Unban", "-", "-", "-", "0"])
        #expect(command.arguments(for: try subject(try ban("192.0.2.1", for: nil))).suffix(2) == ["*", "0"])
    }
}

@Suite struct LatestChangesTests {
    private func change(_ kind: WantedSet.Change.Kind, _ text: String = "192.0.2.1") throws -> WantedSet.Change {
        .init(kind, try address(text))
    }

    @Test func aBanLiftedBeforeItWasToldIsNothing() throws {
        var changes = LatestChanges()
        changes.take(try change(.banned))
        changes.take(try change(.lifted))
        #expect(changes.popFirst() == nil)
    }

    @Test func aBanThatWasToldIsLiftedWhateverHappensInBetween() throws {
        var changes = LatestChanges()
        changes.take(try change(.lifted))
        changes.take(try change(.banned))
        changes.take(try change(.lifted))
        #expect(changes.popFirst()?.kind == .lifted)
        #expect(changes.isEmpty)
    }

    @Test func addressesComeInTheOrderOfTheirFirstChangeWithTheirLastState() throws {
        var changes = LatestChanges()
        changes.take(try change(.banned, "192.0.2.1"))
        changes.take(try change(.moved, "192.0.2.2"))
        changes.take(try change(.moved, "192.0.2.1"))
        #expect(changes.popFirst() == (try change(.moved, "192.0.2.1")))
        #expect(changes.popFirst() == (try change(.moved, "192.0.2.2")))
        #expect(changes.popFirst() == nil)
    }

    @Test func aQueueKeepsNoMoreThanItsAddresses() throws {
        var queue = ChangeQueue()
        for _ in 0..<10_000 {
            queue.append(try address("192.0.2.1"))
            queue.remove(try address("192.0.2.1"))
        }
        queue.append(try address("192.0.2.2"))
        queue.append(try address("192.0.2.1"))
        queue.append(try address("192.0.2.2"))
        #expect(queue.count == 2)
        #expect(Set([queue.popFirst(), queue.popFirst()]) == Set(try addresses("192.0.2.1", "192.0.2.2")))
        #expect(queue.popFirst() == nil)
    }
}

@Suite struct TimingTests {
    @Test func chunksGrowToWhatFitsIntoTheTargetAndShrinkAtOnce() {
        var size = ChunkSize()
        size.measured(addresses: 1, took: .milliseconds(6))
        #expect(size.count == ChunkSize.first, "one address says little about many")
        for _ in 0..<5 { size.measured(addresses: size.count, took: .milliseconds(6) * size.count) }
        #expect(size.count == 50)
        size.measured(addresses: 50, took: .seconds(1))
        #expect(size.count == 15)
        size.measured(addresses: 15, took: .seconds(60))
        #expect(size.count == 1)
        size.measured(addresses: 1, took: .milliseconds(1))
        #expect(size.count == 2)
    }

    @Test func pausesGrowVaryAndStartAnew() {
        var random = SeededGenerator(seed: 3)
        var pause = GrowingPause(first: .milliseconds(200), most: .seconds(5))
        for nominal in [200, 400, 800, 1600, 3200, 5000, 5000] {
            let next = pause.next(using: &random)
            #expect(next >= .milliseconds(nominal) * 0.75 && next <= .milliseconds(nominal) * 1.25)
        }
        for _ in 0..<100 { #expect(pause.next(using: &random) <= .milliseconds(6250)) }
        pause.reset()
        #expect(pause.next(using: &random) <= .milliseconds(250))
    }

    @Test func aDryRunSaysWhatItWouldDo() throws {
        let event = try ban("192.0.2.1")
        let banned = WantedSet.Change(.banned, event.address, announcement: event)
        #expect(
            DryRunEnforcer.sentence(banned, end: start + .seconds(600), start) == "would ban 192.0.2.1 for 600 s: web1, jail sshd, detected"
        )
        #expect(
            DryRunEnforcer.sentence(.init(.lifted, event.address), end: nil, start)
                == "would unban 192.0.2.1: its end came, or this host refuses it now")
    }
}
