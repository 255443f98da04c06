// Stage 2, report -> admission -> journal -> broadcast: the holds on one address; mostly there is one, and that needs no memory of its own.

/// An array whose first element is in place. Of a million addresses, nearly all are held by one host's jail.
struct Holds: RandomAccessCollection, MutableCollection, RangeReplaceableCollection, ExpressibleByArrayLiteral, Equatable {
    private var head: Hold?
    private var tail: [Hold] = []

    init() {}

    init(arrayLiteral elements: Hold...) { append(contentsOf: elements) }

    var startIndex: Int { 0 }
    var endIndex: Int { head == nil ? 0 : tail.count + 1 }

    subscript(place: Int) -> Hold {
        get {
            guard place == 0, let head else { return tail[place - 1] }
            return head
        }
        set { if place == 0 { head = newValue } else { tail[place - 1] = newValue } }
    }

    mutating func append(_ hold: Hold) { if head == nil { head = hold } else { tail.append(hold) } }

    mutating func replaceSubrange(_ range: Range<Int>, with holds: some Collection<Hold>) {
        var all = Array(self)
        all.replaceSubrange(range, with: holds)
        head = all.first
        tail = Array(all.dropFirst())
    }
}
