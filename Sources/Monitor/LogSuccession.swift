// Stage 1, log line -> event: which files beside the log go on where reading ended, and what of them can't be read.

/// Lines that were not read and can't be any more, as far as that is known.
public enum LogLoss: Hashable, Sendable, CustomStringConvertible {
    /// The file that was being read is not there: removed, or the path has another log now.
    case gone
    /// It is shorter than it was, as after a power failure.
    case shorter(String)
    /// Compressed in a form that is not read, or not to be opened.
    case unreadable(String)
    /// gzip's form is broken or ends early.
    case damaged(String)
    /// Truncated before all of it was read, and no copy holds the rest.
    case truncated(String)
    /// More rotated files than are kept open.
    case tooMany(String)
    /// The publisher has more of the stream than the log, as after a host was restored from a backup.
    case behind

    public var description: String {
        switch self {
        case .gone: "the file that was being read is gone"
        case .shorter(let name): "\(name) is shorter than it was"
        case .unreadable(let name): "\(name) can't be read; of compressed logs those of gzip can"
        case .damaged(let name): "\(name) is damaged"
        case .truncated(let name): "\(name) was truncated, and no copy of it is there"
        case .tooMany(let name): "too many rotated files waited; \(name) was let go"
        case .behind: "the publisher has more of this stream than the log; was this host restored from a backup?"
        }
    }
}

/// Files to be read, each set to where it is to be begun, in their order; and what can't be.
struct LogSuccession {
    var files: [FollowedFile] = []
    private(set) var losses: [LogLoss] = []

    /// Goes on at a place of an earlier tail.
    ///
    /// The place's files are known by their first bytes, whatever they are called now. What is newer than the last of them is read whole.
    /// - Parameters:
    ///   - rotated: the oldest first.
    ///   - live: what the log's path names now.
    init(from place: LogPlace, rotated: [RotatedLog], live: FollowedFile?, _ buffer: UnsafeMutableBufferPointer<UInt8>) {
        // What can't be read has a place in the order, too. The live log is among the others when it was renamed since it was opened, or
        // is copied and not truncated yet.
        var candidates = rotated.map { (name: $0.name, modified: $0.modified, file: $0.file) }
        if let live { candidates.removeAll { $0.file.map { $0.identity == live.identity || $0.isSame(as: live) } ?? false } }
        if let live { candidates.append((live.path, live.modified, live)) }
        var known: [Int] = []
        var missing: [LogPlace.File] = []
        for file in place.files where file.head.count > 0 {
            let found = candidates.indices.filter { i in
                !known.contains(i) && candidates[i].file.map { file.head.isBeginning(of: $0.head.span) } ?? false
            }
            guard let at = found.last(where: { candidates[$0].file.map { file.offset <= UInt64($0.size) } ?? false }) ?? found.last,
                let match = candidates[at].file
            else {
                missing.append(file)
                continue
            }
            known.append(at)
            if file.offset <= UInt64(match.size) {
                match.start(at: Int64(file.offset))
            } else {
                match.startAtEnd(buffer)
                match.isAfterGap = true
                losses.append(.shorter(match.path))
            }
            match.isAfterGap = match.isAfterGap || file.isAfterGap
            files.append(match)
        }
        guard let last = place.files.last else {
            if let live { files.append(live) }
            return
        }
        // Of a file that is gone, or was empty, only its time tells which ones are newer.
        let oldFiles = files.count
        let isLastKnown = last.head.count > 0 && !missing.contains(last)
        // Its first lines can have come in the moment in which it was made, as file systems count.
        let wasEmpty = last.head.count == 0
        let newest = known.max() ?? -1
        for i in candidates.indices where i > newest {
            let (name, modified, file) = candidates[i]
            if file == nil {
                // One that is as old as the missing one is probably the same.
                if isLastKnown || modified > last.modified || (modified == last.modified && !missing.isEmpty) {
                    losses.append(.unreadable(name))
                }
            } else if let file, file === live, !isLastKnown, modified < last.modified {
                // Another log, which nobody has written to since.
                file.startAtEnd(buffer)
                files.append(file)
            } else if let file, place.past.contains(where: { file.hasGrown(from: $0) }) {
                continue
            } else if let file, isLastKnown || modified > last.modified || file === live || (wasEmpty && modified == last.modified) {
                add(file, name)
            }
        }
        if !missing.isEmpty, losses.isEmpty { losses.append(.gone) }
        // What is read again has its positions; what is new begins behind the gap.
        if !losses.isEmpty, files.count > oldFiles { files[oldFiles].isAfterGap = true }
        if let live, let at = files.firstIndex(where: { $0 === live }) { files.append(files.remove(at: at)) }
    }

    /// Rotated files that are newer than what was read last: several rotations between two looks.
    ///
    /// - Parameters:
    ///   - modified: when that file was written to last.
    ///   - own: the files that are open.
    ///   - past: beginnings of files that were let go.
    init(newerThan modified: Int64, rotated: [RotatedLog], own: [FollowedFile], past: [[UInt8]]) {
        for log in rotated where log.modified > modified {
            guard let file = log.file else {
                losses.append(.unreadable(log.name))
                continue
            }
            let isKnown =
                own.contains { $0.identity == file.identity || $0.isSame(as: file) } || past.contains { file.hasSameBeginning(as: $0) }
            if !isKnown { add(file, log.name) }
        }
    }

    /// The rest of a file that was truncated: `copytruncate` has made a copy before.
    ///
    /// - Returns: `nil` when there is no copy.
    init?(copyOf head: [UInt8], from offset: Int64, rotated: [RotatedLog], own: [FollowedFile], past: [[UInt8]]) {
        guard !head.isEmpty,
            let copy = rotated.last(where: { log in
                log.file.map { file in
                    file.head.starts(with: head) && file.size >= offset && !own.contains { $0.identity == file.identity }
                } ?? false
            }), let file = copy.file
        else { return nil }
        self.init(newerThan: copy.modified, rotated: rotated, own: own + [file], past: past)
        file.start(at: offset)
        if file.isCompressed || file.size > offset { files.insert(file, at: 0) }
    }

    private mutating func add(_ file: FollowedFile, _ name: String) {
        if file.isDamaged { losses.append(.damaged(name)) }
        // An empty log that was compressed has nothing and never will.
        if file.isCompressed, file.head.isEmpty { return }
        files.append(file)
    }
}
