#compdef fail2ban-cluster

__fail2ban-cluster_complete() {
    local -ar non_empty_completions=("${@:#(|:*)}")
    local -ar empty_completions=("${(M)@:#(|:*)}")
    _describe -V '' non_empty_completions -- empty_completions -P $'\'\''
}

__fail2ban-cluster_custom_complete() {
    local -a completions
    completions=("${(@f)"$("${command_name}" "${@}" "${command_line[@]}")"}")
    if [[ "${#completions[@]}" -gt 1 ]]; then
        __fail2ban-cluster_complete "${completions[@]:0:-1}"
    fi
}

__fail2ban-cluster_cursor_index_in_current_word() {
    if [[ -z "${QIPREFIX}${IPREFIX}${PREFIX}" ]]; then
        printf 0
    else
        printf %s "${#${(z)LBUFFER}[-1]}"
    fi
}

_fail2ban-cluster() {
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
            'status:Show how the publisher and every host are doing.'
            'bans:Show what is banned now, until when, who holds it, and where it is applied.'
            'why:Say why an address is banned or isn'\''t, and all that the cluster knows of it.'
            'history:Show what was banned, lifted and refused, and by whom.'
            'watch:Show each announcement as it is made, until Ctrl-C.'
            'hosts:Show who belongs to the cluster: name, roles, key and addresses.'
            'check:Look for what keeps this host from working in the cluster, each thing with its remedy.'
            'ban:Ban addresses on every host.'
            'unban:Lift every ban of addresses, on every host.'
            'init:Begin a cluster: make the publisher'\''s keys, and this host'\''s own with all roles.'
            'keygen:Make this host'\''s key pair, and print the command that authorises it.'
            'rekey:Replace this host'\''s key, or with --publisher the publisher'\''s, while everything goes on.'
            'authorize:Let a host into the cluster, under a name, with a key and roles.'
            'revoke:Shut a host out of the cluster: its keys are not valid any more.'
            'help:Show subcommand help information.'
        )
        _describe -V subcommand subcommands && ret=0
        ;;
    arg)
        case "${words[1]}" in
        status|bans|why|history|watch|hosts|check|ban|unban|init|keygen|rekey|authorize|revoke|help)
            "_fail2ban-cluster_${words[1]}" && ret=0
            ;;
        esac
        ;;
    esac

    return "${ret}"
}

_fail2ban-cluster_status() {
    local -i ret=1
    local -ar ___format=('table' 'json' 'prometheus')
    local -ar arg_specs=(
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '--format[table, json, or prometheus for node_exporter'\''s textfile collector.]:format:{__fail2ban-cluster_complete "${___format[@]}"}'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_bans() {
    local -i ret=1
    local -ar arg_specs=(
        ':address:'
        '--jail[Only what is held in this jail.]:jail:'
        '--host[Only what this host holds.]:host:'
        '--allowed[Show instead what `unban --for` allows, and until when.]'
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_why() {
    local -i ret=1
    local -ar arg_specs=(
        ':address:'
        '(-n --limit)'{-n,--limit}'[The most events that are shown.]:limit:'
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_history() {
    local -i ret=1
    local -ar ___kind=('ban' 'unban' 'refused' 'order')
    local -ar arg_specs=(
        ':address:'
        '--jail[Only of this jail.]:jail:'
        '--host[Only of this host.]:host:'
        '--kind[Only bans, what was lifted or ended (unban), what was refused, or operators'\'' orders.]:kind:{__fail2ban-cluster_complete "${___kind[@]}"}'
        '--since[Only from then on\: 1h, 7d, 2026-11-21 or '\''2026-11-21 08\:00'\'' (local time).]:time:'
        '--until[Only up to then.]:time:'
        '(-n --limit)'{-n,--limit}'[The most events that are shown.]:limit:'
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_watch() {
    local -i ret=1
    local -ar arg_specs=(
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_hosts() {
    local -i ret=1
    local -ar arg_specs=(
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_check() {
    local -i ret=1
    local -ar arg_specs=(
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_ban() {
    local -i ret=1
    local -ar arg_specs=(
        '*:address:'
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--for[How long\: 10m, 1h, 1d, 1w, or -1 for ever. Default\: the publisher'\''s maxbantime.]:time:'
        '--note[Why, for the history.]:text:'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_unban() {
    local -i ret=1
    local -ar arg_specs=(
        '*:address:'
        '--json[Print JSON, one object on a line\: docs/cli-json.md.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--for[Allow them too, so long\: 10m, 1h, 1d, 1w, or -1 for ever; 0 ends what is allowed.]:time:'
        '--note[Why, for the history.]:text:'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_init() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_keygen() {
    local -i ret=1
    local -ar arg_specs=(
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_rekey() {
    local -i ret=1
    local -ar arg_specs=(
        '--publisher[Replace the publisher'\''s key; on the publisher'\''s host.]'
        '--finish[The second step\: use the new key from now on.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_authorize() {
    local -i ret=1
    local -ar arg_specs=(
        ':host:'
        ':key:'
        '--roles[What the host may do\: monitor, subscriber, operator, separated by commas. (default\: monitor,subscriber)]:roles:'
        '--add[Give a host that is authorised a second key, with the roles it has.]'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_revoke() {
    local -i ret=1
    local -ar arg_specs=(
        ':host:'
        '--withdraw[End all that the host has banned, too. This host'\''s key needs the role operator.]'
        '--key[Take away this one of the host'\''s keys only, given in quotes.]:key:'
        '(-c --config)'{-c,--config}'[The configuration file.]:file:_files'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_fail2ban-cluster_help() {
    local -i ret=1
    local -ar arg_specs=(
        '*:subcommands:'
        '--version[Show the version.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

if [[ "${funcstack[1]}" = _fail2ban-cluster ]]; then
    _fail2ban-cluster "${@}"
else
    compdef _fail2ban-cluster fail2ban-cluster
fi
