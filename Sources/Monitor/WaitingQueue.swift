// Stage 1, event -> report: holds that wait for something, the oldest first.

/// A bounded map that remembers the order in which its values came.
struct WaitingQueue<Value> {
    private var values: [HoldKey: (serial: UInt64, value: Value)] = [:]
    /// May name values that are gone; a serial number tells.
    private var order: [(serial: UInt64, key: HoldKey)] = []
    private var head = 0
    private var nextSerial: UInt64 = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { values.count }
    var isEmpty: Bool { values.isEmpty }

    subscript(key: HoldKey) -> Value? { values[key]?.value }

    /// Changes a value without moving it.
    mutating func update(_ key: HoldKey, _ change: (inout Value) -> Void) {
        guard var entry = values[key] else { return }
        change(&entry.value)
        values[key] = entry
    }

    /// Puts a value at the end, in place of one under the same key.
    /// - Returns: whether the oldest value had to go to make room.
    mutating func append(_ key: HoldKey, _ value: Value) -> Bool {
        values[key] = (nextSerial, value)
        order.append((nextSerial, key))
        nextSerial += 1
        if order.count > 64, order.count > 2 * values.count { compact() }
        guard values.count > limit, let oldest = first(1).first else { return false }
        remove(oldest)
        return true
    }

    @discardableResult
    mutating func remove(_ key: HoldKey) -> Value? {
        let value = values.removeValue(forKey: key)?.value
        while head < order.count, values[order[head].key]?.serial != order[head].serial { head += 1 }
        return value
    }

    /// The keys of the oldest values.
    func first(_ count: Int) -> [HoldKey] {
        var keys: [HoldKey] = []
        var at = head
        while at < order.count, keys.count < count {
            if values[order[at].key]?.serial == order[at].serial { keys.append(order[at].key) }
            at += 1
        }
        return keys
    }

    /// All values, the oldest first.
    var all: [(HoldKey, Value)] { first(count).compactMap { key in values[key].map { (key, $0.value) } } }

    private mutating func compact() {
        order = order.filter { values[$0.key]?.serial == $0.serial }
        head = 0
    }
}
