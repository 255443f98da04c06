# shellcheck shell=bash disable=SC2154
# The commands of the manual, run as they stand there: Tests/EndToEndTests/Documented/commands.txt, whose head says what is in it.
# scripts/try-package sources this, which has `on`, `soon` and `passed`.

# What the commands have printed so far.
printed() { printf '%s/printed' "$directory"; }

# with_words COMMAND: its words in capitals replaced. A key in quotes is that of the line which was printed last and begins alike.
with_words() {
    local text=$1 line quoted="^([^']*')(KEY|[^' ]{40})('.*)$"
    text=${text//ADDRESS/203.0.113.9}
    text=${text//HOST/web2}
    text=${text//FILE/\/var\/log\/fail2ban.log}
    if [[ $text =~ $quoted ]]; then
        local beginning=${BASH_REMATCH[1]} rest=${BASH_REMATCH[3]}
        line=$(grep -F -- "$beginning" "$(printed)" | tail -n 1) || fail "nothing was printed that begins with: $beginning"
        line=${line#*"$beginning"}
        text=$beginning${line%%\'*}$rest
    fi
    printf '%s\n' "$text"
}

# lacked_cgroup N COMMAND: whether systemd on web N could not give a unit a cgroup (219, systemd.exec(5)), as happens at times in a
# container, where a unit that is started anew at once finds the cgroup of its former self half removed.
lacked_cgroup() { [[ $2 == *systemctl* ]] && on "$1" 'journalctl --no-pager --lines=20 | grep -q status=219/CGROUP'; }

# forgive_starts N COMMAND: so that systemd on web N begins to count anew before it starts a unit: it refuses a sixth start within ten seconds
# (StartLimitBurst=, systemd.unit(5)), and who reads the manual takes longer for each.
forgive_starts() { [[ $2 != *systemctl* ]] || on "$1" "systemctl reset-failed 'fail2ban*'"; }

# run_command N COMMAND: on web N; it must succeed.
run_command() {
    local text
    text=$(with_words "$2")
    forgive_starts "$1" "$text"
    on "$1" "$text" > "$directory/output" 2>&1 < /dev/null \
        || { lacked_cgroup "$1" "$text" && on "$1" "$text" > "$directory/output" 2>&1 < /dev/null; } \
        || fail "web$1: '$text' failed: $(tail -n 10 "$directory/output")"
    cat "$directory/output" >> "$(printed)"
}

# run_line LINE: one of a section [run ...].
run_line() {
    local line=$1
    [[ $line =~ ^([+?]?)web([1-3])(:[a-z]+)?\ (.+)$ ]] || fail "commands.txt: '$line' is no command on a host"
    local mark=${BASH_REMATCH[1]} number=${BASH_REMATCH[2]} how=${BASH_REMATCH[3]} text=${BASH_REMATCH[4]}
    case $how in
        :clone) text="cd clone && $text" ;;
        # Its own exit status, which is 0 when Ctrl-C is how one ends it.
        :interrupt) text="timeout --preserve-status --signal=INT 3 $text" ;;
    esac
    if [[ $mark == '?' ]]; then
        soon "$number" "$text" "the line of commands.txt"
    else
        run_command "$number" "$text"
    fi
}

# run_documented WHEN: the sections [run WHEN: ...] in their order.
run_documented() {
    local line title='' count=0
    while IFS= read -r line; do
        case $line in
            '' | '#'*) ;;
            '['*)
                [[ -z $title ]] || passed "$title: $count lines of the manual"
                count=0 title=''
                [[ $line != "[run $1: "* ]] || title=${line#"[run $1: "} title=${title%]}
                ;;
            *)
                [[ -n $title ]] || continue
                run_line "$line"
                count=$((count + 1))
                ;;
        esac
    done < "$repository/Tests/EndToEndTests/Documented/commands.txt"
    [[ -z $title ]] || passed "$title: $count lines of the manual"
}
