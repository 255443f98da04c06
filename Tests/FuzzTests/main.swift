// Fuzzing: the program that hands libFuzzer's inputs to a target: `fuzz TARGET [libFuzzer's arguments]`. Only `scripts/fuzz` builds it.

import Glibc

/// libFuzzer as a library (llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library). It comes with `-sanitize=fuzzer`, and with no
/// header.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ takeInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private func say(_ words: String) {
    let line = Array((words + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

private let target: FuzzTarget = {
    let name = CommandLine.arguments.dropFirst().first ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        say("fuzz TARGET: one of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
        exit(64)
    }
    return target
}()

/// Takes one input. A finding ends the process, as a trap does, and libFuzzer writes the input into a file. Its name is for the main
/// function that libFuzzer has too.
@_cdecl("LLVMFuzzerTestOneInput")
func takeInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // -1 keeps an input out of the corpus.
    guard count <= target.longest else { return -1 }
    do {
        try target.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
        say("\(target.name): \(error)")
        abort()
    }
    return 0
}

_ = target
// Without the target's name.
var count = CommandLine.argc - 1
var arguments = CommandLine.unsafeArgv + 1
arguments[0] = CommandLine.unsafeArgv[0]
exit(runDriver(&count, &arguments, takeInput))
