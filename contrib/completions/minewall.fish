# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion: everything comes from the program's own help, so that no verb or option is forgotten here.
function __minewall_verb
    set -l words (commandline -opc)
    test (count $words) -ge 2; and echo $words[2]
end

function __minewall_verbs
    minewall --help 2>/dev/null | string replace -rf '^  ([a-z][a-z-]*)  +(.*)$' '$1\t$2'
end

function __minewall_options
    set -l verb (__minewall_verb)
    test -n "$verb"; or return
    minewall $verb --help 2>/dev/null | string match -v 'Example*' | string match -arg '(?:^|[\[ |])(--?[a-z][a-z-]*)' | sort -u
    echo -- --help
end

function __minewall_words
    set -l verb (__minewall_verb)
    test -n "$verb"; or return
    minewall $verb --help 2>/dev/null | string replace -rf "^minewall $verb ([a-z]+)\b.*\$" '$1' | sort -u
end

function __minewall_takes_files
    set -l verb (__minewall_verb)
    test -n "$verb"; and minewall $verb --help 2>/dev/null | string match -q 'minewall*FILE*'
end

complete -c minewall -f
complete -c minewall -n __fish_use_subcommand -a '(__minewall_verbs)'
complete -c minewall -n 'test (__minewall_verb) = help' -a '(__minewall_verbs)'
complete -c minewall -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -a '(__minewall_options)'
complete -c minewall -n 'not __fish_use_subcommand' -a '(__minewall_words)'
complete -c minewall -n __minewall_takes_files -F
complete -c minewall -n 'not __fish_use_subcommand' -s c -r -F
