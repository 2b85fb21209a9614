# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion: everything comes from the program's own help, so that no verb or option is forgotten here.
_minewall() {
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} help words
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words help --help --version" -- "$cur")
		return
	fi
	if [ "$prev" = -c ] || [ "$prev" = --policy ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	if [ "$verb" = help ]; then
		words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	help=$("$program" "$verb" --help 2>/dev/null) || return
	if [[ $cur == -* ]]; then
		words=$(grep -v '^Example' <<<"$help" | grep -oE -- '(^|[[ |])--?[a-z][a-z-]*' | sed 's/^[[ |]*//' | sort -u)
	else
		words=$(sed -n "s/^minewall $verb \([a-z][a-z]*\) *.*/\1/p" <<<"$help" | sort -u)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words $([[ $cur == -* ]] && echo --help)" -- "$cur")
	if [ "${#COMPREPLY[@]}" -eq 0 ] && grep -q '^minewall.*FILE' <<<"$help"; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _minewall minewall
