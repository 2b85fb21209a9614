#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a test machine's kernel may lack (native `queue`, flowtables, a table that everybody may flush): boots Debian's stock kernel
# once in an emulator and runs the real daemon there. `inside` runs in the VM, with bash, ip, nft, dnsmasq and busybox.
# `make check` boots it for the first sections alone; with `all` (make check-stock) the others and cases of run.py are run, too.
# usage: tests/netns/stockvm.sh BUILD-FOLDER [all|SECTION...] | inside SECTION...
set -u
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
vm=../shared/bench/stockvm.sh
passed=0 failed=0

say() { # $1 0 or not, $2 name, $3 why
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1)) && echo "ok $2"
	else
		failed=$((failed + 1)) && echo "FAIL $2: $3"
	fi
}

# -- the host's half ---------------------------------------------------------------------------

skip() {
	echo "skipped: $*"
	exit 0
}

# A kernel package is fetched once; it stays in the build folder.
fetch_kernel() {
	local package folder
	ls "$kernel"/boot/vmlinuz-* > /dev/null 2>&1 && return 0
	package=$(apt-cache depends linux-image-cloud-amd64 2> /dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
	[ -n "$package" ] || return 1
	folder=$(mktemp -d) && rm -rf "$kernel" && mkdir -p "$kernel" || return 1
	chmod 755 "$folder"	# apt fetches as another user
	(cd "$folder" && timeout 120 apt-get -qq download "$package" && dpkg-deb -x ./*.deb "$kernel") > /dev/null 2>&1
	rm -rf "$folder"
	ls "$kernel"/boot/vmlinuz-* > /dev/null 2>&1
}

# Python as far as the cases need it, and the programs that they start.
pack_python() {
	local version folder=$build/stockvm/python part
	version=$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
	rm -rf "$folder" && mkdir -p "$folder"
	(cd /usr/lib && tar -c --exclude=__pycache__ --exclude=test --exclude='config-*' --exclude=ensurepip --exclude=idlelib \
		--exclude=lib2to3 --exclude=tkinter --exclude=unittest --exclude=pydoc_data "$version") | tar -x -C "$folder"
	carry=(-f "$folder:/t/pylib" -p "/usr/bin/$version" -p curl -p openssl -p sysctl -p ethtool -p mount -p prlimit
		-f tests/netns:/t/tests/netns -f tests/fleet:/t/tests/fleet -f /etc/ssl/openssl.cnf)
	for part in "/usr/lib/$version"/lib-dynload/*.so; do
		ldd "$part" | grep -q '=> /' && carry+=(-p "$part")
	done
	[ ! -x "$build/tests/netns/quic_initial" ] || carry+=(-f "$build/tests/netns/quic_initial:/t/tests/netns/quic_initial")
}

# Where the host is starved, the guest's timer comes too late for the kernel's check of it, which panics: no check then. The script that
# boots the VM takes no parameter for that, so its emulator is this one.
wrap_emulator() {
	local real
	real=$(command -v qemu-system-x86_64)
	mkdir -p "$build/stockvm/bin"
	printf '#!/bin/bash\nexec %q "${@/#console=/no_timer_check console=}"\n' "$real" > "$build/stockvm/bin/qemu-system-x86_64"
	chmod 755 "$build/stockvm/bin/qemu-system-x86_64"
}

boot() { # the sections
	PATH=$build/stockvm/bin:$PATH STOCKVM_CACHE=$build/stockvm/cache "$vm" -k "$kernel" -m 1536 -t 540 -p dnsmasq "${carry[@]}" \
		-f tests/netns/stockvm.sh:/t/tests/netns/stockvm.sh -f "$build/minewall:/t/minewall" -f "$build/stockvm/quic:/t/quic" \
		-f "$build/stockvm/pool.listed.example:/t/listed" -f "$build/stockvm/www.unlisted.example:/t/unlisted" \
		-- env CASES="${CASES:-}" bash /t/tests/netns/stockvm.sh inside "$@" 2> "$build/stockvm/stderr" | tee "$build/stockvm/output"
	return "${PIPESTATUS[0]}"
}

outside() {
	local build program code kernel carry=()
	build=$(realpath "$1") kernel=$build/stockvm/kernel
	shift
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $sections
	# shellcheck disable=SC2086
	[ "$1" != all ] || set -- $all_sections
	[ -x "$vm" ] || skip "$vm is not there"
	for program in qemu-system-x86_64 cpio busybox dnsmasq depmod xtables-nft-multi nft ip conntrack apt-get; do
		command -v "$program" > /dev/null || skip "no $program here (packages qemu-system-x86 cpio busybox-static dnsmasq-base kmod iptables)"
	done
	fetch_kernel || skip "Debian's kernel package (linux-image-cloud-amd64) cannot be had"
	wrap_emulator
	[[ " $* " != *" cases "* ]] || pack_python
	/usr/bin/python3 -ISB - "$build/stockvm" <<- 'END' || exit 1
		import sys
		sys.path.insert(0, "tests/netns")
		import wire
		for name in ("pool.listed.example", "www.unlisted.example"):
		    with open(f"{sys.argv[1]}/{name}", "wb") as f:
		        f.write(wire.client_hello(name))
	END
	# One payload of QUIC that asks for the listed name, if the tool that makes it is built.
	: > "$build/stockvm/quic"
	[ ! -x "$build/tests/netns/quic_initial" ] ||
		"$build/tests/netns/quic_initial" 1 1 pool.listed.example 0 0 9999 0 | tr -d '\n' | sed 's/../\\x&/g' | xargs -0 printf > "$build/stockvm/quic"
	boot "$@"
	code=$?
	if [ ! -s "$build/stockvm/output" ] && [ $SECONDS -lt 200 ]; then
		echo "(the VM ended before its first word: $(grep -m 1 panic "$build/stockvm/stderr"); one more try)"
		boot "$@"
		code=$?
	fi
	if ! grep -q ' passed, ' "$build/stockvm/output"; then
		tail -20 "$build/stockvm/stderr"
		echo "FAIL stock kernel: the VM did not finish (exit $code)"
		return 1
	fi
	return "$code"
}

# -- the VM's half -----------------------------------------------------------------------------

bed() {
	local n
	for n in c g s; do
		ip netns add $n && ip -n $n link set lo up
		ip netns exec $n sysctl -qw net.ipv6.conf.default.accept_dad=0
	done
	ip link add c0 netns c type veth peer name g0 netns g
	ip link add s0 netns s type veth peer name g1 netns g
	ip netns exec g sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	while read -r n device v4 v6; do
		ip -n "$n" addr add "$v4/24" dev "$device"
		ip -n "$n" addr add "$v6/64" dev "$device" nodad
		ip -n "$n" link set "$device" up
	done <<- END
		c c0 198.18.1.2 2001:db8:1::2
		g g0 198.18.1.1 2001:db8:1::1
		g g1 100.64.2.1 2001:db8:2::1
		s s0 100.64.2.2 2001:db8:2::2
	END
	ip -n c route add default via 198.18.1.1 && ip -n c -6 route add default via 2001:db8:1::1
	ip -n s route add default via 100.64.2.1 && ip -n s -6 route add default via 2001:db8:2::1
	cat > /tmp/serve <<- 'END'
		dd bs=16384 count=1 2> /dev/null >> "/tmp/got.$1"
		echo answer
		cat >> "/tmp/got.$1"
	END
	# A port of its own for each case: the server of a reset connection hears nothing more and waits.
	for n in 5353 4433; do
		ip netns exec s dnsmasq --port=$n --no-resolv --no-hosts --address=/#/192.0.2.1 --user=root --pid-file= --conf-file=/dev/null
	done
	for n in 443{4,6} 407{4,6} 408{4,6} 409{4,6} 444{4,6} 844{4,6} 845{4,6}; do
		: > /tmp/got.$n
		(while :; do ip netns exec s busybox nc -l -p $n -e bash /tmp/serve $n < /dev/null; done) > /dev/null 2>&1 &
	done
	cat > /tmp/policy.yaml <<- END
		version: 1
		mode: enforce
		block: {names: [pool.listed.example]}
		state: /tmp/state
		control: /tmp/mw/control.sock
		log: {file: /tmp/eve.json}
		queues: {first: 10, count: 2}
	END
}

verb() {
	ip netns exec g /t/minewall "$1" -c /tmp/policy.yaml "${@:2}"
}

# Packets ever queued, both queues together.
queued() {
	ip netns exec g awk '{ n += $8 } END { print n + 0 }' /proc/net/netfilter/nfnetlink_queue
}

# $1 address, $2 port, $3 file with the first bytes: prints what came of it
talk() {
	ip netns exec c timeout 60 bash -c '
		exec 3<> "/dev/tcp/$1/$2" || exit
		cat "$3" >&3
		read -r -t 30 line <&3 && echo "got $line" || exit
		for i in 1 2 3; do echo "more $i" >&3; done
		sleep 1' talk "$@" 2>&1
}

wait_for() { # $1 seconds, then the command
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

taught() {
	ip netns exec g nft list set inet minewall "endpoints$1" | tr -d '\n' | grep -q "elements = .*$2 \. [a-z0-9]* \. 407$1"
}

one_family() { # $1 4 or 6, $2 the server's address
	local before after got
	before=$(queued) got=$(talk "$2" "443$1" /t/unlisted) after=$(queued)
	[ "$got" = "got answer" ]
	say $? "unlisted-passes/v$1" "the client saw: $got"
	[ $((after - before)) -eq 1 ]
	say $? "one-packet-queued/v$1" "$((after - before)) packets were queued"
	wait_for 20 grep -q "more 3" "/tmp/got.443$1"
	say $? "server-gets-all/v$1" "the server has $(wc -c < "/tmp/got.443$1") bytes"

	got=$(talk "$2" "407$1" /tmp/subscribe)
	grep -q "reset by peer" <<< "$got"
	say $? "stratum-is-reset/v$1" "the client saw: $got"
	[ ! -s "/tmp/got.407$1" ]
	say $? "pool-gets-nothing/v$1" "the server got $(cat "/tmp/got.407$1")"
	wait_for 20 taught "$1" "$2"
	say $? "element-in-the-kernel/v$1" "$(ip netns exec g nft list set inet minewall "endpoints$1" | tr -d '\n\t')"
	before=$(queued) got=$(talk "$2" "407$1" /tmp/subscribe) after=$(queued)
	grep -q "refused" <<< "$got"
	say $? "second-attempt-refused/v$1" "the client saw: $got"
	[ "$before" -eq "$after" ]
	say $? "second-attempt-not-queued/v$1" "$((after - before)) packets were queued"

	got=$(talk "$2" "844$1" /t/listed)
	grep -q "reset by peer" <<< "$got"
	say $? "listed-name-is-reset/v$1" "the client saw: $got"
	[ ! -s "/tmp/got.844$1" ]
	say $? "listed-server-gets-nothing/v$1" "the server got $(wc -c < "/tmp/got.844$1") bytes"
}

# Another table's flowtable, as a fast router has it.
offload() {
	ip netns exec g nft -f - <<- END
		table inet fast {
			flowtable ft { hook ingress priority 0; devices = { "g0", "g1" }; }
			chain forward { type filter hook forward priority 0; ct state established flow add @ft; }
		}
	END
}

# $1 address: prints yes if the flow of some questions there and their answers was offloaded
udp_offloaded() {
	ip netns exec g conntrack -F > /dev/null 2>&1
	ip netns exec c timeout 20 bash -c '
		exec 3<> "/dev/udp/$1/5353" || exit
		for i in 1 2 3 4; do
			printf "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01" >&3
			read -r -t 2 -N 1 <&3 || exit
		done' talk "$1" 2> /dev/null || echo "no answer"
	ip netns exec g conntrack -L -f "$([[ $1 == *:* ]] && echo ipv6 || echo ipv4)" -p udp 2> /dev/null | grep -q OFFLOAD && echo yes
}

# $1 4 or 6, $2 the server's address: questions and answers first, so that the flow could be on the fast way, then a QUIC Initial of a
# listed name. Prints how often that was seen. With dd: busybox' cat uses sendfile(), and there a datagram of IPv6 stays in its socket.
late_quic() {
	local seen=0
	ip netns exec c timeout 20 bash -c '
		exec 3<> "/dev/udp/$1/4433" || exit
		for i in 1 2 3; do
			printf "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01" >&3
			read -r -t 2 -N 1 <&3 || exit
		done
		dd if=/t/quic bs=2000 count=1 >&3
		sleep 1' quic "$2" > /dev/null 2>&1 || echo "no answer"
	for _ in {1..8}; do
		seen=$(verb log --json 2> /dev/null | grep '"quic"' | grep -c "\"$2\"")
		[ "$seen" -eq 0 ] || break
		sleep 0.5
	done
	echo "$seen"
}

# $1 4 or 6, $2 the server's address
blind() {
	local got
	got=$(talk "$2" "408$1" /tmp/subscribe)
	[ "$got" = "got answer" ] && grep -q mining.subscribe "/tmp/got.408$1"
	say $? "offloaded-is-not-seen/v$1" "this is what the guard is for, and it did not happen: $got"
	[ "$(udp_offloaded "$2")" = yes ]
	say $? "udp-is-offloaded/v$1" "$(ip netns exec g conntrack -L -p udp 2> /dev/null)"
	[ -s /t/quic ] || return
	got=$(late_quic "$@")
	[ "$got" = 0 ]
	say $? "offloaded-quic-is-not-seen/v$1" "seen: $got"
}

guarded() {
	local before after
	[ -s /t/quic ] || return 0
	before=$(verb log --json | grep -c '"quic"')
	ip netns exec c timeout 10 bash -c 'exec 3<> "/dev/udp/$1/4433" && for i in 1 2 3; do cat /t/quic >&3; sleep 0.3; done' quic "$2"
	sleep 1
	for _ in {1..10}; do
		after=$(verb log --json | grep -c '"quic"')
		[ "$after" -le "$before" ] || break
		sleep 1
	done
	[ "$after" -gt "$before" ]
	say $? "guarded-quic-is-seen/v$1" "$(verb log | tail -3)"
	! ip netns exec g conntrack -L -f "$([[ $2 == *:* ]] && echo ipv6 || echo ipv4)" -p udp --dport 4433 2> /dev/null | grep -q OFFLOAD
	say $? "guarded-quic-is-not-offloaded/v$1" "$(ip netns exec g conntrack -L -p udp 2> /dev/null)"
}

guarded() {
	local got
	got=$(talk "$2" "409$1" /tmp/subscribe)
	grep -q "reset by peer" <<< "$got"
	say $? "guarded-stratum-is-reset/v$1" "the client saw: $got"
	[ ! -s "/tmp/got.409$1" ]
	say $? "guarded-pool-gets-nothing/v$1" "the server got $(cat "/tmp/got.409$1")"
	got=$(talk "$2" "845$1" /t/listed)
	grep -q "reset by peer" <<< "$got" && [ ! -s "/tmp/got.845$1" ]
	say $? "guarded-listed-name-is-reset/v$1" "the client saw: $got; the server got $(wc -c < "/tmp/got.845$1") bytes"
	if [ -s /t/quic ]; then
		got=$(late_quic "$@")
		[ "$got" -gt 0 ]
		say $? "guarded-quic-is-seen/v$1" "seen: $got; $(verb log | tail -3)"
	fi
	got=$(talk "$2" "444$1" /t/unlisted)
	[ "$got" = "got answer" ] && wait_for 20 grep -q "more 3" "/tmp/got.444$1"
	say $? "guarded-clean-flow-passes/v$1" "the client saw: $got"
	[ -z "$(udp_offloaded "$2")" ]
	say $? "guarded-udp-is-not-offloaded/v$1" "$(ip netns exec g conntrack -L -p udp 2> /dev/null)"
}

flowtables() {
	offload
	say $? "flowtable" "the kernel refuses a flowtable"
	blind 4 100.64.2.2
	blind 6 2001:db8:2::2
	echo "guard_offload: true" >> /tmp/policy.yaml
	verb stop && wait_for 20 test ! -e /tmp/mw/control.sock
	start
	verb status | grep "guarded: .*fast"
	say $? "status-says-guarded" "$(verb status)"
	guarded 4 100.64.2.2
	guarded 6 2001:db8:2::2
	ip netns exec g nft delete table inet fast
}

# $1 address, $2 port: what the connection tracking has of it
tracked() {
	ip netns exec g conntrack -L -f "$([[ $1 == *:* ]] && echo ipv6 || echo ipv4)" -p tcp --dport "$2" 2> /dev/null
}

fast() {
	tracked "$@" | grep -q OFFLOAD
}

# $1 address, $2 port, $3 file with the first bytes: a connection that goes on asking until it is ended. What comes is in held.PORT.
hold() {
	ip netns exec c timeout 60 bash -c '
		exec 3<> "/dev/tcp/$1/$2" || exit
		cat "$3" >&3
		for i in {1..60}; do
			read -r -t 5 line <&3 || exit
			echo "got ${line//[^[:print:]]/}"
			sleep 0.5
			echo "more: $i" >&3 || exit
		done' hold "$@" > "/tmp/held.$2" 2>&1 &
}

# $1 4 or 6, $2 the server's address: a decided flow goes fast, an undecided one does not, and one that is blocked later ends.
offloaded() {
	local held
	hold "$2" "321$1" /tmp/undecided
	wait_for 20 grep -q "answer more: 2" "/tmp/held.321$1"
	! fast "$2" "321$1" && tracked "$2" "321$1" | grep -q "mark=33554432"
	say $? "undecided-is-not-offloaded/v$1" "$(tracked "$2" "321$1")"
	hold "$2" "312$1" /t/unlisted && held=$!
	wait_for 20 fast "$2" "312$1"
	say $? "decided-is-offloaded/v$1" "$(tracked "$2" "312$1") $(cat "/tmp/held.312$1")"
	sleep 2
	[ "$(wc -l < "/tmp/held.312$1")" -ge 3 ]
	say $? "offloaded-flow-goes-on/v$1" "$(cat "/tmp/held.312$1")"
	sed -i 's/names: .*}/names: [pool.listed.example, www.unlisted.example]}/' /tmp/policy.yaml
	verb reload
	say $? "reload-that-blocks-it/v$1" "exit $?"
	wait_for 10 test ! -e /proc/$held
	say $? "offloaded-flow-is-cut/v$1" "it goes on: $(tail -1 "/tmp/held.312$1")"
	! fast "$2" "312$1"
	say $? "cut-is-not-offloaded/v$1" "$(tracked "$2" "312$1")"
	! fast "$2" "321$1" && tracked "$2" "321$1" | grep -q "mark=33554432"
	say $? "still-undecided-is-not-offloaded/v$1" "$(tracked "$2" "321$1")"
	sed -i 's/names: .*}/names: [pool.listed.example]}/' /tmp/policy.yaml
	verb reload
}

# What the kernel learns ends the flows on the fast way, too: $1 4 or 6, $2 the server's address
taught_later() {
	local held
	hold "$2" "313$1" /t/unlisted && held=$!
	wait_for 20 fast "$2" "313$1"
	talk "$2" "313$1" /tmp/subscribe > /dev/null
	wait_for 25 test ! -e /proc/$held
	say $? "taught-ends-offloaded/v$1" "$(tracked "$2" "313$1") $(tail -1 "/tmp/held.313$1")"
}

own_offload() {
	verb stop && wait_for 20 test ! -e /tmp/mw/control.sock
	sed -i '/guard_offload/d' /tmp/policy.yaml
	printf 'interfaces: {offload: [g0, g1]}\noffload: true\n' >> /tmp/policy.yaml
	printf 'GET / HTTP/1.1\r\n' > /tmp/undecided	# a head that never ends: the lines that follow are fields of it
	cat > /tmp/chat <<- 'END'
		echo hello
		while read -r l; do echo "answer $l"; done
	END
	for n in 312{4,6} 321{4,6} 313{4,6} 313{4,6}; do
		(while :; do ip netns exec s busybox nc -l -p $n -e bash /tmp/chat < /dev/null; done) > /dev/null 2>&1 &
	done
	start
	say $? "daemon-starts-with-offload" "$(cat /tmp/said)"
	verb status | grep -q "offload: TCP flows"
	say $? "status-says-offload" "$(verb status) $(cat /tmp/said)"
	ip netns exec g nft list chain inet minewall late_forward | grep -q "flow add @decided"
	say $? "our-rule-offloads" "$(ip netns exec g nft list table inet minewall)"
	offloaded 4 100.64.2.2
	offloaded 6 2001:db8:2::2
	taught_later 4 100.64.2.2
	taught_later 6 2001:db8:2::2
}

# Before Linux 6.9 a table belongs to everybody: what another program removes comes back.
harmed() {
	ip netns exec g nft list table inet minewall | grep -q "flags owner"
	[ $? -eq 1 ]
	say $? "table-is-everybodys" "this kernel owns tables"
	ip netns exec g nft flush ruleset
	wait_for 20 taught 4 100.64.2.2 && wait_for 20 taught 6 2001:db8:2::2
	say $? "flushed-table-comes-back" "$(ip netns exec g nft list tables)"
	verb status | grep -q "times another program removed our table"
	say $? "status-says-flushed" "$(verb status)"
}

start() {
	ip netns exec g /t/minewall run -c /tmp/policy.yaml < /dev/null 2> /tmp/said &
	wait_for 60 grep -q ready /tmp/said
}

basics() {
	one_family 4 100.64.2.2
	one_family 6 2001:db8:2::2
	[ "$(verb log --json | grep -c '"blocked"')" -ge 6 ]
	say $? "all-in-the-log" "$(verb log)"
	verb blocked
}

# Real cases of run.py: those whose kernel side differs here. What they wait for is given more time, as everything is emulated.
cases() {
	local version
	verb stop && wait_for 20 test ! -e /tmp/mw/control.sock
	version=$(cd /usr/bin && ls python3.* | head -1)
	ln -sf "$version" /usr/bin/python3
	cp -r /t/pylib/. /usr/lib/
	mkdir -p /var/lib
	mkdir -p /usr/lib/ssl && ln -sf /etc/ssl/openssl.cnf /usr/lib/ssl/openssl.cnf
	MINEWALL_SLOW=8 python3 -ISB /t/tests/netns/run.py $(printf -- '--only %s ' $CASES) /t/minewall | tee /tmp/cases
	grep -q '^netns: [0-9]* passed' /tmp/cases || echo "netns: 0 passed, 1 failed" >> /tmp/cases
	passed=$((passed + $(sed -n 's/^netns: \([0-9]*\) passed.*/\1/p' /tmp/cases)))
	failed=$((failed + $(sed -n 's/^netns: .* \([0-9]*\) failed.*/\1/p' /tmp/cases)))
	start
}
CASES=${CASES:-enforce-1q/v6/stratum/stratum-v1/3333 enforce-1q/v6/quic-listed/v1 enforce-1q/v6/second-dies own/flowtable
	own/damaged-table-comes-back/delete-table own/killed-reader}

sections="basics harmed flowtables"
all_sections="$sections own_offload cases"

inside() {
	local left section
	echo "Linux $(uname -r)"
	chmod 755 /	# or the daemon's user could reach nothing
	echo 'nobody:x:65534:65534::/:/bin/false' >> /etc/passwd && echo 'nogroup:x:65534:' >> /etc/group
	echo '{"id":1,"method":"mining.subscribe","params":["test-miner/1.0"]}' > /tmp/subscribe
	bed
	start
	say $? "daemon-starts" "$(cat /tmp/said)"
	verb status --json | grep -q '"queue": "queue"'
	say $? "queue-is-native" "status --json: $(verb status --json | grep '"queue": "')"
	for section in "$@"; do
		"$section"
	done
	verb stop
	say $? "stop" "exit $?"
	left=$(ip netns exec g nft list tables)
	[ -z "$left" ]
	say $? "stop-leaves-no-table" "$left"
	left=$(ip netns exec g conntrack -L 2> /dev/null | grep -v ' mark=0 ' | grep ' mark=')
	[ -z "$left" ]
	say $? "stop-leaves-no-mark" "$left"
	wait_for 20 test ! -e /tmp/mw/control.sock
	say $? "stop-leaves-no-socket" "it is still there"
	echo "stock kernel: $passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}

case "${1:-}" in
inside) inside "${@:2}" ;;
"") sed -n 6p "$0" && exit 2 ;;
*) outside "$@" ;;
esac
