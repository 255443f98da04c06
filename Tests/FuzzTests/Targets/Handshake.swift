// Fuzzing: libzmq's question whether a connection is admitted, parts of which the peer has written (ZAP, RFC 27).

@testable import ZeroMQ

extension FuzzTarget {
    /// The frames of a question.
    static let handshake = FuzzTarget(name: "handshake", longest: 1024) { input in
        let frames = input.messages[0]
        var asked: [Authenticator.Credentials] = []
        let user = String(decoding: input.prefix(300), as: UTF8.self)
        let answer = Authenticator.answer(to: frames) { credentials in
            asked.append(credentials)
            return .admit(userID: user)
        }
        guard let answer else { return try require(asked.isEmpty, "decided, and not answered") }
        try require(answer.count == 8, "\(answer.count) frames")
        try require(answer[0] == frames[0] && answer[3] == frames[3], "answers another question")
        guard answer[4].text == "200" else { return }
        try require(asked.count == 1 && answer[6].count <= 255, "admitted, and not asked for")
        if case .curve(let key) = asked[0].mechanism { try require(PublicKey(z85: key.z85) == key, "no key") }
    }
}
