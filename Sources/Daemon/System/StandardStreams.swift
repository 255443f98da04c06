// What the daemons share: standard input, output and error, without Foundation and without buffers.

import Glibc

/// Descriptors 0, 1 and 2.
public enum StandardStreams {
    /// Opens those of the three that are closed on /dev/null, so that no file that is opened later takes their place.
    public static func open() {
        for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 && errno == EBADF {
            // open gives the lowest number that is free, which is this one.
            _ = Glibc.open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY)
        }
    }

    /// Writes to standard output as it is.
    public static func write(_ text: String) { writeAll(Array(text.utf8), to: 1) }

    /// Writes to standard error as it is.
    public static func writeError(_ text: String) { writeAll(Array(text.utf8), to: 2) }

    /// Sends standard output and error to nowhere.
    static func silence() {
        guard let nowhere = OwnedDescriptor(Glibc.open("/dev/null", O_WRONLY | O_CLOEXEC)) else { return }
        dup2(nowhere.number, 1)
        dup2(nowhere.number, 2)
    }
}

/// Writes all of it, unless the reader has gone or the disk is full: nobody is left to tell then.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}

/// The path as it is from any folder; symbolic links stay, since overlays lie beside the link.
func absolutePath(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return "\(String(cString: folder))/\(path)"
}
