// What travels: what of the publisher's history an operator asks for.

/// What an entry of the history says that happened: the field `kind` of a `QUERY` with `what=history`.
public enum HistoryKind: String, CaseIterable, Sendable {
    /// A host's ban, or an operator's.
    case ban
    /// What a host or an operator lifted, and what came to its end.
    case unban
    /// What was refused, by which rule.
    case refused
    /// What operators ordered.
    case order
}
