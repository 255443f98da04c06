function __fail2ban-publisher_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __fail2ban-publisher_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __fail2ban-publisher_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __fail2ban-publisher_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __fail2ban-publisher_parse_tokens -S
    set -l unparsed_tokens (__fail2ban-publisher_tokens -pc)
    switch $unparsed_tokens[1]
    case 'fail2ban-publisher'
        __fail2ban-publisher_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'start'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'timeout=' 'version' 'h/help'
        case 'stop'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'timeout=' 'version' 'h/help'
        case 'restart'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'reload'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'status'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'run'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'check'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'promote'
            __fail2ban-publisher_parse_subcommand 0 'c/config=' 'version' 'h/help'
        case 'help'
            __fail2ban-publisher_parse_subcommand -r 1 'version'
        end
    end
end

function __fail2ban-publisher_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __fail2ban-publisher_parse_subcommand -S -a positional_count
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

function __fail2ban-publisher_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __fail2ban-publisher_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__fail2ban-publisher_tokens -p)
    if test -z "$(__fail2ban-publisher_tokens -t)"
        set -l index (count (__fail2ban-publisher_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'fail2ban-publisher' -f
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'start' -d 'Start it in the background; done when it is ready.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'stop' -d 'End it when it has drained; done when it has ended, or did not run.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'restart' -d 'Stop it, if it runs, and start it.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'reload' -d 'Make it read its configuration again and open its log anew.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'status' -d 'Say whether it runs: exit status 0 if it does, 3 if not.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'run' -d 'Be the daemon, in the foreground, as systemd and containers want it.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'check' -d 'Say what is wrong with the configuration and on this host; change nothing.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'promote' -d 'Make a standby the active publisher, now and after each start; done when it is active.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_positional "fail2ban-publisher" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher start" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher start" timeout' -l 'timeout' -d 'How long to wait until it is ready.' -rfka ''
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher start" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher start" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher stop" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher stop" timeout' -l 'timeout' -d 'How long to wait until it has ended.' -rfka ''
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher stop" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher stop" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher restart" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher restart" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher restart" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher reload" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher reload" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher reload" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher status" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher status" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher run" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher run" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher run" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher check" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher check" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher promote" c config' -s 'c' -l 'config' -d 'The configuration file.' -rF
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher promote" version' -l 'version' -d 'Show the version.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher promote" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fail2ban-publisher' -n '__fail2ban-publisher_should_offer_completions_for_flags_or_options "fail2ban-publisher help" version' -l 'version' -d 'Show the version.'
