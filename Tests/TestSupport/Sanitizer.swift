// Test support: whether the tests run under a sanitizer (scripts/sanitize), and which expectations mean nothing there.

import Glibc

/// What a sanitizer's instruments change so much that a limit says nothing of the code any more. A test still does all that it does
/// without; only its expectation of such a quantity is left out: `#expect(growth < mostGrowth || Sanitizer.takesMemory)`.
///
/// The programs that tests start are from the same build, so what holds for the tests holds for them.
public enum Sanitizer {
    /// Every byte has some of the sanitizer's own beside it, and AddressSanitizer keeps what was freed for some time.
    public static var takesMemory: Bool { isPresent }

    /// Each access to memory takes several times as long in code with instruments, and not in libraries without, so that no ratio holds
    /// either.
    public static var takesTime: Bool { isPresent }

    /// It and libfaketime both take the place of clock_gettime(3), and wait for one another before the program begins.
    public static var takesClock: Bool { isPresent }

    /// ThreadSanitizer has one thread of its own in each process.
    public static let hasThread = isLinked("__tsan_init")

    private static let isPresent = isLinked("__tsan_init") || isLinked("__asan_init")

    /// Whether the program has a function, dlsym(3); those of a sanitizer's runtime library are exported.
    private static func isLinked(_ function: String) -> Bool { dlsym(nil, function) != nil }
}
