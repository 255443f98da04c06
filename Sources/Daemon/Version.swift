// What the daemons share: the version of this package.

/// The version of all four programs, as `--version` prints it.
public let packageVersion = "0.1.0"
