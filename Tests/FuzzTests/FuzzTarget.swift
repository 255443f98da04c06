// Fuzzing: a parser that reads from outside, and what must be true of whatever it makes of any bytes.

/// One target of `scripts/fuzz`. libFuzzer gives it bytes that it makes up, and the tests those in its folder of the corpus.
struct FuzzTarget: Sendable {
    /// What `scripts/fuzz` and the folder in Corpus/ call it.
    let name: String
    /// The longest input that is worth trying, in bytes.
    let longest: Int
    /// Throws a ``Finding`` when the parser did what it must not. It leaves nothing behind that the next call could see.
    let check: @Sendable ([UInt8]) throws -> Void

    /// All of them; CorpusTests sees to it that each has its corpus.
    static let all = [
        eventLine, request, answer, plainRequest, handshake, logLine, rotatedLog, databaseRows, fail2banClient, configuration,
        authorizedHosts, stateFile, banList,
    ]
}

/// What a parser did that it must not have done.
struct Finding: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Throws a ``Finding`` that says what is wrong.
func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) throws(Finding) {
    if !holds { throw Finding(otherwise()) }
}
