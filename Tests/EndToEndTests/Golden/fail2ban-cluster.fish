function __fail2ban-cluster_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __fail2ban-cluster_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __fail2ban-cluster_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __fail2ban-cluster_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __fail2ban-cluster_parse_tokens -S
    set -l unparsed_tokens (__fail2ban-cluster_tokens -pc)
    switch $unparsed_tokens[1]
    case 'fail2ban-cluster'
        __fail2ban-cluster_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'status'
            __fail2ban-cluster_parse_subcommand 0 'json' 'format=' 'c/config=' 'version' 'h/help'
        case 'bans'
            __fail2ban-cluster_parse_subcommand 1 'jail=' 'host=' 'allowed' 'json' 'c/config=' 'version' 'h/help'
        case 'why'
            __fail2ban-cluster_parse_subcommand 1 'n/limit=' 'json' 'c/config=' 'version' 'h/help'
        case 'history'
            __fail2ban-cluster_parse_subcommand 1 'jail=' 'host=' 'kind=' 'since=' 'until=' 'n/limit=' 'json' 'c/config=' 'version' 'h/help'
        case 'watch'
            __fail2ban-cluster_parse_subcommand 0 'json' 'c/config=' 'version' 'h/help'
        case 'hosts'
            __fail2ban-cluster_parse_subcommand 0 'json' 'c/config=' 'version' 'h/help'
        case 'check'
            __fail2ban-cluster_parse_subcommand 0 'json' 'c/config=' 'version' 'h/help'
        case 'ban'
            __fail2ban-cluster_parse_subcommand -r 1 'json' 'c/config=' 'for=' 'note=' 'version' 'h/help'
        case 'unban'
            __fail2ban-cluster_parse_subcommand -r 1 'json' 'c/config=' 'for=' 'note=' 'version' 'h/help'
        case 'init'
            __fail2ban-cluster_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'keygen'
            __fail2ban-cluster_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'rekey'
            __fail2ban-cluster_parse_subcommand 0 'publisher' 'finish' 'c/config=' 'version' 'h/help'
        case 'authorize'
            __fail2ban-cluster_parse_subcommand 2 'roles=' 'add' 'c/config=' 'version' 'h/help'
        case 'revoke'
            __fail2ban-cluster_parse_subcommand 1 'withdraw' 'key=' 'c/config=' 'version' 'h/help'
        case 'help'
            __fail2ban-cluster_parse_subcommand -r 1 'version'
        end
    end
end

function __fail2ban-cluster_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __fail2ban-cluster_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __fail2ban-cluster_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __fail2ban-cluster_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__fail2ban-cluster_tokens -p)
    if test -z "$(__fail2ban-cluster_tokens -t)"
        set -l index (count (__fail2ban-cluster_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'fail2ban-cluster' -f
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'status' -d 'Show how the publisher and every host are doing.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'bans' -d 'Show what is banned now, until when, who holds it, and where it is applied.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'why' -d 'Say why an address is banned or isn\'t, and all that the cluster knows of it.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'history' -d 'Show what was banned, lifted and refused, and by whom.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'watch' -d 'Show each announcement as it is made, until Ctrl-C.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'hosts' -d 'Show who belongs to the cluster: name, roles, key and addresses.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'check' -d 'Look for what keeps this host from working in the cluster, each thing with its remedy.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'ban' -d 'Ban addresses on every host.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'unban' -d 'Lift every ban of addresses, on every host.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'init' -d 'Begin a cluster: make the publisher\'s keys, and this host\'s own with all roles.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'keygen' -d 'Make this host\'s key pair, and print the command that authorises it.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'rekey' -d 'Replace this host\'s key, or with --publisher the publisher\'s, while everything goes on.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'authorize' -d 'Let a host into the cluster, under a name, with a key and roles.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'revoke' -d 'Shut a host out of the cluster: its keys are not valid any more.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_positional "fail2ban-cluster" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster status" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster status" format' -l 'format' -d 'table, json, or prometheus for node_exporter\'s textfile collector.' -rfka 'table json prometheus'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster status" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster status" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" jail' -l 'jail' -d 'Only what is held in this jail.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" host' -l 'host' -d 'Only what this host holds.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" allowed' -l 'allowed' -d 'Show instead what `unban --for` allows, and until when.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster bans" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster why" limit n' -s 'n' -l 'limit' -d 'The most events that are shown.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster why" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster why" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster why" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster why" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" jail' -l 'jail' -d 'Only of this jail.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" host' -l 'host' -d 'Only of this host.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" kind' -l 'kind' -d 'Only bans, what was lifted or ended (unban), what was refused, or operators\' orders.' -rfka 'ban unban refused order'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" since' -l 'since' -d 'Only from then on: 1h, 7d, 2026-11-21 or \'2026-11-21 08:00\' (local time).' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" until' -l 'until' -d 'Only up to then.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" limit n' -s 'n' -l 'limit' -d 'The most events that are shown.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster history" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster watch" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster watch" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster watch" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster watch" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster hosts" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster hosts" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster hosts" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster hosts" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster check" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster check" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster check" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster ban" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster ban" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster ban" for' -l 'for' -d 'How long: 10m, 1h, 1d, 1w, or -1 for ever. Default: the publisher\'s maxbantime.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster ban" note' -l 'note' -d 'Why, for the history.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster ban" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster ban" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster unban" json' -l 'json' -d 'Print JSON, one object on a line: docs/cli-json.md.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster unban" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster unban" for' -l 'for' -d 'Allow them too, so long: 10m, 1h, 1d, 1w, or -1 for ever; 0 ends what is allowed.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster unban" note' -l 'note' -d 'Why, for the history.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster unban" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster unban" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster init" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster init" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster init" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster keygen" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster keygen" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster keygen" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster rekey" publisher' -l 'publisher' -d 'Replace the publisher\'s key; on the publisher\'s host.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster rekey" finish' -l 'finish' -d 'The second step: use the new key from now on.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster rekey" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster rekey" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster rekey" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster authorize" roles' -l 'roles' -d 'What the host may do: monitor, subscriber, operator, separated by commas. (default: monitor,subscriber)' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster authorize" add' -l 'add' -d 'Give a host that is authorised a second key, with the roles it has.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster authorize" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster authorize" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster authorize" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster revoke" withdraw' -l 'withdraw' -d 'End all that the host has banned, too. This host\'s key needs the role operator.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster revoke" key' -l 'key' -d 'Take away this one of the host\'s keys only, given in quotes.' -rfka ''
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster revoke" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster revoke" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster revoke" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-cluster' -n '__fail2ban-cluster_should_offer_completions_for_flags_or_options "fail2ban-cluster help" version' -l 'version' -d 'Show the version.'
