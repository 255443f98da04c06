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

# has_section NAME FILE: whether FILE, or a file that stands above it, has the section.
# For /x/a.conf these are /x/a.d/*.conf, /x/a.local and /x/a.d/*.local, as in the programs.
has_section() {
    local base=${2%.conf} file
    for file in "$2" "$base".d/*.conf "$base".local "$base".d/*.local; do
        if [[ -f $file ]] && grep -Eq "^[[:blank:]]*\[$1\]" "$file"; then
            return 0
        fi
    done
    return 1
}

# for_each_daemon ACTION DAEMON... -- ARGUMENT...: the whole of scripts/start and scripts/stop.
for_each_daemon() {
    local action=$1 configuration=/etc/fail2ban-cluster/fail2ban-cluster.conf bin='' daemon status result=0 named=0
    local -a daemons=()
    shift
    while [[ $1 != -- ]]; do
        daemons+=("$1")
        shift
    done
    shift
    while (($# > 0)); do
        case $1 in
            -h | --help)
                header_comment
                exit 0
                ;;
            -c) configuration=${2:-} ;;
            --bin) bin=${2:-} ;;
            *) usage_error "unexpected '$1'" ;;
        esac
        (($# > 1)) || usage_error "$1 needs a value"
        shift 2
    done
    [[ -f $configuration ]] || fail "there is no configuration $configuration: name it with -c FILE" "$EXIT_CONFIGURATION"
    bin=$(program_directory "$bin")

    for daemon in "${daemons[@]}"; do
        has_section "$daemon" "$configuration" || continue
        named=$((named + 1))
        status=0
        "${bin:+$bin/}fail2ban-$daemon" "$action" -c "$configuration" || status=$?
        if ((status == EXIT_NOT_RUNNING)) && [[ $action == stop ]]; then
            status=0
        fi
        if ((status != 0)); then
            printf '%s: fail2ban-%s %s failed (exit code %s)\n' "$(basename "$0")" "$daemon" "$action" "$status" >&2
            result=$status
        fi
    done
    ((named > 0)) || fail "$configuration has none of the sections [publisher], [subscriber], [monitor]" "$EXIT_CONFIGURATION"
    return "$result"
}
