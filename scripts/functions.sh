# shellcheck shell=bash
# What the scripts share. Source it; it changes nothing by itself.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export repository

# The exit codes of the programs, which the scripts use too.
export EXIT_FAILED=1 EXIT_NOT_RUNNING=3 EXIT_USAGE=64 EXIT_PERMISSION=77 EXIT_CONFIGURATION=78

# fail TEXT [EXIT CODE]: says why on standard error and ends the script.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit "${2:-$EXIT_FAILED}"
}

# usage_error TEXT: for a wrong command line.
usage_error() {
    fail "$1 (see $(basename "$0") --help)" "$EXIT_USAGE"
}

# need_root WHY
need_root() {
    ((EUID == 0)) || fail "must be root: $1. Try: sudo $0" "$EXIT_PERMISSION"
}

# header_comment: prints the comment at the top of the running script, which is its help.
header_comment() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
}

# program_directory [DIR]: where the four programs are: DIR, else the newest build of this clone, else the PATH (empty).
program_directory() {
    if [[ -n ${1:-} ]]; then
        [[ -x $1/fail2ban-publisher ]] || fail "no fail2ban-publisher in $1: build it with 'swift build'"
        (cd "$1" && pwd)
        return
    fi
    local newest='' candidate
    for candidate in release debug; do
        candidate=$repository/.build/$candidate
        if [[ -x $candidate/fail2ban-publisher && ( -z $newest || $candidate/fail2ban-publisher -nt $newest/fail2ban-publisher ) ]]; then
            newest=$candidate
        fi
    done
    if [[ -z $newest ]] && ! command -v fail2ban-publisher > /dev/null; then
        fail "the programs are neither built here nor on the PATH: build them with 'swift build', or name their folder with --bin DIR"
    fi
    printf '%s\n' "$newest"
}
