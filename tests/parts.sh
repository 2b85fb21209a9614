# SPDX-License-Identifier: GPL-2.0-or-later
# What tests/check and tests/check-all share: parts that run one after the other, and the counts of all of them. To be sourced; bash.
set -u
log=$(mktemp) && cases=$(mktemp) && aside=$(mktemp -d) || exit 1
trap 'rm -rf "$log" "$cases" "$aside"' EXIT
passed=0 failed=0 skipped=0

# $1 title, then the command. Its own last line "NAME: N passed, N failed[, N skipped]" is what counts; without one its exit code does.
part() {
	local title=$1 code line start=$SECONDS
	shift
	echo "== $title"
	"$@" 2>&1 | tee "$log" | grep -v '^ok '
	code=${PIPESTATUS[0]}
	line=$(grep -E '[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
	if [ -n "$line" ]; then
		passed=$((passed + $(sed -E 's/.*[^0-9]([0-9]+) passed.*/\1/' <<< " $line")))
		failed=$((failed + $(sed -E 's/.* ([0-9]+) failed.*/\1/' <<< "$line")))
		grep -q skipped <<< "$line" && skipped=$((skipped + $(sed -E 's/.* ([0-9]+) skipped.*/\1/' <<< "$line")))
		[ "$code" -eq 0 ] || grep -qE '[1-9][0-9]* failed' <<< "$line" || failed=$((failed + 1))
	elif [ "$code" -ne 0 ]; then
		failed=$((failed + 1))
		echo "FAIL $title: exit $code"
	elif grep -q '^skipped' "$log"; then
		skipped=$((skipped + 1))
	else
		passed=$((passed + 1))
	fi
	echo "   ($((SECONDS - start)) s)"
}

# Long parts that need a processor and nothing else run beside others, and are shown in their turn. $1 name, then the command.
begin_aside() {
	local name=$1
	shift
	("$@" > "$aside/$name" 2>&1; echo $? > "$aside/$name.code") &
}

# `part` calls it in a shell of its own, which cannot wait for another one's child.
end_aside() {
	until [ -s "$aside/$1.code" ]; do sleep 0.2; done
	cat "$aside/$1"
	return "$(cat "$aside/$1.code")"
}

# $1 name of the run: its last line, which a run around this one counts as a part of its own.
parts_end() {
	echo
	echo "$1: $passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
