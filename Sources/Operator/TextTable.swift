// The operator's command: rows in columns that fit the terminal.

import Daemon

/// Columns two blanks apart, each as wide as its widest cell; the last one is wrapped where a terminal ends.
struct TextTable {
    /// What the last column has at least; for that, columns are left out.
    static let leastLast = 24

    var head: [String]
    var rows: [[String]] = []
    /// The columns that are left out when it gets narrow, the first ones first.
    var dispensable: [Int] = []

    init(_ head: String..., dispensable: [Int] = []) {
        self.head = head
        self.dispensable = dispensable
    }

    /// - Parameter width: in characters; `nil` where there is no terminal: nothing is left out or wrapped.
    func text(width: Int?) -> String {
        // What hosts told of themselves must not drive the terminal.
        let all = ([head] + rows).map { $0.map(LogText.escaped) }
        var widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        let last = head.count - 1
        var columns = Array(head.indices)
        if let width {
            for column in dispensable where fixedWidth(widths, columns) + min(widths[last], TextTable.leastLast) > width {
                columns.removeAll { $0 == column }
            }
            widths[last] = max(min(widths[last], width - fixedWidth(widths, columns)), TextTable.leastLast)
        }
        return all.map { line($0, columns, widths, isWrapped: width != nil) }.joined()
    }

    private func fixedWidth(_ widths: [Int], _ columns: [Int]) -> Int { columns.dropLast().reduce(0) { $0 + widths[$1] + 2 } }

    private func line(_ row: [String], _ columns: [Int], _ widths: [Int], isWrapped: Bool) -> String {
        let last = row.count - 1
        let front = columns.dropLast().map { padded(row[$0], widths[$0]) + "  " }.joined()
        let parts = isWrapped ? TextTable.wrapped(row[last], width: widths[last]) : [row[last]]
        let indent = String(repeating: " ", count: front.count)
        return parts.enumerated().map { number, part in
            var text = (number == 0 ? front : indent) + part
            while text.last == " " { text.removeLast() }
            return text + "\n"
        }.joined()
    }

    private func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(width - text.count, 0)) }

    /// The text in lines of at most `width` characters, cut between words where that is possible.
    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = [""]
        for word in text.split(separator: " ") {
            var word = word[...]
            if let line = lines.last, !line.isEmpty, line.count + 1 + word.count <= width {
                lines[lines.count - 1] += " " + word
                continue
            }
            if lines.last != "" { lines.append("") }
            while word.count > width {
                lines[lines.count - 1] = String(word.prefix(width))
                lines.append("")
                word = word.dropFirst(width)
            }
            lines[lines.count - 1] += word
        }
        return lines
    }
}
