#compdef fail2ban-publisher

__fail2ban-publisher_complete() {
    local -ar non_empty_completions=("${@:#(|:*)}")
    local -ar empty_completions=("${(M)@:#(|:*)}")
    _describe -V '' non_empty_completions -- empty_completions -P $'\'\''
}

__fail2ban-publisher_custom_complete() {
    local -a completions
    completions=("${(@f)"$("${command_name}" "${@}" "${command_line[@]}")"}")
    if [[ "${#completions[@]}" -gt 1 ]]; then
        __fail2ban-publisher_complete "${completions[@]:0:-1}"
    fi
}

__fail2ban-publisher_cursor_index_in_current_word() {
    if [[ -z "${QIPREFIX}${IPREFIX}${PREFIX}" ]]; then
        printf 0
    else
        printf %s "${#${(z)LBUFFER}[-1]}"
    fi
}

_fail2ban-publisher() {
    emulate -RL zsh -G
    setopt extendedglob nullglob numericglobsort
    unsetopt aliases banghist

    local -xr SAP_SHELL=zsh
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(builtin emulate zsh -c 'printf %s "${ZSH_VERSION}"')"
    local -r SAP_SHELL_VERSION

    local context state state_descr line
    local -A opt_args

    local -r command_name="${words[1]}"
    local -ar command_line=("${words[@]}")
    local -ir current_word_index="$((CURRENT - 1))"

    local -i ret=1
    local -ar arg_specs=(
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
        '(-): :->command'
        '(-)*:: :->arg'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0
    case "${state}" in
    command)
        local -ar subcommands=(
            'start:Start it in the background; done when it is ready.'
            'stop:End it when it has drained; done when it has ended, or did not run.'
            'restart:Stop it, if it runs, and start it.'
            'reload:Make it read its configuration again and open its log anew.'
            'status:Say whether it runs: exit status 0 if it does, 3 if not.'
            'run:Be the daemon, in the foreground, as systemd and containers want it.'
            'check:Say what is wrong with the configuration and on this host; change nothing.'
            'promote:Make a standby the active publisher, now and after each start; done when it is active.'
            'help:Show subcommand help information.'
        )
        _describe -V subcommand subcommands && ret=0
        ;;
    arg)
        case "${words[1]}" in
        start|stop|restart|reload|status|run|check|promote|help)
            "_fail2ban-publisher_${words[1]}" && ret=0
            ;;
        esac
        ;;
    esac

    return "${ret}"
}

_fail2ban-publisher_start() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--timeout[How long to wait until it is ready.]:timeout:'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_stop() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--timeout[How long to wait until it has ended.]:timeout:'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_restart() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_reload() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_status() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_run() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_check() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_promote() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-publisher_help() {
    local -i ret=1
    local -ar arg_specs=(
        '*:subcommands:'
        '--version[Show the version.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

if [[ "${funcstack[1]}" = _fail2ban-publisher ]]; then
    _fail2ban-publisher "${@}"
else
    compdef _fail2ban-publisher fail2ban-publisher
fi
