// Tests of what travels: a random source with a seed, so that a failed property can be run again.

import Glibc
import TestSupport
import Testing

typealias Generator = SeededGenerator

extension SeededGenerator {
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// True once in `n`.
    mutating func once(in n: Int) -> Bool { number(1...n) == 1 }

    /// - Precondition: `choices` is not empty.
    mutating func pick<T>(_ choices: [T]) -> T { choices[number(0...(choices.count - 1))] }

    /// `length` characters out of `alphabet`, which is ASCII.
    mutating func text(_ alphabet: String, length: Int) -> String {
        let bytes = Array(alphabet.utf8)
        return String(decoding: (0..<length).map { _ in pick(bytes) }, as: UTF8.self)
    }
}

/// Runs `check` with `count` random cases and prints the seed. `WIRE_TEST_SEED=… swift test` runs the same cases again.
func forRandomCases(_ count: Int, _ name: String = #function, _ check: (inout Generator) throws -> Void) rethrows {
    let seed = getenv("WIRE_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: .min ... .max)
    print("\(name): WIRE_TEST_SEED=\(seed), \(count) cases")
    var generator = Generator(seed: seed)
    for _ in 0..<count { try check(&generator) }
}

/// `bytes` with one to four small faults: a byte lost, doubled, replaced or put in, two exchanged, or the rest cut off.
func mutated(_ bytes: [UInt8], alphabet: [UInt8], _ generator: inout Generator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<generator.number(1...4) {
        let at = generator.number(0...max(bytes.count - 1, 0))
        switch generator.number(0...5) {
        case 0: bytes.insert(generator.pick(alphabet), at: at)
        case _ where bytes.isEmpty: break
        case 1: bytes.remove(at: at)
        case 2: bytes.insert(bytes[at], at: at)
        case 3: bytes[at] = generator.pick(alphabet)
        case 4: bytes.swapAt(at, generator.number(0...(bytes.count - 1)))
        default: bytes.removeSubrange(at...)
        }
    }
    return bytes
}

/// Every byte that can travel.
let anyByte = Array(UInt8.min...UInt8.max)

extension Array<UInt8> {
    /// The bytes as text, for messages of tests.
    var text: String { String(decoding: self, as: UTF8.self) }
}
